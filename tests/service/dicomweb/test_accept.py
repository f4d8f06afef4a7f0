"""The Accept table of PS3.18: what is parsed, ordered and chosen; without a server."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicodec.service.dicomweb.accept import MediaRange, parse_accept
from dicodec.service.dicomweb.media_types import (
    OF_MEDIA_TYPE,
    Representation,
    choose_frames,
    choose_instances,
    choose_rendered,
)
from dicodec.service.web.error_answers import Refusal

ROOT = "1.2.840.10008.1.2"
EXPLICIT = f"{ROOT}.1"
OCTETS, DICOM = "application/octet-stream", "application/dicom"


@pytest.mark.parametrize(
    ("header", "parsed"),
    [
        (None, [MediaRange("*/*", None)]),
        ("", [MediaRange("*/*", None)]),
        ("*", [MediaRange("*/*", None)]),
        ("image/jls", [MediaRange("image/jls", False)]),
        ("IMAGE/JLS", [MediaRange("image/jls", False)]),
        ('multipart/related; type="image/jls"', [MediaRange("image/jls", True)]),
        ("multipart/related; type=image/jls", [MediaRange("image/jls", True)]),
        ("multipart/related;type=image/jls;boundary=**", [MediaRange("image/jls", True)]),
        ("multipart/related", [MediaRange("*/*", True)]),
        ("multipart/*", [MediaRange("*/*", True)]),
        (
            'multipart/related; type="application/dicom"; transfer-syntax=*',
            [MediaRange(DICOM, True, "*")],
        ),
        (
            f'multipart/related; type="{DICOM}"; transfer-syntax="{EXPLICIT}"; q=0.5',
            [MediaRange(DICOM, True, EXPLICIT, 0.5)],
        ),
        # PS3.18 8.7.3.5.2 has this one
        (
            (
                f'multipart/related; type="{DICOM}";transfer-syntax={ROOT}.4.50;boundary=**, '
                f'multipart/related; type="{DICOM}";transfer-syntax={ROOT}.4.57;q=0.5'
            ),
            [MediaRange(DICOM, True, f"{ROOT}.4.50"), MediaRange(DICOM, True, f"{ROOT}.4.57", 0.5)],
        ),
        # higher weights first; ranges of several media types last; 0 is not acceptable
        (
            "image/jp2;q=0.2, */*;q=0.5, image/jls;q=0.5, image/jpeg;q=0",
            [
                MediaRange("image/jls", False, "", 0.5),
                MediaRange("*/*", None, "", 0.5),
                MediaRange("image/jp2", False, "", 0.2),
            ],
        ),
        ('text/html; note="a, b; c=\\"d\\""', [MediaRange("text/html", False)]),
        ("image/jls;, image/a ,", [MediaRange("image/jls", False), MediaRange("image/a", False)]),
    ],
)  # fmt: skip
def test_what_is_accepted_is_parsed(header: str | None, parsed: list[MediaRange]) -> None:
    assert parse_accept(header) == parsed


def test_the_parameter_goes_before_the_header() -> None:
    found = parse_accept("image/jls", "image/jp2;q=0.1")
    assert [one.media_type for one in found] == ["image/jp2", "image/jls"]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("image", "cannot be understood"),
        ("image/jls;q=2", "from 0 to 1"),
        ("image/jls;q=x", "from 0 to 1"),
        ("image/jls;q=nan", "from 0 to 1"),
        (f"{DICOM};transfer-syntax=*;transfer-syntax={EXPLICIT}", "more than once"),
        ("image/jls image/jp2", "cannot be understood"),
        ("multipart/related;type=jls", "is not a media type"),
        ("image/jls," * 65, "more than 64"),
        ("x" * 9000, "8192"),
    ],
)
def test_what_makes_no_sense_is_refused(header: str, words: str) -> None:
    with pytest.raises(Refusal, match=words) as caught:
        parse_accept(header)
    assert caught.value.status == 400


@given(st.text(max_size=200))
def test_any_text_is_parsed_or_refused(header: str) -> None:
    with suppress(Refusal):
        assert all(0 < one.weight <= 1 for one in parse_accept(header))


def frames(header: str | None, *, single: bool = False) -> list[Representation]:
    return choose_frames(parse_accept(header), single=single)


DEFAULTS = {
    "image/jpeg": "4.70", "image/dicom-rle": "5", "image/jls": "4.80", "image/jp2": "4.90",
    "image/jpx": "4.92", "image/jphc": "4.201", "image/jxl": "4.110",
}  # fmt: skip


@pytest.mark.parametrize(("media_type", "suffix"), DEFAULTS.items())
def test_each_media_type_has_its_default_transfer_syntax(media_type: str, suffix: str) -> None:
    asked = f'multipart/related; type="{media_type}"'
    assert frames(asked) == [Representation(media_type, True, f"{ROOT}.{suffix}")]
    assert frames(media_type, single=True) == [
        Representation(media_type, False, f"{ROOT}.{suffix}")
    ]


@pytest.mark.parametrize(
    ("media_type", "uid"),
    [(kind, row.uid) for kind, rows in OF_MEDIA_TYPE.items() for row in rows],
)
def test_each_transfer_syntax_is_taken_with_its_media_type_alone(media_type: str, uid: str) -> None:
    for asked in OF_MEDIA_TYPE:
        found = frames(f'multipart/related; type="{asked}"; transfer-syntax={uid}')
        assert found == ([Representation(asked, True, uid)] if asked == media_type else [])


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        (None, [(OCTETS, True, EXPLICIT)]),
        ("*/*", [(OCTETS, True, EXPLICIT)]),
        (f'multipart/related; type="{OCTETS}"', [(OCTETS, True, EXPLICIT)]),
        ("multipart/related", [(OCTETS, True, EXPLICIT)]),
        (f"multipart/related;type={OCTETS};transfer-syntax=*", [(OCTETS, True, "")]),
        (
            f"multipart/related;type={OCTETS};transfer-syntax={ROOT}.4.80",
            [(OCTETS, True, f"{ROOT}.4.80")],
        ),
        (
            'multipart/related; type="image/jls"; transfer-syntax=*',
            [("image/jls", True, ""), ("image/jls", True, f"{ROOT}.4.80")],
        ),
        # 8.7.3: never used with Web Services
        (f"multipart/related;type={OCTETS};transfer-syntax={ROOT}", []),
        (f"multipart/related;type={OCTETS};transfer-syntax={ROOT}.2", []),
        (f"multipart/related;type={OCTETS};transfer-syntax=1.2.3", []),
        ("text/html", []),
        ("image/jls", []),  # several frames need multipart (10.4.4)
    ],
)
def test_frames_are_chosen(header: str | None, chosen: list[tuple[str, bool, str]]) -> None:
    assert frames(header) == [Representation(*one) for one in chosen]


@pytest.mark.parametrize(
    ("header", "single", "chosen"),
    [
        (None, True, [(DICOM, True, EXPLICIT)]),
        (None, False, [(DICOM, True, EXPLICIT)]),
        (DICOM, True, [(DICOM, False, EXPLICIT)]),
        (DICOM, False, []),
        (f"{DICOM};transfer-syntax=*", True, [(DICOM, False, "")]),
        (f'multipart/related; type="{DICOM}"', False, [(DICOM, True, EXPLICIT)]),
        (
            (
                f'multipart/related; type="{DICOM}"; transfer-syntax={ROOT}.4.201;q=0.9,'
                f'multipart/related; type="{DICOM}"; transfer-syntax={ROOT}.4.80'
            ),
            False,
            [(DICOM, True, f"{ROOT}.4.80"), (DICOM, True, f"{ROOT}.4.201")],
        ),
        (f"{DICOM};transfer-syntax={ROOT}", True, []),
        ("image/jpeg", True, []),
        ("application/*", True, [(DICOM, True, EXPLICIT)]),
    ],
)
def test_instances_are_chosen(
    header: str | None, single: bool, chosen: list[tuple[str, bool, str]]
) -> None:
    found = choose_instances(parse_accept(header), single=single)
    assert found == [Representation(*one) for one in chosen]


@pytest.mark.parametrize(
    ("header", "single", "chosen"),
    [
        (None, True, [("image/jpeg", False)]),
        (None, False, [("image/jpeg", True)]),
        ("image/png", True, [("image/png", False)]),
        ("image/png", False, []),
        ("image/gif", False, [("image/gif", False)]),
        ('multipart/related; type="image/png"', False, [("image/png", True)]),
        ("image/*", True, [("image/jpeg", False)]),
        ("image/webp", True, []),
        ("image/webp, image/png;q=0.5", True, [("image/png", False)]),
    ],
)
def test_pictures_are_chosen(
    header: str | None, single: bool, chosen: list[tuple[str, bool]]
) -> None:
    found = choose_rendered(parse_accept(header), single=single)
    assert found == [Representation(*one) for one in chosen]
