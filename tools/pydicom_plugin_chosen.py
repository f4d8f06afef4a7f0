"""Plugin of pytest: pydicom's tests with our codecs first, or in the place of all others."""

from __future__ import annotations

import os
from typing import Any

from pydicom.pixels.decoders.base import _PIXEL_DATA_DECODERS
from pydicom.pixels.encoders.base import _PIXEL_DATA_ENCODERS

import dicodec.pydicom

_TABLES: tuple[tuple[Any, Any], ...] = (
    (_PIXEL_DATA_DECODERS, dicodec.pydicom.decode_frame),
    (_PIXEL_DATA_ENCODERS, dicodec.pydicom.encode_frame),
)


def choose(how: str) -> None:
    """Choose our codecs.

    Args:
        how: "first"; "instead", for tests that name another plugin and get ours; or "" for none.
    """
    if not how:
        return
    dicodec.pydicom.register()
    if how == "instead":
        for table, function in _TABLES:
            for coder, _ in table.values():
                if dicodec.pydicom.PLUGIN in coder.available_plugins:
                    coder._available = dict.fromkeys(coder._available, function)  # noqa: SLF001


choose(os.environ.get("DICODEC_PYDICOM_TESTS", ""))
