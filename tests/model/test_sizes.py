"""Sizes as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicodec.model.sizes import parse_size


@pytest.mark.parametrize(("text", "wanted"), [
    ("0", 0), ("17", 17), ("17B", 17), ("4k", 4096), ("4K", 4096), ("4kB", 4000), ("4KiB", 4096),
    ("1.5M", 3 << 19), ("1.5 MB", 1_500_000), ("2G", 2 << 30), (" 2 GiB ", 2 << 30),
    ("2gi", 2 << 30), ("1TB", 10**12), ("1T", 1 << 40), ("0.001kB", 1),
    ("999999999999999999", 10**18 - 1),
])  # fmt: skip
def test_sizes(text: str, wanted: int) -> None:
    assert parse_size(text) == wanted


@pytest.mark.parametrize("text", [
    "", "much", "-5", "1e3", "nan", "G", "2X", "1,5M", "٣", "٣x", "2\u212a", "1.5", "1.5B", "2iB",
    "1.M", "2  M", "2PB", "1" * 19,
])  # fmt: skip
def test_no_sizes(text: str) -> None:
    assert parse_size(text) is None


@given(st.integers(0, 10**15), st.sampled_from("kMGT"))
def test_whole_numbers_are_exact(number: int, prefix: str) -> None:
    power = "kMGT".index(prefix) + 1
    assert parse_size(f"{number}{prefix}B") == number * 1000**power
    assert parse_size(f"{number}{prefix}") == parse_size(f"{number} {prefix}iB")
    assert parse_size(f"{number}{prefix}") == number * 1024**power


@given(st.text(alphabet="0123456789.kKMGTiB \u212a", max_size=12))
def test_any_text_is_a_size_or_none(text: str) -> None:
    size = parse_size(text)
    assert size is None or size >= 0
