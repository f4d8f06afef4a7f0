"""Build the extension of src/dicodec/_kernels; all else stands in pyproject.toml.

The extension is optional: without a compiler or Python's headers the package is built without it.
DICODEC_PURE=1 leaves it out, for a wheel that serves every platform.
"""

import os
from pathlib import Path

from setuptools import Extension, setup

KERNELS = Path("src/dicodec/_kernels")
PURE = os.environ.get("DICODEC_PURE") == "1"

setup(
    ext_modules=[]
    if PURE
    else [
        Extension(
            "dicodec._kernels._compiled",
            sources=[str(path) for path in sorted(KERNELS.glob("*.c"))],
            depends=[str(path) for path in sorted(KERNELS.glob("*.h"))],
            libraries=[] if os.name == "nt" else ["m"],
            extra_compile_args=[
                "-std=c11",
                "-O3",
                "-Wall",
                "-Wextra",
                "-fvisibility=hidden",
                "-g0",
            ],
            py_limited_api=True,
            optional=True,
        )
    ],
    # `make dist` writes them.
    data_files=[("share/man/man1", sorted(map(str, Path("man").glob("*.1"))))],
    options={} if PURE else {"bdist_wheel": {"py_limited_api": "cp312"}},
)
