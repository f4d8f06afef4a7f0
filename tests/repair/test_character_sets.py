"""Text in UTF-8 on request: read by pydicom before and after, in sequences too."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from dicodec import convert, convert_bytes
from dicodec.cli.main import run
from dicodec.errors import ContradictionError, InvalidOptionError, MalformedFileError
from dicodec.part10.character_set import decode_surely, encode_text, is_character_set
from dicodec.part10.encoding import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE
from helpers.data_set_bytes import element, file_of, item, sequence
from helpers.made import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, make_file
from helpers.odd_files import found

TEXT = {"LO", "LT", "PN", "SH", "ST", "UC", "UT"}
PYDICOM = Path(pydicom.__file__).parent / "data" / "charset_files"
FILES = sorted(PYDICOM.glob("*.dcm"))
EXPLICIT, IMPLICIT = "explicit-le", "implicit-le"


def texts(data_set: Dataset) -> Iterator[tuple[int, str]]:
    """Yield each text, without what surrounds it as padding."""
    for one in data_set:
        if one.VR == "SQ":
            for inner in one.value:
                yield from texts(inner)
        elif one.VR in TEXT:
            values = (
                one.value if isinstance(one.value, pydicom.multival.MultiValue) else [one.value]
            )
            yield one.tag, "\\".join(str(value).rstrip() for value in values)


def read(content: bytes) -> list[tuple[int, str]]:
    data_set = pydicom.dcmread(io.BytesIO(content), force=True)
    data_set.decode()
    return list(texts(data_set))


def character_sets(data_set: Dataset) -> list[str]:
    found = [str(data_set.SpecificCharacterSet)] if "SpecificCharacterSet" in data_set else []
    for one in data_set:
        if one.VR == "SQ":
            for inner in one.value:
                found += character_sets(inner)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@pytest.mark.parametrize("to", [EXPLICIT, IMPLICIT, "explicit-be"])
def test_real_text_stays_the_same(path: Path, to: str) -> None:
    result = convert_bytes(path.read_bytes(), to=to, charset="utf-8", verify=True)

    assert read(result) == read(path.read_bytes())
    made = pydicom.dcmread(io.BytesIO(result))
    assert set(character_sets(made)) == {"ISO_IR 192"}
    again = convert_bytes(result, to=to, charset="utf-8")
    assert again == convert_bytes(result, to=to)  # nothing is left to be done


def test_the_corpus_too(corpus: Path) -> None:
    for path in sorted((corpus / "charset").iterdir()):
        result = convert_bytes(path.read_bytes(), to=EXPLICIT, charset="utf-8")
        assert read(result) == read(path.read_bytes()), path.name


ENCODINGS = {EXPLICIT_LE: EXPLICIT_LITTLE, IMPLICIT_LE: IMPLICIT_LITTLE, EXPLICIT_BE: EXPLICIT_BIG}


def nested(uid: str, *, undefined: bool) -> bytes:
    """Return a file with text in items: of the character set around them, and of another."""
    encoding = ENCODINGS[uid]

    def text(tag: int, vr: str, value: bytes) -> bytes:
        return element(tag, vr, value + b" " * (len(value) % 2), encoding)

    name, russian = 0x00080104, ["Люкceмбypг".encode("iso8859-5"), "Ж".encode("iso8859-5")]
    inner = item(text(name, "LO", "Grün".encode("latin-1")), encoding, undefined=undefined)
    deeper = sequence(
        0x00080121, item(text(name, "LO", russian[1]), encoding),
        encoding=encoding, undefined=undefined,
    )  # fmt: skip
    other = item(
        text(0x00080005, "CS", b"ISO_IR 144") + text(name, "LO", russian[0]) + deeper,
        encoding, undefined=undefined,
    )  # fmt: skip
    plain = item(text(0x00080104, "LO", b"plain"), encoding)
    content = (
        text(0x00080005, "CS", b"ISO_IR 100")
        + text(0x00081030, "LO", "Schädel\\Größe".encode("latin-1"))
        + sequence(0x00081032, inner, other, plain, encoding=encoding, undefined=undefined)
        + text(0x00100010, "PN", "Müller^Jürgen".encode("latin-1"))
    )
    return file_of(content, uid)


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("uid", ENCODINGS)
@pytest.mark.parametrize("to", [EXPLICIT, IMPLICIT, "explicit-be", "deflated"])
def test_text_in_sequences(uid: str, undefined: bool, to: str) -> None:
    content = nested(uid, undefined=undefined)
    result = convert_bytes(content, to=to, charset="utf-8", verify=True)

    expected = [
        (0x00081030, "Schädel\\Größe"), (0x00080104, "Grün"), (0x00080104, "Люкceмбypг"),
        (0x00080104, "Ж"), (0x00080104, "plain"), (0x00100010, "Müller^Jürgen"),
    ]  # fmt: skip
    assert read(content) == expected
    assert read(result) == expected


def test_what_is_changed_is_told_and_nothing_else_changes() -> None:
    content, _ = make_file(
        4, 4,
        extra=[(0x00080005, "CS", b"ISO_IR 100"), (0x00100010, "PN", "Jürgen".encode("latin-1"))],
    )  # fmt: skip
    report = convert(content, io.BytesIO(), to=EXPLICIT, charset="utf-8", verify=True)

    assert sorted(report.changes) == ["PatientName changed", "SpecificCharacterSet changed"]
    same = convert(content, io.BytesIO(), to=EXPLICIT)
    assert same.changes == []


def test_texts_that_the_conversion_itself_writes() -> None:
    content, _ = make_file(
        16, 16, bits_allocated=8, bits_stored=8,
        extra=[(0x00080005, "CS", b"ISO_IR 100"),
               (0x00082111, "ST", "größer".encode("latin-1"))],
    )  # fmt: skip
    result = convert_bytes(content, to="jpeg", lossy=True, charset="utf-8",
                           set_attributes=(("PatientName", "Łukasz"),), verify=True)  # fmt: skip
    made = pydicom.dcmread(io.BytesIO(result))

    assert made.DerivationDescription.startswith("größer; lossy compression")
    assert made.PatientName == "Łukasz"


@pytest.mark.parametrize(
    ("stated", "raw"),
    [
        (b"", b"M\xfcller"),  # the default repertoire has no umlauts
        (b"ISO_IR 100", b"M\x9cller"),  # a control character
        (b"ISO_IR 192", b"M\xfcller"),  # no UTF-8
        (b"GB18030", b"M\xff"),
        (b"ISO 2022 IR 6\\ISO 2022 IR 87", b"\x1b$B\x21"),  # half a character
        (b"ISO_IR 999", b"M\xfcller"),  # nobody knows
        (b"ISO_IR 13", b"M\xfc"),
    ],
)
def test_text_that_is_not_of_its_character_set_is_refused(stated: bytes, raw: bytes) -> None:
    extra = [(0x00100010, "PN", raw)] + ([(0x00080005, "CS", stated)] if stated else [])
    content, _ = make_file(4, 4, extra=extra)

    with pytest.raises(MalformedFileError, match="is not of the character set") as caught:
        convert_bytes(content, to=EXPLICIT, charset="utf-8")
    assert caught.value.attribute == "(0010,0010)"
    assert convert_bytes(content, to=IMPLICIT)
    left_out = convert_bytes(
        content, to=EXPLICIT, charset="utf-8", remove_attributes=("PatientName",)
    )
    assert b"M" + raw[1:] not in left_out


def test_a_character_set_that_is_declared_beats_the_stated_one() -> None:
    for term, codec, text in (
        ("ISO_IR 144", "iso8859-5", "Иванов"), ("GBK", "gbk", "王小东"),
        ("UTF-8", "utf-8", "Žižka"), ("ISO_IR 203", "iso8859-15", "Œuvre"),
    ):  # fmt: skip
        content, _ = make_file(4, 4, extra=[(0x00080005, "CS", b"ISO_IR 100"),
                                            (0x00100010, "PN", text.encode(codec))])  # fmt: skip
        result = convert_bytes(content, to=EXPLICIT, charset=f"{term}:utf-8")
        assert pydicom.dcmread(io.BytesIO(result)).PatientName == text


def test_utf_8_under_another_character_set_is_told_where_a_byte_is_illegal() -> None:
    for stated in (b"", b"ISO_IR 100", b"ISO_IR 144"):
        extra = [(0x00100010, "PN", "Žižka".encode()), (0x00104000, "LT", "Ołówek".encode())]
        extra += [(0x00080005, "CS", stated)] if stated else []
        content, _ = make_file(4, 4, extra=extra)

        assert found(content) == ["misdeclared-character-set"]
        with pytest.raises(ContradictionError, match="all text is UTF-8"):
            convert_bytes(content, to=IMPLICIT, strict=True)
        result = pydicom.dcmread(io.BytesIO(convert_bytes(content, to=EXPLICIT, charset="utf-8")))
        assert (result.PatientName, result.PatientComments) == ("Žižka", "Ołówek")
    legal, _ = make_file(4, 4, extra=[(0x00100010, "PN", "é".encode()),
                                      (0x00080005, "CS", b"ISO_IR 100")])  # fmt: skip
    assert found(legal) == []
    nonsense = convert_bytes(legal, to=EXPLICIT, charset="utf-8")
    assert pydicom.dcmread(io.BytesIO(nonsense)).PatientName == "Ã©"


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "ISO_IR 999:utf-8", ":utf-8", "a:b"])
def test_character_sets_that_are_none(charset: str) -> None:
    with pytest.raises(InvalidOptionError):
        convert(make_file(4, 4)[0], None, to=EXPLICIT, charset=charset)


def test_the_switch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "a.dcm", tmp_path / "b.dcm"
    source.write_bytes(nested(EXPLICIT_LE, undefined=False))

    assert run(["convert", str(source), "--to", IMPLICIT, "--charset", "utf-8", "-o", str(target),
                 "--json"]) == 0  # fmt: skip
    assert "PatientName changed" in json.loads(capsys.readouterr().out)["changes"]
    assert read(target.read_bytes()) == read(source.read_bytes())
    assert run(["convert", str(source), "--to", IMPLICIT, "--charset", "nonsense", "-o", "-"]) == 2


@example(b"\x1b$@!!", "")
@example(b"\x1b$@!!", "nonsense")
@given(st.binary(max_size=60), st.sampled_from(
    ["", "ISO_IR 100", "ISO_IR 13", "ISO_IR 192", "GB18030", "ISO 2022 IR 13\\ISO 2022 IR 87",
     "\\ISO 2022 IR 149", "nonsense"]))  # fmt: skip
def test_any_bytes_are_text_or_refused(raw: bytes, character_set: str) -> None:
    try:
        text = decode_surely(raw, character_set, "PN")
    except ValueError:
        return
    assert is_character_set(character_set) or text.isascii()
    text.encode()


@given(st.text(st.characters(min_codepoint=0xA0, max_codepoint=0xFF), max_size=20))
def test_text_comes_back(text: str) -> None:
    assert decode_surely(encode_text(text, "ISO_IR 100"), "ISO_IR 100") == text
