"""Which real files the tests run over, and the outcomes that are not "converted exactly"."""

from __future__ import annotations

from pathlib import Path

import pydicom

from helpers.corpus import find_corpus, read_manifest

_WIDE = dict.fromkeys(("jpeg-ls", "jpeg-lossless", "jpeg2000-lossless"), "unsupported-image")
_ONE_BIT = dict.fromkeys(("jpeg-ls", "jpeg-lossless"), "unsupported-image")
_FLOATING = {
    "explicit-le": "",
    "*": "unsupported-image",
}

OUTCOMES: dict[str, dict[str, str]] = {
    # 32 bits: PS3.5 8.2 lets JPEG and JPEG-LS hold 16, and the JPEG 2000 encoder is exact to 25
    **dict.fromkeys(
        (
            "bigendian/SC_rgb_expb_32bit.dcm", "bigendian/rtdose_expb.dcm",
            "bigendian/rtdose_expb_1frame.dcm", "bitdepth/SC_rgb_32bit.dcm", "broken/badVR.dcm",
            "bitdepth/SC_rgb_rle_32bit.dcm", "bitdepth/SC_rgb_rle_32bit_2frame.dcm",
            "bitdepth/rtdose.dcm", "bitdepth/rtdose_1frame.dcm", "bitdepth/rtdose_rle.dcm",
            "bitdepth/rtdose_rle_1frame.dcm", "multiframe/SC_rgb_32bit_2frame.dcm",
        ),
        _WIDE,
    ),
    # 1 bit: PS3.5 8.2.1 and 8.2.3 have Bits Allocated 8 or 16 only
    **dict.fromkeys(
        (
            "bigendian/liver_expb_1frame.dcm", "bitdepth/liver.dcm", "bitdepth/liver_1frame.dcm",
            "bitdepth/liver_j2k.dcm", "bitdepth/liver_nonbyte_aligned.dcm",
            "bitdepth/liver_rle.dcm", "bitdepth/seg_image_ct_binary_overlap.dcm",
            "deflated/liver_deflate.dcm",
        ),
        _ONE_BIT,
    ),
    "bitdepth/parametric_map_float.dcm": _FLOATING,
    # damaged: refused rather than guessed at
    "broken/JPEG2000-embedded-sequence-delimiter.dcm": {"*": "corrupt-frame"},
    "broken/MR_truncated.dcm": {"*": "truncated-frame"},  # 62 bytes are missing
    "broken/rtplan_truncated.dcm": {"*": "truncated-file"},
    # no Rows and no Bits Allocated: moved between native syntaxes, not compressed
    "nonstandard/meta_missing_tsyntax.dcm": {"explicit-le": "", "*": "malformed-file"},
    "sequences/nested_priv_SQ.dcm": {"explicit-le": "", "*": "malformed-file"},
}  # fmt: skip

_PYDICOM_FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"
PYDICOM_OUTCOMES: dict[str, dict[str, str]] = {
    Path(name).name: outcome for name, outcome in OUTCOMES.items()
}


def real_files() -> dict[str, Path]:
    """Return real files by name: those of the corpus, or those that pydicom ships."""
    folder = find_corpus()
    if folder is not None:
        return {row["file"]: folder / row["file"] for row in read_manifest(folder)}
    return {
        path.name: path
        for path in sorted(_PYDICOM_FOLDER.glob("*"))
        if path.suffix in {"", ".dcm"} and path.is_file()
    }


def shipped_file(name: str) -> Path:
    """Return a file that pydicom ships, whether or not the corpus is there."""
    (found,) = _PYDICOM_FOLDER.parent.rglob(name)
    return found
