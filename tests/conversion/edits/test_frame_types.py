"""Frame Type in functional groups, which follows Image Type; padding under lossy codecs."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import pydicom
import pytest

from dicodec import compare, convert, convert_bytes
from dicodec.errors import TruncatedFrameError
from helpers.data_set_bytes import element, item, sequence
from helpers.made import IMAGE_KINDS, Element

FRAME_TYPES = {
    "MR": 0x00189226, "CT": 0x00189329, "PET": 0x00189751, "XA": 0x00289443, "WSI": 0x00400710,
    "3D": 0x00189504, "map": 0x00409092,
}  # fmt: skip


def typed(tag: int, text: bytes = b"ORIGINAL\\PRIMARY\\T1\\NONE") -> bytes:
    return item(sequence(tag, item(element(0x00089007, "CS", text + b" " * (len(text) % 2)))))


def multi_frame(shared: bytes, per_frame: list[bytes]) -> bytes:
    extra: list[Element] = [
        (0x52009229, "SQ", shared or item(b"")),
        (0x52009230, "SQ", b"".join(per_frame)),
    ]
    return IMAGE_KINDS["multi-frame"].make(extra=extra, frames=len(per_frame))[0]


def frame_types(data_set: Any) -> list[list[str]]:
    found = [one.value for one in data_set.iterall() if one.tag == 0x00089007]
    return [[str(value) for value in values] for values in found]


def position(number: int) -> bytes:
    return sequence(0x00209111, item(element(0x00209157, "UL", struct.pack("<I", number))))


@pytest.mark.parametrize("kind", FRAME_TYPES)
@pytest.mark.parametrize("middle", ["explicit-le", "implicit-le", "explicit-be", "jpeg-ls"])
@pytest.mark.parametrize(
    ("to", "options"),
    [
        ("jpeg2000", {"lossy": True}), ("jpeg-ls-near", {"lossy": True}), ("htj2k", {"ratio": 9}),
        ("rle", {"rescale_to_8bit": True}), ("implicit-le", {"rescale_to_8bit": True}),
    ],
)  # fmt: skip
def test_frames_are_derived_where_the_image_is(
    kind: str, middle: str, to: str, options: dict[str, Any]
) -> None:
    tag = FRAME_TYPES[kind]
    per_frame = [
        typed(tag), item(position(2)), typed(tag, b"DERIVED\\PRIMARY\\T1\\NONE"),
        typed(tag, b"ORIGINAL\\PRIMARY"), typed(tag),
    ]  # fmt: skip
    data = convert_bytes(multi_frame(typed(tag), per_frame), to=middle)

    result = convert_bytes(data, to=to, verify=True, **options)

    after = pydicom.dcmread(io.BytesIO(convert_bytes(result, to="explicit-le")))
    before = pydicom.dcmread(io.BytesIO(data))
    assert after.ImageType[0] == "DERIVED"
    assert frame_types(after) == [["DERIVED", *values[1:]] for values in frame_types(before)]
    groups = after.PerFrameFunctionalGroupsSequence
    assert groups[1].FrameContentSequence == before.PerFrameFunctionalGroupsSequence[
        1
    ].FrameContentSequence  # fmt: skip
    if "rescale_to_8bit" not in options:
        assert not [one.keyword for one in compare(data, result).attributes if not one.allowed]


def test_lossless_results_leave_frame_types() -> None:
    data = multi_frame(typed(0x00189226), [typed(0x00189226)] * 3)

    after = pydicom.dcmread(io.BytesIO(convert_bytes(data, to="jpeg-ls", verify=True)))

    assert {values[0] for values in frame_types(after)} == {"ORIGINAL"}


def test_in_place_and_with_text_in_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(multi_frame(typed(0x00189226), [typed(0x00189226)] * 3))

    convert(path, path, to="jpeg2000", lossy=True, charset="utf-8", overwrite=True)

    after = pydicom.dcmread(path)
    assert {values[0] for values in frame_types(after)} == {"DERIVED"}
    assert len(frame_types(after)) == 4


def test_of_frames_that_are_left_out_nothing_is_said() -> None:
    tag = 0x00189226
    data = convert_bytes(multi_frame(item(b""), [typed(tag)] * 5), to="jpeg-ls")
    cut = data[: data.index(b"\xff\xd8\xff", data.rindex(b"\xff\xd8\xff") - 10) + 40]
    with pytest.raises(TruncatedFrameError):
        convert_bytes(cut, to="explicit-le")

    result = convert_bytes(cut, to="jpeg2000", lossy=True, salvage="drop")

    after = pydicom.dcmread(io.BytesIO(result))
    assert frame_types(after) == [["DERIVED", "PRIMARY", "T1", "NONE"]] * 4
    assert len(after.PerFrameFunctionalGroupsSequence) == 4


@pytest.mark.parametrize("to", ["jpeg2000", "jpeg-ls-near", "htj2k", "jpegxl"])
def test_padding_under_a_lossy_codec_is_warned_of(to: str, tmp_path: Path) -> None:
    padding: Element = (0x00280120, "US", struct.pack("<H", 4000))
    data = IMAGE_KINDS["gray-12-in-16"].make(extra=[padding])[0]
    path = tmp_path / "image.dcm"
    path.write_bytes(data)

    report = convert(path, path, to=to, lossy=True, overwrite=True)

    assert any("Pixel Padding Value" in one for one in report.warnings)
    for other in ({"to": "jpeg-ls"}, {"to": to, "lossy": True, "rescale_to_8bit": True}):
        assert not any("Padding" in one for one in convert(data, None, **other).warnings)
    assert not any("Padding" in one for one in convert(
        IMAGE_KINDS["gray-12-in-16"].make()[0], None, to=to, lossy=True).warnings)  # fmt: skip
