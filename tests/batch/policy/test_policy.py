"""Policies: which rule matches a file, what it asks for, and what is said of mistakes."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicodec import ConversionOptions, convert_bytes, inspect
from dicodec.batch.policy.convert import convert_by_policy
from dicodec.batch.policy.facts import FACTS
from dicodec.batch.policy.options import KEYS
from dicodec.batch.policy.policy import NO_RULE, Policy, list_profiles, load_policy, parse_policy
from dicodec.cli.main import run
from dicodec.errors import DicodecError, InvalidOptionError
from dicodec.model.transfer_syntax import TRANSFER_SYNTAXES, list_writable
from dicodec.part10.dicom_file import open_dicom
from helpers.data_set_bytes import element, file_of, item, sequence
from helpers.made import IMAGE_KINDS, make_file

BASE = ConversionOptions(to=("explicit-le",))
GRAY = make_file(
    16, 16, bits_stored=12,
    extra=[
        (0x00080008, "CS", b"ORIGINAL\\PRIMARY\\AXIAL "), (0x00080020, "DA", b"20150131"),
        (0x00180050, "DS", b"2.50"), (0x00080060, "CS", b"CT"), (0x00280106, "US", b"\x07\0"),
        (0x00091010, "LO", b"private "),
    ],
)[0]  # fmt: skip
REPORT = file_of(element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.88.11") +
                 element(0x00080060, "CS", b"SR"))  # fmt: skip


def policy(text: str) -> Policy:
    return parse_policy(text, "test")


def matches(condition: str, source: bytes = GRAY) -> bool:
    """Whether a rule with a condition matches a file."""
    rule = f'[[rule]]\nname = "it"\n{condition}\nto = "rle"\n'
    return policy(rule).choose(source, BASE).rule == "it"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("", True),
        ('when.syntax = "explicit-le"', True),
        ('when.syntax = "1.2.840.10008.1.2.1"', True),
        ('when.syntax = "ExplicitVRLittleEndian"', True),
        ('when.syntax = ["rle", "explicit-le"]', True),
        ('when.syntax = "*-le"', True),
        ('when.syntax = { not = "explicit-le" }', False),
        ('when.storage = "native"', True),
        ('when.modality = "CT"', True),
        ('when.modality = "ct"', False),
        ('when.modality = { not = ["MR", "US"] }', True),
        ('when.modality = { regex = "C[RT]" }', True),
        ('when.modality = { regex = "C" }', False),
        ('when.sop_class = "1.2.840.10008.5.1.4.1.1.*"', True),
        ("when.pixels = true", True),
        ("when.pixels = false", False),
        ('when.photometric_interpretation = "MONOCHROME?"', True),
        ("when.samples_per_pixel = 1", True),
        ("when.bits_allocated = [8, 16]", True),
        ("when.bits_stored = { min = 9, max = 16 }", True),
        ("when.bits_stored = { min = 13 }", False),
        ("when.bits_stored = { max = 11 }", False),
        ("when.signed = false", True),
        ("when.floating = true", False),
        ("when.rows = 16\nwhen.columns = 16", True),
        ("when.rows = 16\nwhen.columns = 17", False),
        ("when.frames = { max = 1 }", True),
        ('when.size = { max = "2 kB" }', True),
        ('when.size = { min = "1 MiB" }', False),
        ("when.lossy = false", True),
        ('when.attributes.ImageType = "AXIAL"', True),
        ('when.attributes.ImageType = { not = "AXIAL" }', False),
        ('when.attributes.ImageType = { not = "LOCALIZER" }', True),
        ('when.attributes.StudyDate = { max = "20151231" }', True),
        ('when.attributes.StudyDate = { min = "20160101" }', False),
        ("when.attributes.SliceThickness = 2.5", True),
        ("when.attributes.SliceThickness = { min = 1, max = 3 }", True),
        ("when.attributes.SmallestImagePixelValue = 7", True),
        ('when.attributes."(0009,1010)" = "private"', True),
        ('when.attributes."00091010" = "public"', False),
        ("when.attributes.ImageComments = { present = true }", False),
        ("when.attributes.ImageComments = { present = false }", True),
        ('when.attributes.ImageComments = { not = "x" }', True),
        ('when.attributes.ImageComments = "*"', False),
    ],
)
def test_conditions(condition: str, expected: bool) -> None:
    assert matches(condition) is expected


PRESENT = {
    0x00280009: element(0x00280009, "AT", b"\x18\0\x63\x10"),
    0x00282000: element(0x00282000, "OB", b"profile "),
    0x00281201: element(0x00281201, "OW", b"\0\1\2\3"),
    0x00091011: element(0x00091011, "UN", b"\0\1"),
    0x00283010: sequence(0x00283010, item(b"")),
    0x00081140: sequence(0x00081140, item(b"", undefined=True), undefined=True),
    0x00081111: sequence(0x00081111, item(b""), undefined=True, vr="UN"),
    0x00280106: element(0x00280106, "US", b"\1"),  # bytes of no number
}
EMPTY = {
    0x00280009: element(0x00280009, "AT", b""),
    0x00282000: element(0x00282000, "OB", b""),
    0x00283010: sequence(0x00283010),
    0x00081140: sequence(0x00081140, undefined=True),
    0x00080060: element(0x00080060, "CS", b"  "),
}


@pytest.mark.parametrize(
    ("tag", "content", "present"),
    [*((tag, content, True) for tag, content in PRESENT.items()),
     *((tag, content, False) for tag, content in EMPTY.items())],
)  # fmt: skip
def test_values_that_cannot_be_compared_are_present_all_the_same(
    tag: int, content: bytes, present: bool
) -> None:
    with open_dicom(file_of(content)) as file:

        def chosen(condition: str) -> bool:
            text = f'[[rule]]\nwhen.attributes."{tag:08X}" = {condition}\nkeep = true\n'
            return policy(text).choose_for(file, BASE).rule == "rule 1"

        assert chosen("{ present = true }") is present
        assert chosen("{ present = false }") is not present
        for condition in ('"*"', "{ min = 0 }", '{ regex = ".*" }'):
            assert not chosen(condition)
        assert chosen('{ not = "*" }')


def test_pixel_data_is_present() -> None:
    for source in (GRAY, convert_bytes(GRAY, to="rle"), convert_bytes(GRAY, to="implicit-le")):
        assert matches("when.attributes.PixelData = { present = true }", source)
        assert matches("when.attributes.FloatPixelData = { present = false }", source)


def test_files_without_pixels_have_none_of_their_facts() -> None:
    for fact in ("rows", "bits_stored", "frames", "samples_per_pixel"):
        assert not matches(f"when.{fact} = {{ min = 0 }}", REPORT)
        assert matches(f"when.{fact} = {{ present = false }}", REPORT)
    assert matches("when.pixels = false", REPORT)
    assert matches('when.sop_class = "*.88.*"', REPORT)


@pytest.mark.parametrize(
    ("to", "expected"),
    [("rle", False), ("jpeg", True), ("jpeg2000", True), ("jpeg2000-lossless", False)],
)  # fmt: skip
def test_lossy_is_what_the_stream_or_the_data_set_says(to: str, expected: bool) -> None:
    data = convert_bytes(IMAGE_KINDS["gray-8"].make()[0], to=to, lossy=True)
    assert matches("when.lossy = true", data) is expected
    again = convert_bytes(data, to="explicit-le")
    assert matches("when.lossy = true", again) is expected


@given(st.binary(max_size=64))
def test_any_value_of_an_attribute_is_read(value: bytes) -> None:
    value += b" " * (len(value) % 2)
    for tag, vr in ((0x00180050, "DS"), (0x00280106, "US"), (0x00080008, "CS")):
        data = file_of(element(tag, vr, value))
        with open_dicom(data) as file:
            for condition in ("= 1", '= "*"', "= { min = 0 }", '= { min = "A" }'):
                text = f'[[rule]]\nwhen.attributes."{tag:08X}" {condition}\nkeep = true\n'
                assert policy(text).choose_for(file, BASE).rule in {"rule 1", NO_RULE}


def test_the_first_rule_that_matches_decides() -> None:
    found = policy(
        '[[rule]]\nname = "mr"\nwhen.modality = "MR"\nkeep = true\n'
        '[[rule]]\nwhen.modality = "CT"\nto = "jpeg-ls"\n'
        '[[rule]]\nname = "rest"\nto = "rle"\n'
    )
    assert found.choose(GRAY, BASE).rule == "rule 2"
    assert found.choose(REPORT, BASE).rule == "rest"
    with open_dicom(GRAY) as file:
        reasons = found.explain(file)
    assert [(reason.rule, reason.matches, reason.conditions) for reason in reasons] == [
        ("mr", False, ('modality is "CT", not "MR"',)),
        ("rule 2", True, ('modality is "CT"',)),
    ]


def test_what_no_rule_matches_is_kept() -> None:
    found = policy('[[rule]]\nwhen.modality = "MR"\nto = "rle"\n')
    choice = found.choose(GRAY, BASE)
    assert (choice.options, choice.rule) == (None, NO_RULE)


def test_a_rule_sets_options_and_leaves_the_runs_others() -> None:
    found = policy(
        '[[rule]]\nto = ["jpeg2000", "rle"]\nratio = 10\nphotometric = "keep"\nlossy = true\n'
        'verify = "independent"\nset = { PatientID = "x" }\nremove = ["PatientName"]\n'
    )
    base = ConversionOptions(
        to=("explicit-le",), overwrite=True, workers=3, remove_attributes=("PatientAge",)
    )
    options = found.choose(GRAY, base).options
    assert options == ConversionOptions(
        to=("jpeg2000", "rle"), ratio=10.0, photometric="keep", lossy=True, verify="independent",
        set_attributes=(("PatientID", "x"),), remove_attributes=("PatientAge", "PatientName"),
        overwrite=True, workers=3,
    )  # fmt: skip


MISTAKES = {
    "": ("a policy has rules", ""),
    "rule = 3": ("a policy has rules", ""),
    "[[rule]\n": ("not TOML", ""),
    '[[rules]]\nto = "rle"': ("no key 'rules'", "did you mean rule?"),
    'description = 3\n[[rule]]\nto = "rle"': ("description is 3", ""),
    '[[rule]]\nname = 3\nto = "rle"': ("rule 1: name is 3", ""),
    '[[rule]]\nname = "x"': ("rule 1 (x): there is neither to nor keep = true", ""),
    '[[rule]]\nto = "jpegls"': ("rule 1: to: there is no transfer syntax 'jpegls'", "jpeg-ls"),
    '[[rule]]\nto = "ge-private"': ("is not written", ""),
    "[[rule]]\nto = []": ("no target transfer syntax", ""),
    '[[rule]]\nto = "rle"\nqualty = 3': ("no key 'qualty'", "did you mean quality?"),
    '[[rule]]\nto = "rle"\noverwrite = true': ("no key 'overwrite'", ""),
    '[[rule]]\nto = "rle"\nquality = "3"': ("quality is '3'; it has to be a whole number", ""),
    '[[rule]]\nto = "rle"\nquality = 300': (
        "quality is 300; it has to be a whole number from 1 to 100",
        "",
    ),
    '[[rule]]\nto = "rle"\nlossy = 1': ("lossy is 1; it has to be true or false", ""),
    '[[rule]]\nto = "rle"\nset = { Rows = "3" }': ("cannot be set", ""),
    '[[rule]]\nto = "rle"\nset = ["Rows"]': ("it has to be a table of keywords", ""),
    '[[rule]]\nto = "rle"\nremove = 3': ("remove is 3; it has to be a list of texts", ""),
    '[[rule]]\nto = "rle"\nremove = ["PatientNam"]': ("PatientNam", "PatientName"),
    "[[rule]]\nkeep = false": ("keep is False", ""),
    '[[rule]]\nkeep = true\nto = "rle"': ("so to has no effect", ""),
    '[[rule]]\nto = "rle"\n[[rule]]\nto = "rle"': ("rule 1 matches everything, so rule 2", ""),
    '[[rule]]\nwhen = 3\nto = "rle"': ("when is a table", ""),
    '[[rule]]\nwhen.modalitty = "CT"\nto = "rle"': ("'modalitty'", "did you mean modality?"),
    '[[rule]]\nwhen.PatientID = "x"\nto = "rle"': ("no condition 'PatientID'", "attributes"),
    '[[rule]]\nwhen.bits_stored = "8"\nto = "rle"': ("bits_stored is '8'; it is a number", ""),
    '[[rule]]\nwhen.lossy = 1\nto = "rle"': ("lossy is 1; it is true or false", ""),
    '[[rule]]\nwhen.lossy = { min = true }\nto = "rle"': ("true or false and has no min", ""),
    '[[rule]]\nwhen.rows = { minimum = 1 }\nto = "rle"': ("rows has no 'minimum'", "min?"),
    '[[rule]]\nwhen.rows = {}\nto = "rle"': ("rows is empty", ""),
    '[[rule]]\nwhen.rows = []\nto = "rle"': ("rows is an empty list", ""),
    '[[rule]]\nwhen.size = "10 MBs"\nto = "rle"': ("size is '10 MBs'; a size is such as", ""),
    '[[rule]]\nwhen.syntax = "jpegls"\nto = "rle"': ("no transfer syntax 'jpegls'", "jpeg-ls"),
    '[[rule]]\nwhen.modality = { regex = "(" }\nto = "rle"': ("regex '(' cannot be read", ""),
    '[[rule]]\nwhen.modality = { present = 1 }\nto = "rle"': ("present is 1", ""),
    '[[rule]]\nwhen.attributes = 3\nto = "rle"': ("attributes is a table", ""),
    '[[rule]]\nwhen.attributes.PatientNam = "x"\nto = "rle"': ("'PatientNam'", "PatientName"),
    '[[rule]]\nwhen.attributes.Rows = true\nto = "rle"': ("attributes.Rows is true", "present"),
    '[[rule]]\nwhen.attributes.Rows = 1979-05-27\nto = "rle"': ("which no value can be", ""),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_are_named_with_what_was_probably_meant(text: str) -> None:
    message, hint = MISTAKES[text]
    with pytest.raises(InvalidOptionError) as raised:
        policy(text)
    assert message in raised.value.message
    assert hint in (raised.value.hint or "")


def test_files_and_profiles_are_loaded(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('description = "mine"\n[[rule]]\nto = "rle"\n')
    assert load_policy(str(path)).description == "mine"
    assert list_profiles() == ("archive", "fast-archive", "legacy", "web")
    for name, hint in (("wbe", "did you mean web?"), ("nothing", "there are archive")):
        with pytest.raises(InvalidOptionError, match="there is no policy") as raised:
            load_policy(name)
        assert hint in (raised.value.hint or "")
    path.write_text("[[rule]]")
    for bad in (str(path), str(tmp_path / "absent.toml")):
        with pytest.raises(InvalidOptionError) as raised:
            load_policy(bad)
        assert raised.value.path == bad


def test_policies_go_to_other_processes() -> None:
    for name in list_profiles():
        found = load_policy(name)
        assert pickle.loads(pickle.dumps(found)) == found
        assert found.description
        assert found.basis


# The profiles, on every kind of image.

KINDS = sorted(IMAGE_KINDS)

WEB = {
    "1.2", "1.2.1", "1.2.2", "1.2.1.99", "1.2.5", "1.2.4.50", "1.2.4.51", "1.2.4.57", "1.2.4.70",
    "1.2.4.80", "1.2.4.81", "1.2.4.90", "1.2.4.91", "1.2.4.201", "1.2.4.202", "1.2.4.203",
}  # fmt: skip
"""What Cornerstone3D decodes, as the ends of UIDs."""


@pytest.mark.parametrize("name", ["archive", "fast-archive", "legacy", "web"])
@pytest.mark.parametrize("kind", KINDS)
def test_profiles_know_what_to_do_with_every_kind(name: str, kind: str) -> None:
    out = io.BytesIO()
    content = IMAGE_KINDS[kind].make()[0]
    report = convert_by_policy(content, out, BASE, policy=load_policy(name), in_place=False)
    found = inspect(out.getvalue())
    assert not report.lossy
    assert report.rule not in {"", NO_RULE}
    assert (
        found.transfer_syntax
        in {
            "archive": {"jpeg-ls", "jpeg2000-lossless", "deflated"},
            "fast-archive": {"htj2k-lossless"},
            "legacy": {"implicit-le"},
            "web": {"explicit-le"},  # it is what web viewers read
        }[name]
    )
    if name == "legacy":
        assert found.image is not None
        assert found.image.photometric_interpretation != "MONOCHROME1"


def test_the_web_gets_what_it_decodes() -> None:
    found = load_policy("web")
    content = IMAGE_KINDS["gray-8"].make()[0]
    for syntax in list_writable():
        if syntax.name == "jpegxl-jpeg":
            source = convert_bytes(convert_bytes(content, to="jpeg", lossy=True), to=syntax.name)
        else:
            source = convert_bytes(content, to=syntax.name, lossy=True)
        out = io.BytesIO()
        convert_by_policy(source, out, BASE, policy=found, in_place=False)
        result = inspect(out.getvalue()).stated_transfer_syntax.removeprefix("1.2.840.10008.")
        decoded = syntax.uid.removeprefix("1.2.840.10008.") in WEB
        assert result in WEB
        assert (out.getvalue() == source) == decoded, syntax.name
    assert len([s for s in TRANSFER_SYNTAXES if s.uid.removeprefix("1.2.840.10008.") in WEB]) == 16


WITHOUT_VIEWER = ["encapsulated-uncompressed", "deflated-frame"]


@pytest.mark.parametrize("syntax", WITHOUT_VIEWER)
@pytest.mark.parametrize("color", ["YBR_FULL", "YBR_FULL_422", "RGB"])
def test_the_web_gets_no_ycbcr_as_htj2k(syntax: str, color: str) -> None:
    """Its decoder of HTJ2K takes all colors for RGB."""
    source = convert_bytes(IMAGE_KINDS["rgb-8"].make()[0], to=syntax, photometric=color)
    out = io.BytesIO()
    convert_by_policy(source, out, BASE, policy=load_policy("web"), in_place=False)

    found = inspect(out.getvalue())
    assert found.image is not None
    in_htj2k = color == "RGB"
    assert found.transfer_syntax == ("htj2k-lossless" if in_htj2k else "explicit-le")
    assert found.image.photometric_interpretation == ("YBR_RCT" if in_htj2k else color)


@pytest.mark.parametrize("stated", ["RGB", "YBR_FULL_422"])
def test_the_web_gets_no_ycbcr_of_retired_jpeg_as_htj2k(stated: str) -> None:
    from PIL import Image

    samples = IMAGE_KINDS["rgb-8"].make()[1][0]
    stream = io.BytesIO()
    Image.fromarray(samples).save(stream, "JPEG", progressive=True, quality=90)
    source = make_file(
        48, 64, 3, 8, 8, photometric=stated, streams=[[stream.getvalue()]],
        transfer_syntax="1.2.840.10008.1.2.4.55",
    )[0]  # fmt: skip
    out = io.BytesIO()
    convert_by_policy(source, out, BASE, policy=load_policy("web"), in_place=False)

    found = inspect(out.getvalue())
    assert found.image is not None
    assert found.transfer_syntax == "explicit-le"
    assert found.image.photometric_interpretation == "YBR_FULL"


def test_lossy_streams_stay_in_archives() -> None:
    content = convert_bytes(IMAGE_KINDS["rgb-8"].make()[0], to="jpeg", lossy=True)
    for name in ("archive", "fast-archive"):
        out = io.BytesIO()
        report = convert_by_policy(content, out, BASE, policy=load_policy(name), in_place=False)
        assert (report.rule, report.action, out.getvalue()) == ("lossy streams", "copied", content)


# Documentation.

REFERENCE = (Path(__file__).parents[3] / "docs" / "policy.md").read_text(encoding="utf-8")


def test_every_condition_and_key_is_in_the_reference() -> None:
    assert {"keep", "to", "set", "remove"} <= set(KEYS)
    for name in (*FACTS, "attributes", "keep", "to", "set", "remove"):
        assert f"`{name}`" in REFERENCE, name


def test_the_examples_of_the_reference_are_policies() -> None:
    blocks: list[str] = [part.split("```")[0] for part in REFERENCE.split("```toml\n")[1:]]
    assert blocks
    for block in blocks:
        assert policy(block).rules


def uncompressible() -> dict[str, bytes]:
    """Return images that no compressed transfer syntax takes, or that are not decoded."""
    pixels = np.zeros((1, 4, 4, 4), np.uint8)
    wide = [(0x00280100, "US", b"\x18\0"), (0x7FE00010, "OB", bytes(48))]
    quads = [(0x7FE00010, "OB", bytes(24))]
    part_2 = make_file(
        4, 4, transfer_syntax="1.2.840.10008.1.2.4.92", streams=[[b"\xff\x4f\xff\x51"]]
    )
    return {
        "ARGB": make_file(4, 4, 4, 8, 8, photometric="ARGB", pixels=pixels)[0],
        "24 bits": make_file(4, 4, extra=wide)[0],
        "YBR_PARTIAL_420": make_file(4, 4, 3, 8, 8, photometric="YBR_PARTIAL_420", extra=quads)[0],
        "hierarchical": make_file(
            4, 4, transfer_syntax="1.2.840.10008.1.2.4.65", streams=[[b"\0\0"]]
        )[0],
        "JPIP": part_2[0].replace(b"1.2.4.92", b"1.2.4.94"),
    }


@pytest.mark.parametrize("name", uncompressible())
@pytest.mark.parametrize("profile", ["archive", "fast-archive"])
def test_archives_keep_what_they_cannot_compress(profile: str, name: str, tmp_path: Path) -> None:
    source = tmp_path / "folder" / "x.dcm"
    source.parent.mkdir()
    source.write_bytes(content := uncompressible()[name])
    chosen = load_policy(profile)

    out = io.BytesIO()
    report = convert_by_policy(content, out, BASE, policy=chosen, in_place=False)
    assert out.getvalue() == content
    assert report.action == "copied"
    options = ["--policy", profile, "--jobs", "1"]
    assert run(["convert", str(source.parent), "-o", str(tmp_path / "out"), *options]) == 0
    assert (tmp_path / "out" / "x.dcm").read_bytes() == content
    assert run(["convert", str(source), "-o", str(tmp_path / "one.dcm"), "--policy", profile]) == 0
    assert (tmp_path / "one.dcm").read_bytes() == content
    assert run(["convert", str(source.parent), "--in-place", *options]) == 0
    assert source.read_bytes() == content
    assert run(["policy", "check", str(source), "--policy", profile]) == 0


def test_what_is_kept_otherwise_is_told_and_damage_is_not_kept() -> None:
    rule = '[[rule]]\nto = "jpeg-ls"\nkeep = "otherwise"\n'
    report = convert_by_policy(
        uncompressible()["ARGB"], None, BASE, policy=policy(rule), in_place=False
    )
    (warning,) = report.warnings
    assert "kept as it is, because it cannot be converted" in warning
    with pytest.raises(DicodecError):
        convert_by_policy(GRAY[:-10], None, BASE, policy=policy(rule), in_place=False)
    plain = policy('[[rule]]\nto = "jpeg-ls"\n')
    with pytest.raises(DicodecError):
        convert_by_policy(uncompressible()["ARGB"], None, BASE, policy=plain, in_place=False)
    for wrong in ('to = "rle"\nkeep = "always"', 'keep = "otherwise"'):
        with pytest.raises(InvalidOptionError):
            policy(f"[[rule]]\n{wrong}\n")
