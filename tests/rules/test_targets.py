"""What may be said of a target's quality: what it takes is permission to lose, all else is none."""

from __future__ import annotations

import io
from typing import Any

import pytest

from dicodec import convert, convert_bytes
from dicodec.errors import InvalidOptionError, LossyNotAllowedError
from dicodec.model.transfer_syntax import Loss, find_by_name, list_writable
from dicodec.options import ConversionOptions
from dicodec.rules.targets import QUALITY_SETTINGS, check_quality, may_lose
from helpers.made import IMAGE_KINDS

CONTENT = IMAGE_KINDS["gray-8"].make()[0]
VALUES = {"quality": 5, "near": 30, "ratio": 60, "psnr": 20}


def test_every_lossy_target_takes_a_setting() -> None:
    lossy = {one.name for one in list_writable() if one.loss is not Loss.NEVER}

    assert set(QUALITY_SETTINGS) == lossy - {"jpegxl-jpeg"}


@pytest.mark.parametrize("name", QUALITY_SETTINGS)
def test_a_setting_that_a_target_takes_changes_its_streams(name: str) -> None:
    for setting, value in VALUES.items():
        asked: Any = {setting: value}
        usual = convert_bytes(CONTENT, to=name, lossy=True)
        if setting in QUALITY_SETTINGS[name]:
            given = convert_bytes(CONTENT, to=name, **asked)
            assert len(given) < len(usual)
        else:
            with pytest.raises(InvalidOptionError, match=f"`{setting}` means nothing to {name}"):
                convert_bytes(CONTENT, to=name, **asked)


def test_a_setting_of_one_target_is_no_permission_for_another() -> None:
    options = ConversionOptions(to=("jpeg", "jpeg-ls-near"), near=2)
    check_quality(options)
    jpeg, near = find_by_name("jpeg"), find_by_name("jpeg-ls-near")
    assert jpeg is not None
    assert near is not None
    assert (may_lose(options, jpeg), may_lose(options, near)) == (False, True)
    report = convert(CONTENT, io.BytesIO(), to="jpeg,jpeg-ls-near", near=2)
    assert report.target_syntax == "jpeg-ls-near"
    with pytest.raises(LossyNotAllowedError):
        convert(CONTENT, io.BytesIO(), to="jpeg")


def test_a_setting_that_the_target_taken_does_not_know_is_told() -> None:
    report = convert(CONTENT, io.BytesIO(), to="rle,jpeg", quality=80)
    assert report.warnings == ["passed over, as rle does not take it: quality"]


def test_two_aims_at_once_are_none() -> None:
    with pytest.raises(InvalidOptionError, match="`ratio` and `psnr`"):
        ConversionOptions(to=("jpeg2000",), ratio=10, psnr=40)
