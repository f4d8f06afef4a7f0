"""ACR-NEMA, Papyrus 3, and the compressions of Elscint and Philips CT scanners."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dicodec import convert_bytes, inspect
from dicodec.errors import ContradictionError, FrameError, UnsupportedSourceError
from dicodec.part10.encoding import DataSetEncoding
from dicodec.repair.vendor_elscint import decode_rgb1, decode_rle1
from helpers.data_set_bytes import data_set_of, file_of, item, sequence
from helpers.made import EXPLICIT_LE, IMPLICIT_LE, Samples, encode_elements, make_file, make_samples
from helpers.odd_files import PIXEL_DATA, found, reported, same, samples_of
from helpers.samples import native_samples

IMPLICIT = DataSetEncoding(explicit_vr=False, little_endian=True)
PAPYRUS = "1.2.840.10008.1.20"


def runs(data: bytes) -> bytes:
    """Encode runs as PMSCT_RLE1 has them: A5, one less than how many, the byte."""
    out = bytearray()
    at = 0
    while at < len(data):
        count = 1
        while count < 256 and data[at : at + 1] == data[at + count : at + count + 1]:
            count += 1
        if count > 3 or data[at] == 0xA5:
            out += bytes((0xA5, count - 1, data[at]))
        else:
            out += data[at : at + count]
        at += count
    return bytes(out)


def rle1(samples: Samples) -> bytes:
    """Encode 16-bit samples as PMSCT_RLE1."""
    out, last = bytearray(), 0
    for sample in samples.reshape(-1).astype(int).tolist():
        difference = sample - last
        if -128 <= difference <= 127 and difference & 0xFF != 0x5A:
            out.append(difference & 0xFF)
        else:
            out += b"\x5a" + struct.pack("<H", sample)
        last = sample
    return runs(bytes(out))


def rgb1(samples: NDArray[np.uint8]) -> bytes:
    """Encode 8-bit colors as PMSCT_RGB1: gray and color as they come, repeats where there are."""
    out = bytearray()
    gray, last, repeats = True, [0, 0, 0], 0
    special = {0x81, 0x82, 0x83}

    def flush() -> None:
        nonlocal repeats
        while repeats:
            out.extend((0x83, min(repeats, 255)))
            repeats -= min(repeats, 255)

    for index, pixel in enumerate(samples.reshape(-1, 3).tolist()):
        if pixel == last and index:
            repeats += 1
            continue
        flush()
        if (pixel[0] == pixel[1] == pixel[2]) != gray:
            out.append(0x81)
            gray, last = not gray, [0, 0, 0]
        change = [(new - old) & 0xFF for new, old in zip(pixel, last, strict=True)]
        if change[0] in special:
            out.append(0x82)
        out += bytes(change[:1] if gray else change)
        last = pixel
    flush()
    return bytes(out)


def elscint(content: bytes, kind: bytes, coded: bytes, block: int = 0x10) -> bytes:
    """Return the file with its pixels in a private element."""
    start = content.index(PIXEL_DATA)
    private = encode_elements(
        [
            (0x07A10000 | block, "LO", b"ELSCINT1"),
            (0x07A10000 | block << 8 | 0x0A, "OB", coded),
            (0x07A10000 | block << 8 | 0x11, "CS", kind),
        ]
    )
    at = content.index(struct.pack("<HH", 0x0009, 0x0010))
    return content[:at] + private + content[at:start]


def check(wrong: bytes, oddity: str, samples: Samples) -> None:
    assert oddity in found(wrong)
    assert oddity in reported(wrong)
    for to in ("explicit-le", "rle", "implicit-le"):
        assert same(samples_of(convert_bytes(wrong, to=to, verify=True)), samples)
    with pytest.raises(ContradictionError):
        convert_bytes(wrong, to="explicit-le", strict=True)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("block", [0x10, 0x42])
def test_pmsct_rle1(signed: bool, block: int) -> None:
    content, samples = make_file(33, 47, bits_stored=16, signed=signed)
    coded = rle1(samples.view("<u2"))

    check(elscint(content, b"PMSCT_RLE1", coded, block), "elscint-pixels", samples)
    result = convert_bytes(elscint(content, b"PMSCT_RLE1", coded, block), to="explicit-le")
    assert b"PMSCT_RLE1" not in result


def test_a_run_and_a_jump_of_pmsct_rle1_by_hand() -> None:
    # 5A 00 04: 1024; 01: one more; FF: one less; A5 03 00: four times the same
    coded = b"\x5a\x00\x04\x01\xff\xa5\x03\x00"
    content, _ = make_file(1, 7, bits_stored=16)
    expected = np.array([[[1024, 1025, 1024, 1024, 1024, 1024, 1024]]], "<u2")

    assert same(samples_of(elscint(content, b"PMSCT_RLE1", coded)), expected)


@pytest.mark.parametrize("planar", [0, 1])
def test_pmsct_rgb1(planar: int) -> None:
    samples = make_samples(31, 20, 3, 8, False, 1, 7).astype(np.uint8)
    samples[:, 4:9] = samples[:, 4:9, :, :1]  # gray
    samples[:, 12:20] = 77
    content, _ = make_file(31, 20, 3, 8, 8, photometric="RGB", planar=planar, pixels=samples)
    wrong = elscint(content, b"PMSCT_RGB1", rgb1(samples[0]))

    assert "elscint-pixels" in found(wrong)
    assert same(samples_of(convert_bytes(wrong, to="rle")), samples)


@pytest.mark.parametrize("kind", [b"PMSCT_RLE1", b"PMSCT_RGB1"])
def test_pixels_that_are_not_one_whole_frame_are_refused(kind: bytes) -> None:
    rgb = kind == b"PMSCT_RGB1"
    content, samples = (
        make_file(9, 9, 3, 8, 8, photometric="RGB") if rgb else make_file(9, 9, bits_stored=16)
    )
    coded = rgb1(samples[0]) if rgb else rle1(samples)
    for wrong in (coded[:-2], coded[: len(coded) // 2], coded + b"\1\1", b"", coded + coded):
        with pytest.raises(FrameError):
            convert_bytes(elscint(content, kind, wrong), to="explicit-le")
    other, _ = make_file(9, 9, frames=2, bits_stored=16)
    with pytest.raises(FrameError, match="holds one frame"):
        convert_bytes(elscint(other, kind, coded), to="explicit-le")


def test_another_private_compression_is_carried_along_unread() -> None:
    content, _ = make_file(9, 9, bits_stored=16)
    wrong = elscint(content, b"LOSSLESS RICE", b"rice")

    assert b"LOSSLESS RICE" in convert_bytes(wrong, to="implicit-le")
    assert "elscint-pixels" not in found(wrong)


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_give_one_frame_or_an_error(coded: bytes, rgb: bool) -> None:
    decode, sizes = (decode_rgb1, (3, 8)) if rgb else (decode_rle1, (1, 16))
    content, _ = make_file(5, 6, sizes[0], sizes[1], sizes[1],
                           photometric="RGB" if rgb else "MONOCHROME2")  # fmt: skip
    image = inspect(content).image
    assert image is not None
    try:
        native = decode(coded, image)
    except FrameError:
        return
    assert len(native) == 30 * (3 if rgb else 2)


def acr_nema(rows: int = 6, columns: int = 8) -> tuple[bytes, Samples]:
    """Return a file as ACR-NEMA 300 of 1988 has it: no preamble, group lengths, few attributes."""
    samples = make_samples(rows, columns, 1, 12, False, 1, 3).astype("<u2")
    groups = [
        [(0x00080010, "LO", b"ACR-NEMA 2.0"), (0x00080020, "DA", b"1988.02.11"),
         (0x00080060, "CS", b"CT")],
        [(0x00100010, "LO", b"Made Image"), (0x00100020, "LO", b"0")],
        [(0x00200010, "LO", b"1")],
        [(0x00280005, "US", struct.pack("<H", 2)), (0x00280010, "US", struct.pack("<H", rows)),
         (0x00280011, "US", struct.pack("<H", columns)),
         (0x00280100, "US", struct.pack("<H", 16)), (0x00280101, "US", struct.pack("<H", 12)),
         (0x00280102, "US", struct.pack("<H", 11)), (0x00280103, "US", b"\0\0")],
        [(0x7FE00010, "OW", samples.tobytes())],
    ]  # fmt: skip
    content = b""
    for group in groups:
        body = encode_elements(group, explicit=False)
        length = struct.pack("<HHII", group[0][0] >> 16, 0, 4, len(body))
        content += length + body
    return content, samples


def test_a_file_of_before_dicom() -> None:
    content, samples = acr_nema()

    assert {"acr-nema", "no-file-meta", "no-preamble"} <= set(found(content))
    text = next(one.text for one in inspect(content).oddities if one.id == "acr-nema")
    assert text.endswith("it has no SOP Class UID and no SOP Instance UID")
    for to in ("explicit-le", "rle", "jpeg-ls"):
        result = convert_bytes(content, to=to, verify=True)
        assert convert_bytes(result, to="explicit-le").endswith(samples.tobytes())
    assert b"1.2.840.10008.5.1.4.1.1.7" not in convert_bytes(content, to="explicit-le")
    with pytest.raises(ContradictionError):
        convert_bytes(content, to="explicit-le", strict=True)


def papyrus(data_sets: list[bytes]) -> bytes:
    """Return a Papyrus 3 file: a summary, and the images' data sets in a private sequence."""
    summary = encode_elements(
        [(0x00080060, "CS", b"OT"), (0x00410010, "LO", b"PAPYRUS 3.0"),
         (0x00411015, "US", struct.pack("<H", len(data_sets)))], explicit=False,
    )  # fmt: skip
    images = sequence(0x00411050, *map(item, data_sets), encoding=IMPLICIT)
    return file_of(summary + images, PAPYRUS)


