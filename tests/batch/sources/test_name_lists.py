"""Lists of names: what is a list at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicodec.batch.sources.name_lists import read_names
from dicodec.errors import InvalidOptionError


@pytest.mark.parametrize("filling", [b"\0", b"\n"])
@pytest.mark.parametrize("before", [b"", b"a.dcm"])
def test_a_megabyte_without_a_name_is_not_a_list(
    filling: bytes, before: bytes, tmp_path: Path
) -> None:
    """A disk's image, for example: two gigabytes of zeros are as many empty names."""
    place = tmp_path / "list"
    place.write_bytes(before + filling * (3 << 20))

    with pytest.raises(InvalidOptionError, match="a megabyte of the list has no name") as raised:
        list(read_names(str(place)))
    assert raised.value.path == str(place)


@pytest.mark.parametrize("separator", ["\0", "\n", "\r\n"])
def test_empty_names_are_passed_over(separator: str, tmp_path: Path) -> None:
    place = tmp_path / "list"
    names = [f"{number}.dcm" for number in range(200_000)]
    gap = separator * 100_000
    place.write_bytes((gap + separator.join(names) + gap).encode())

    assert list(read_names(str(place))) == names
