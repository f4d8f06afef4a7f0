"""Compressions of Elscint and Philips CT scanners: PMSCT_RLE1 and PMSCT_RGB1.

They are in private elements, and described by programs that read them (GDCM's examples rle2img and
pmsct_rgb1, Orthanc, dcm2niix). A stream that does not give the samples of one whole frame,
neither more nor fewer, is refused.
"""

from __future__ import annotations

from collections.abc import Callable

from dicodec.errors import CorruptFrameError, FrameMismatchError, TruncatedFrameError
from dicodec.model.image import ImagePixelDescription

type Decoder = Callable[[bytes, ImagePixelDescription], bytes]
"""Turns the private element's value into native Pixel Data, little endian."""

_REPEAT, _ABSOLUTE = 0xA5, 0x5A
_COLOR_MODE, _LITERAL, _SAME = 0x81, 0x82, 0x83


def decode_rle1(coded: bytes, image: ImagePixelDescription) -> bytes:
    """Return 16-bit gray samples: runs of bytes, which are differences from sample to sample.

    A5 n b is n + 1 times b. Of the bytes so far, 5A l h is the sample itself; any other byte is the
    signed difference to the sample before, which is 0 at first.

    Raises:
        FrameError: the samples are not those of one frame.
    """
    _check(image, 1, 16)
    count = image.samples_per_frame
    differences = _repeat_runs(coded, 3 * count)
    out = bytearray()
    sample = at = 0
    while len(out) < 2 * count:
        if at >= len(differences):
            raise TruncatedFrameError(f"PMSCT_RLE1 ends after {len(out) // 2} of {count} samples")
        if differences[at] == _ABSOLUTE:
            if at + 3 > len(differences):
                raise TruncatedFrameError("PMSCT_RLE1 ends inside a sample")
            sample = int.from_bytes(differences[at + 1 : at + 3], "little")
            at += 3
        else:
            difference = differences[at]
            sample = sample + difference - (difference >> 7 << 8) & 0xFFFF
            at += 1
        out += sample.to_bytes(2, "little")
    _check_rest(differences[at:], "PMSCT_RLE1")
    return bytes(out)


def _repeat_runs(coded: bytes, most: int) -> bytes:
    out = bytearray()
    at = 0
    while at < len(coded) and len(out) <= most:
        if coded[at] != _REPEAT:
            out.append(coded[at])
            at += 1
        elif at + 3 > len(coded):
            raise TruncatedFrameError("PMSCT_RLE1 ends inside a run")
        else:
            out += coded[at + 2 : at + 3] * (coded[at + 1] + 1)
            at += 3
    return bytes(out)


def decode_rgb1(coded: bytes, image: ImagePixelDescription) -> bytes:
    """Return RGB samples of 8 bits, by pixel or by plane as Planar Configuration says.

    A byte is the difference to the gray level before; after 81 three bytes are those of red, green
    and blue, and after another 81 gray again, each from 0. 82 says that a difference follows whose
    byte means something else, 83 n repeats the pixel n times.

    Raises:
        FrameError: the pixels are not those of one frame.
    """
    _check(image, 3, 8)
    count = image.rows * image.columns
    pixels = bytearray()
    pixel = [0, 0, 0]
    gray = True
    at = 0

    def take(number: int) -> bytes:
        nonlocal at
        if at + number > len(coded):
            raise TruncatedFrameError(f"PMSCT_RGB1 ends after {len(pixels) // 3} of {count} pixels")
        at += number
        return coded[at - number : at]

    while len(pixels) < 3 * count:
        code = take(1)[0]
        if code == _COLOR_MODE:
            gray, pixel = not gray, [0, 0, 0]
            continue
        repeated = 1
        if code == _SAME:
            repeated = take(1)[0]
        else:
            first = take(1) if code == _LITERAL else bytes((code,))
            change = first * 3 if gray else first + take(2)
            pixel = [(old + new) & 0xFF for old, new in zip(pixel, change, strict=True)]
        pixels += bytes(pixel) * repeated
    if len(pixels) > 3 * count:
        raise CorruptFrameError("PMSCT_RGB1 repeats a pixel past the end of the frame")
    _check_rest(coded[at:], "PMSCT_RGB1")
    if image.planar_configuration:
        return b"".join(bytes(pixels[color::3]) for color in range(3))
    return bytes(pixels)


def _check(image: ImagePixelDescription, samples: int, allocated: int) -> None:
    found = (image.samples_per_pixel, image.bits_allocated, image.number_of_frames)
    if found != (samples, allocated, 1):
        raise FrameMismatchError(
            f"the private compression holds one frame of {samples} samples of {allocated} bits, "
            f"the data set describes {found[2]} of {found[0]} samples of {found[1]} bits"
        )


def _check_rest(rest: bytes, name: str) -> None:
    if len(rest) > 1 or any(rest):
        raise CorruptFrameError(f"{name} goes on after the last sample of the frame")


DECODERS: dict[str, Decoder] = {"PMSCT_RLE1": decode_rle1, "PMSCT_RGB1": decode_rgb1}
"""By Tamar Compression Type, (07A1,xx11)."""
