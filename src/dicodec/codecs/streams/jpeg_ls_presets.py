"""Thresholds of JPEG-LS contexts, stated in a stream if readers and writers assume others."""

from __future__ import annotations

from dicodec.codecs.streams.jpeg_markers import LSE, SOS, walk

FEWEST_BITS = 8
"""From here on all encoders have the thresholds of the standard."""
_BASIC = (3, 7, 21)
_RESET = 64
_OFFSETS = ((2, 3), (3, 5), (4, 7))
"""For each threshold, its least value without NEAR, and by how much NEAR raises it."""


def make_preset(bits: int, near: int) -> bytes:
    """Return the preset of the standard for fewer than 8 bits (ISO/IEC 14495-1 C.2.4.1.1.1).

    Args:
        bits: of a sample.
        near: NEAR.
    """
    maximum = (1 << bits) - 1
    factor = 256 // (maximum + 1)
    wanted = [
        max(least, basic // factor + step * near)
        for basic, (least, step) in zip(_BASIC, _OFFSETS, strict=True)
    ]
    return _make_segment(maximum, near, wanted)


def make_dcmtk_preset(bits: int, near: int) -> bytes:
    """Return the preset that DCMTK assumes, which is the formula for 8 bits and more, for fewer."""
    return _make_segment((1 << bits) - 1, near, [least + step * near for least, step in _OFFSETS])


def insert_preset(stream: bytes, preset: bytes) -> bytes:
    """Return a stream with a preset before its first scan."""
    scan = next(segment for segment in walk(stream, 0) if segment.marker == SOS)
    at = scan.start - 4
    return stream[:at] + preset + stream[at:]


def _make_segment(maximum: int, near: int, wanted: list[int]) -> bytes:
    thresholds: list[int] = []
    lowest = near + 1
    for threshold in wanted:
        lowest = threshold if lowest <= threshold <= maximum else lowest
        thresholds.append(lowest)
    values = (maximum, *thresholds, _RESET)
    body = b"\1" + b"".join(value.to_bytes(2) for value in values)
    return bytes((0xFF, LSE)) + (len(body) + 2).to_bytes(2) + body
