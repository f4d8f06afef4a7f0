"""JPEG 2000 whose chroma has fewer samples, as some scanners of slides write it."""

from __future__ import annotations

import base64
import io

import numpy as np
import pydicom
import pytest

from dicodec import convert, convert_bytes, inspect
from dicodec.errors import ContradictionError, UnsupportedSourceError
from helpers.made import Samples, make_file

ROWS, COLUMNS = 35, 33

# No codec library that Python has writes these. OpenJPEG's own encoder made them, with the 5-3
# wavelet, of the planes below.
STREAMS = {
    "4:2:2": base64.b64decode(
        "/0//UQAvAAAAAAAhAAAAIwAAAAAAAAAAAAAAIQAAACMAAAAAAAAAAAADBwEBBwIBBwIB/1IADAAAAAEABQQE"
        "AAH/XAATQEBISFBISFBISFBISFBISFD/ZAAlAAFDcmVhdGVkIGJ5IE9wZW5KUEVHIHZlcnNpb24gMi41LjD/"
        "kAAKAAAAAAFRAAH/k8+0GAei2mKU58+0DAr0RM+0DAtcT6AIQAjH2gcHzgofaBACyQEBzwG/z8AOB8gGH2gQ"
        "BE3nAwLvoAiADBfH2gkfaCQ+0DANce+fD0m8XwxSf8faCQ+oEh9oEA1shX8MBJ3DDFOgCIAAz8D5Ak/AGg+o"
        "EBntppMfVYajL28aL6Rxz8AaB8gWB84MInMXsf9/HxehVsMaLregPhEAbgC4f8faET8A+PwCwEZH2NTiNMv1"
        "PcmG8alBi+VsJYAkHGm/RyMyf8FREcu2Cr/H2g8PqDI/AHA4faS9gGW5QhdXNjDDWw84ymb3TIMqAUSIr4DH"
        "2h0/AMj8AoCLkstIiYXjgAstdcT/f425q2FUuSpSi6UJcYqEQ5O/dKUN/3/PwDY+0Kj8AgCLvo9peb2+xJuv"
        "h/9/jyNrb0m/TctUkYuEUqrZN7rP/9k="
    ),
    "4:2:0": base64.b64decode(
        "/0//UQAvAAAAAAAhAAAAIwAAAAAAAAAAAAAAIQAAACMAAAAAAAAAAAADBwEBBwICBwIC/1IADAAAAAEABQQE"
        "AAH/XAATQEBISFBISFBISFBISFBISFD/ZAAlAAFDcmVhdGVkIGJ5IE9wZW5KUEVHIHZlcnNpb24gMi41LjD/"
        "kAAKAAAAAABeAAH/k8+0GAei2mKU58B0EAnH1AQEc6AIQAjD6gGPtAgBAs/H2gUPqAgAJwSfoAiADBeAgKAI"
        "gADPgICgPhEAbgC4f4CAgKA+EQBuAhR/oB0MbgIP/9k="
    ),
}


def plane(rows: int, columns: int, down: int, across: int, first: int) -> Samples:
    row, column = np.mgrid[:rows, :columns]
    return np.asarray((down * row + across * column + first) % 256)


def expected(name: str) -> Samples:
    """Return RGB by the formulas of PS3.3 C.7.6.3.1.2, each chroma sample for all its pixels."""
    high, wide = (1 if name == "4:2:2" else 2), 2
    size = -(-ROWS // high), -(-COLUMNS // wide)
    chroma = plane(*size, 5, 3, 60), plane(*size, 2, 7, 90)
    blue, red = (one.repeat(high, 0).repeat(wide, 1)[:ROWS, :COLUMNS] - 128.0 for one in chroma)
    light = plane(ROWS, COLUMNS, 3, 2, 10)
    colors = (
        light + 1.402 * red, light - 0.344136 * blue - 0.714136 * red, light + 1.772 * blue,
    )  # fmt: skip
    return np.asarray(np.stack(colors, -1).clip(0, 255))


def file_of(stream: bytes, photometric: str) -> bytes:
    return make_file(
        ROWS, COLUMNS, samples=3, bits_allocated=8, bits_stored=8, photometric=photometric,
        transfer_syntax="1.2.840.10008.1.2.4.91", streams=[[stream]],
    )[0]  # fmt: skip


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("photometric", ["YBR_FULL_422", "YBR_FULL", "YBR_ICT", "RGB"])
@pytest.mark.parametrize("to", ["explicit-le", "jpeg-ls", "htj2k-lossless"])
def test_colors_come_out_as_rgb(name: str, photometric: str, to: str) -> None:
    out = io.BytesIO()
    report = convert(file_of(STREAMS[name], photometric), out, to=to, verify=True)
    native = convert_bytes(out.getvalue(), to="explicit-le")
    result = pydicom.dcmread(io.BytesIO(native))

    assert result.PhotometricInterpretation == "RGB"
    assert np.abs(result.pixel_array - expected(name)).max() < 1.1
    assert any("samples are rounded" in warning for warning in report.warnings)


def test_what_the_data_set_says_of_them_may_be_wrong() -> None:
    wrong = file_of(STREAMS["4:2:0"], "RGB")
    report = convert(wrong, None, to="rle")
    assert any("chroma is subsampled" in decision for decision in report.decisions)
    with pytest.raises(ContradictionError):
        convert_bytes(wrong, to="rle", strict=True)


@pytest.mark.parametrize(("field", "value", "photometric"), [
    ("XRsiz", 4, "YBR_FULL_422"),  # 4:1:1
    ("YRsiz", 1, "YBR_FULL_422"),  # 4:2:2 in one chroma component only
    ("Ssiz", 0x87, "YBR_FULL_422"),  # signed
    ("Ssiz", 15, "YBR_FULL_422"),  # 16 bits
    ("Ssiz", 7, "YBR_PARTIAL_420"),  # of an unknown range
])  # fmt: skip
def test_what_would_not_come_out_right_is_refused(field: str, value: int, photometric: str) -> None:
    """In a SIZ segment components begin at byte 42 (ISO/IEC 15444-1 A.5.1)."""
    places = {"Ssiz": (42, 45, 48), "XRsiz": (46, 49), "YRsiz": (47,)}[field]
    stream = bytearray(STREAMS["4:2:0"])
    for place in places:
        stream[place] = value
    content = file_of(bytes(stream), photometric)

    with pytest.raises(UnsupportedSourceError, match="subsampled components"):
        convert_bytes(content, to="explicit-le")
    targets = {target.name: target for target in inspect(content).targets}
    assert not targets["explicit-le"].possible
    assert targets["jpeg2000"].possible
