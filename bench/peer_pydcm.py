"""Converts files with pydcm, in memory: peer_pydcm.py SYNTAX FOLDER FILE...

Its public `compress` and `decompress` go through temporary files and data sets; what they call for
the work itself is called here, so that it is measured at its best.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pydcm import _native

_UIDS = {
    "explicit-le": "1.2.840.10008.1.2.1",
    "rle": "1.2.840.10008.1.2.5",
    "jpeg-lossless": "1.2.840.10008.1.2.4.70",
    "jpeg-ls": "1.2.840.10008.1.2.4.80",
    "jpeg2000-lossless": "1.2.840.10008.1.2.4.90",
    "htj2k-lossless": "1.2.840.10008.1.2.4.201",
    "jpegxl-lossless": "1.2.840.10008.1.2.4.110",
}


def main(syntax: str, folder: str, *names: str) -> None:
    """Convert each file to one of its name in the folder."""
    for name in names:
        made = _native.transcode(Path(name).read_bytes(), _UIDS[syntax])
        Path(folder, Path(name).name).write_bytes(made)


if __name__ == "__main__":
    main(*sys.argv[1:])
