"""Prepare the template of a batch's workers: import all that their conversions will need.

A missing module costs each worker its import; a needless one costs the template an import.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module

from dicodec.codecs.table import FAMILIES, find_engines
from dicodec.model.platforms import BINARY, NO_WAIT, read_at
from dicodec.model.transfer_syntax import TransferSyntax, find_by_name, find_by_uid

_ALWAYS = ("json", "dicodec.batch.conversion_work", "dicodec.part10._dictionary_data")
_FOR_CODECS = (
    "dicodec.codecs.native",
    "dicodec.conversion.planning.photometric_planner",
    "dicodec.pixels.bits",
    "dicodec.rules.capabilities",
    "dicodec.rules.iod_limits",
    "dicodec.rules.stream_contradictions",
)
_FOR_STREAMS = (
    "dicodec.part10.unpacked_source",
    "dicodec.repair.bare_streams",
    "dicodec.repair.encapsulated_pixels",
    "dicodec.repair.encapsulation",
    "dicodec.repair.pixel_data",
)
"""What encapsulated sources need, because their streams are read before they are believed."""

_OF_FAMILIES = {
    "jpeg": (
        "dicodec.codecs.jpeg_completeness",
        "dicodec.codecs.jpeg_encoders",
        "dicodec.codecs.jpeg_lossless_end",
        "dicodec.codecs.jpeg_lossless_size",
    )
}
_LIBRARIES = {
    "jpeg": ("jpeg8_encode",),
    "jpeg-ls": ("jpegls_encode",),
    "jpeg2000": ("jpeg2k_encode", "htj2k_decode"),
    "htj2k": ("htj2k_encode",),
    "jpegxl": ("jpegxl_encode",),
    "rle": ("packbits_encode",),
}
"""By TransferSyntax.family: functions of imagecodecs, each of which it imports with its library."""

_HEAD = 1024
"""Bytes of a file in which its Transfer Syntax UID stands, if it has one."""

_SYNTAX = b"\x02\x00\x10\x00UI"
"""Tag and VR of Transfer Syntax UID, as File Meta Information has them (PS3.10 7.1)."""

_DEEPEST = 8
"""Folders within folders that are searched for a first file."""


def prepare_conversions(targets: Sequence[str], sources: Sequence[str]) -> None:
    """Import the modules that conversions of sources to targets need.

    Args:
        targets: names of transfer syntaxes; unknown ones are ignored.
        sources: paths. The first file is taken for one like the others, if there is any.
    """
    for name in _ALWAYS:
        import_module(name)
    source = find_by_uid(_read_syntax(sources[0]) if sources else "")
    found = [find_by_name(name) for name in targets]
    target = next((one for one in found if one is not None), None)
    if target is None or target == source:
        return
    for syntax in (source, target):
        if syntax is not None and syntax.encapsulated:
            _import_codec(syntax)
    if source is not None and source.encapsulated:
        for name in _FOR_STREAMS:
            import_module(name)


def _import_codec(syntax: TransferSyntax) -> None:
    family = syntax.family or ""
    if family not in FAMILIES:
        return
    for name in (*_FOR_CODECS, FAMILIES[family], *_OF_FAMILIES.get(family, ())):
        import_module(name)
    engines = find_engines(syntax)
    if "imagecodecs" in engines:
        import_module("numpy")
        for name in _LIBRARIES.get(family, ()):
            getattr(import_module("imagecodecs"), name)


def _read_syntax(path: str) -> str:
    """Return the Transfer Syntax UID of a file, or of one in a folder; "" if none is seen."""
    try:
        for _ in range(_DEEPEST):
            if not os.path.isdir(path):  # noqa: PTH112 - it never raises
                break
            with os.scandir(path) as entries:
                path = next((entry.path for entry in entries if not entry.is_symlink()), "")
        if not os.path.isfile(path):  # noqa: PTH113 - it never raises
            return ""
        descriptor = os.open(path, os.O_RDONLY | NO_WAIT | BINARY)
        try:
            head = read_at(descriptor, _HEAD, 0)
        finally:
            os.close(descriptor)
    except OSError:  # who lists the sources will say so
        return ""
    _, _, rest = head.partition(_SYNTAX)
    uid = rest[2 : 2 + int.from_bytes(rest[:2], "little")]
    return uid.rstrip(b"\0 ").decode("ascii", "replace")
