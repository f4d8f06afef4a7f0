"""Converts files with pydicom and its plugins, as users do.

python bench/peer_pydicom.py SYNTAX FOLDER FILE...
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pydicom
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

_NATIVE = {
    "explicit-le": ExplicitVRLittleEndian,
    "implicit-le": ImplicitVRLittleEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
}
_COMPRESSED: dict[str, tuple[str, dict[str, Any]]] = {
    "rle": (RLELossless, {}),
    "jpeg-ls": (JPEGLSLossless, {}),
    "jpeg-ls-near": (JPEGLSNearLossless, {"jls_error": 2}),
    "jpeg2000-lossless": (JPEG2000Lossless, {}),
}


def main(syntax: str, folder: str, *names: str) -> None:
    """Convert each file to one of its name in the folder."""
    for name in names:
        data_set = pydicom.dcmread(name)
        if syntax in _NATIVE:
            if data_set.file_meta.TransferSyntaxUID.is_encapsulated:
                data_set.decompress(generate_instance_uid=False)
            data_set.file_meta.TransferSyntaxUID = _NATIVE[syntax]
        else:
            uid, options = _COMPRESSED[syntax]
            data_set.compress(uid, generate_instance_uid=False, **options)
        data_set.save_as(Path(folder, Path(name).name))


if __name__ == "__main__":
    main(*sys.argv[1:])
