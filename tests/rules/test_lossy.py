"""The record of lossy compression: appended, in step, measured (PS3.3 C.7.6.1.1.5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicodec.model import tags
from dicodec.model.edits import Edit, RemoveAttribute, SetAttribute, SetSequence
from dicodec.rules.lossy import (
    RATIO_LENGTH,
    RATIO_TO_FOLLOW,
    Identity,
    derive_image,
    format_ratio,
    is_defined_method,
    is_same_method,
    record_compression,
)

VALUES = st.lists(st.sampled_from(["", "1.5", "30"]), max_size=4)


def by_tag(edits: tuple[Edit, ...]) -> dict[int, str]:
    return {edit.tag: str(edit.value) for edit in edits if isinstance(edit, SetAttribute)}


@given(VALUES, VALUES)
def test_records_are_appended_and_kept_in_step(methods: list[str], ratios: list[str]) -> None:
    found = by_tag(record_compression("ISO_15444_1", methods, ratios, "7"))

    assert found[tags.LOSSY_IMAGE_COMPRESSION] == "01"
    new_methods = found[tags.LOSSY_IMAGE_COMPRESSION_METHOD].split("\\")
    new_ratios = found[tags.LOSSY_IMAGE_COMPRESSION_RATIO].split("\\")
    length = max(len(methods), len(ratios))
    assert new_methods == methods + [""] * (length - len(methods)) + ["ISO_15444_1"]
    assert new_ratios == ratios + [""] * (length - len(ratios)) + ["7"]


@pytest.mark.parametrize(
    ("native", "encoded", "text"),
    [(1000, 100, "10.0000"), (1000, 3000, "0.3333"), (1, 0, "1.0000"), (0, 5, "0.0000"),
     (10**15, 1, "1000000000000000")],
)  # fmt: skip
def test_ratios_fill_the_room_reserved_for_them(native: int, encoded: int, text: str) -> None:
    found = format_ratio(native, encoded)

    assert len(found) == RATIO_LENGTH == len(RATIO_TO_FOLLOW)
    assert found.rstrip() == text
    float(found)


def derived(image_type: str = "ORIGINAL\\PRIMARY", earlier: str = "", uid: str | None = "1.2.9",
            sources: tuple[bytes, ...] = ()) -> dict[int, Edit]:  # fmt: skip
    source = Identity(image_type, earlier, "1.2.3", "1.2.4")
    edits = derive_image(source, "lossy compression: X", uid, earlier_sources=sources)
    assert not any(isinstance(edit, RemoveAttribute) for edit in edits)
    return {edit.tag: edit for edit in edits}


@pytest.mark.parametrize(
    ("before", "after"),
    [("ORIGINAL\\PRIMARY\\AXIAL", "DERIVED\\PRIMARY\\AXIAL"), ("", "DERIVED\\PRIMARY"),
     ("ORIGINAL", "DERIVED"), ("DERIVED\\SECONDARY", "DERIVED\\SECONDARY"),
     ("\\PRIMARY", "DERIVED\\PRIMARY")],
)  # fmt: skip
def test_the_first_value_of_image_type_becomes_derived(before: str, after: str) -> None:
    assert derived(before)[tags.IMAGE_TYPE] == SetAttribute(tags.IMAGE_TYPE, "CS", after)


def test_descriptions_are_appended_while_there_is_room() -> None:
    def text(earlier: str) -> object:
        edit = derived(earlier=earlier)[tags.DERIVATION_DESCRIPTION]
        assert isinstance(edit, SetAttribute)
        return edit.value

    assert text("") == "lossy compression: X"
    assert text("cropped") == "cropped; lossy compression: X"
    assert text("x" * 1002) == "x" * 1002 + "; lossy compression: X"
    assert text("x" * 1003) == "x" * 1003
    # Bytes of a character set come one a character: none of it may be cut in two.
    utf_8 = ("ü" * 512).encode().decode("latin-1")
    assert text(utf_8) == utf_8


def test_a_new_image_refers_to_its_source_behind_earlier_ones() -> None:
    found = derived(sources=(b"earlier item",))

    assert found[tags.SOP_INSTANCE_UID] == SetAttribute(tags.SOP_INSTANCE_UID, "UI", "1.2.9")
    sequence = found[tags.SOURCE_IMAGE_SEQUENCE]
    assert isinstance(sequence, SetSequence)
    earlier, new = sequence.items
    assert earlier == b"earlier item"
    assert isinstance(new, tuple)
    assert new[:2] == (
        SetAttribute(tags.REFERENCED_SOP_CLASS_UID, "UI", "1.2.3"),
        SetAttribute(tags.REFERENCED_SOP_INSTANCE_UID, "UI", "1.2.4"),
    )


def test_an_image_that_keeps_its_uid_is_not_derived_from_itself() -> None:
    found = derived(uid=None)

    assert tags.SOP_INSTANCE_UID not in found
    assert tags.SOURCE_IMAGE_SEQUENCE not in found
    assert tags.DERIVATION_CODE_SEQUENCE in found


def test_a_source_without_a_uid_is_not_referred_to() -> None:
    source = Identity("ORIGINAL\\PRIMARY", "", "1.2.3", "")
    edits = {
        edit.tag
        for edit in derive_image(source, "lossy compression: X", "1.2.9", listed=(b"an item",))
    }

    assert tags.SOP_INSTANCE_UID in edits
    assert not edits & {tags.SOURCE_IMAGE_SEQUENCE, tags.REFERENCED_SERIES_SEQUENCE}


def test_references_are_listed_by_series_where_they_have_to_be() -> None:
    source = Identity("ORIGINAL\\PRIMARY", "", "1.2.3", "1.2.4")
    edits = derive_image(source, "X", "1.2.9", listed=(b"an item",))

    assert SetSequence(tags.REFERENCED_SERIES_SEQUENCE, (b"an item",)) in edits


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("ISO_10918_1", "ISO_10918_1", True), ("ISO_15444_1", "ISO_15444_15", True),
     ("ISO_15444_1", "ISO_10918_1", False), ("ISO_14495_1", "ISO_18181_1", False)],
)  # fmt: skip
def test_methods_are_the_same_by_their_standard(one: str, other: str, same: bool) -> None:
    assert is_same_method(one, other) == is_same_method(other, one) == same


def test_methods_are_defined_by_the_standard_only() -> None:
    assert is_defined_method("ISO_10918_1")
    assert is_defined_method("ISO_14496_10")
    assert not is_defined_method("JPEG")
    assert not is_defined_method("")