def test_the_image_of_a_papyrus_file() -> None:
    content, samples = make_file(9, 11, transfer_syntax=IMPLICIT_LE)
    wrong = papyrus([data_set_of(content)])

    assert inspect(wrong).transfer_syntax == "papyrus"
    check(wrong, "papyrus", samples)
    result = convert_bytes(wrong, to="implicit-le")
    assert data_set_of(result) == data_set_of(content)


def test_several_images_of_a_papyrus_file_are_not_made_one() -> None:
    content, _ = make_file(9, 11, transfer_syntax=IMPLICIT_LE)
    with pytest.raises(UnsupportedSourceError, match="Papyrus 3 file of 2 images"):
        convert_bytes(papyrus([data_set_of(content)] * 2), to="explicit-le")


def test_a_papyrus_uid_over_a_plain_data_set() -> None:
    content, samples = make_file(9, 11, transfer_syntax=IMPLICIT_LE)
    plain = file_of(data_set_of(content), PAPYRUS)

    assert same(native_samples(convert_bytes(plain, to=EXPLICIT_LE)), samples)


def test_real_vendor_files_are_as_they_say(corpus: Path) -> None:
    for path in sorted((corpus / "vendor").iterdir()):
        ids = {one.id for one in inspect(path).oddities}
        assert not ids & {"wrong-attribute", "wrong-transfer-syntax", "elscint-pixels"}, path
