"""DICOMDIRs written in other encodings and lengths: records go on naming each other."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path

import pydicom
import pytest
from pydicom.fileset import FileSet

from dicodec import convert, convert_bytes, convert_dataset
from dicodec.cli.main import run
from dicodec.comparison.compare import compare
from dicodec.conversion.frames import pipeline
from dicodec.conversion.inspection import inspect_file
from dicodec.errors import (
    ContradictionError,
    DicodecError,
    InvalidOptionError,
    UnsupportedImageError,
    VerificationError,
)
from dicodec.part10.directory_records import write_offsets
from helpers.data_set_bytes import element, item, sequence
from helpers.directories import (
    ENCODINGS,
    LOWER,
    NEXT,
    TREE,
    Record,
    make_directory,
    read_tree,
)
from helpers.icons import encapsulated_icon
from helpers.installed import program
from helpers.made import EXPLICIT_BE, EXPLICIT_LE, IMAGE_KINDS, IMPLICIT_LE

NAMES = {EXPLICIT_LE: "explicit-le", IMPLICIT_LE: "implicit-le", EXPLICIT_BE: "explicit-be"}
REAL = Path(pydicom.__file__).parent / "data" / "test_files" / "dicomdirtests"
EXPECTED = read_tree(make_directory())


def test_the_made_directories_are_what_they_should_be() -> None:
    assert (
        [0, 4],
        [(one.kind, [one.following, one.below, one.through]) for one in TREE],
    ) == EXPECTED


@pytest.mark.parametrize("undefined", [False, True], ids=["defined", "undefined"])
@pytest.mark.parametrize("source", ENCODINGS, ids=NAMES.get)
@pytest.mark.parametrize("target", NAMES.values())
def test_records_name_the_same_records_in_every_encoding(
    source: str, target: str, undefined: bool, tmp_path: Path
) -> None:
    content = make_directory(transfer_syntax=source, undefined=undefined)
    out = io.BytesIO()
    report = convert(content, out, to=target, set_attributes={"FileSetID": "A_LONGER_ONE"})
    assert read_tree(out.getvalue()) == EXPECTED
    made = pydicom.dcmread(io.BytesIO(out.getvalue()))
    assert made.FileSetID == "A_LONGER_ONE"
    assert made["DirectoryRecordSequence"].is_undefined_length is undefined
    told = [one for one in report.warnings if "explicit-le only" in one]
    assert bool(told) is (target != "explicit-le")
    place = tmp_path / "DICOMDIR"  # in place, and proven
    place.write_bytes(content)
    report = convert(place, place, to=target, overwrite=True, set_attributes={"FileSetID": "X"})
    assert report.verified
    assert read_tree(place.read_bytes()) == EXPECTED


@pytest.mark.parametrize(
    ("options", "removed"),
    [({"remove_attributes": ("FileSetID",)}, True), ({"charset": "utf-8"}, False)],
)
def test_other_edits_move_records_too(options: dict[str, object], removed: bool) -> None:
    keys = element(0x00080005, "CS", b"ISO_IR 100") + element(0x00100010, "PN", b"M\xfcller^A ")
    records = [Record("PATIENT", following=1, keys=keys), Record("PATIENT", keys=keys)]
    content = make_directory(records, roots=(0, 1))
    made = convert_bytes(content, to="explicit-le", verify=True, **options)  # type: ignore[arg-type]
    assert read_tree(made) == read_tree(content)
    data_set = pydicom.dcmread(io.BytesIO(made))
    assert ("FileSetID" in data_set) is not removed
    assert data_set.DirectoryRecordSequence[1].PatientName == "Müller^A"


def test_an_icon_of_a_record_is_made_native_and_its_record_found() -> None:
    icon = sequence(0x00880200, item(encapsulated_icon("jpeg-ls")))
    content = make_directory(
        [Record("IMAGE", following=1, keys=icon), Record("IMAGE", keys=icon)], roots=(0, 1)
    )
    made = convert_bytes(content, to="implicit-le", verify=True)
    assert read_tree(made) == read_tree(content)
    record = pydicom.dcmread(io.BytesIO(made)).DirectoryRecordSequence[1]
    assert len(record.IconImageSequence[0].PixelData) == 48


def test_a_sequence_stated_as_un_is_a_directory_too() -> None:
    content = make_directory(vr="UN")
    for target in ("explicit-le", "implicit-le", "explicit-be"):
        made = convert_bytes(
            content, to=target, set_attributes={"FileSetID": "LONGER"}, verify=True
        )
        assert read_tree(convert_bytes(made, to="explicit-le", standardize=True)) == EXPECTED


@pytest.mark.parametrize("undefined", [False, True])
def test_standardized_records_are_found_again(undefined: bool) -> None:
    odd = element(0x00100010, "PN", b"Odd")  # the pad byte is missing
    records = [Record("PATIENT", following=1, keys=odd), Record("PATIENT", keys=odd)]
    content = make_directory(records, roots=(0, 1), undefined=undefined)
    made = convert_bytes(content, to="explicit-le", standardize=True, verify=True)
    assert len(made) != len(content)
    assert read_tree(made) == ([0, 1], [("PATIENT", [1, None, None]), ("PATIENT", [None] * 3)])


@pytest.mark.parametrize("to", NAMES.values())
@pytest.mark.parametrize(("record", "by"), [(0, -2), (2, 4), (8, -6), (None, -8)])
def test_wrong_lengths_are_put_right_and_records_found(
    record: int | None, by: int, to: str
) -> None:
    """An item, or the sequence, has another length than it says."""
    content = bytearray(make_directory())
    place = content.index(b"\4\0\x20\x12SQ") + 8
    if record is not None:
        records = pydicom.dcmread(io.BytesIO(content)).DirectoryRecordSequence
        place = records[record].seq_item_tell + 4
    (length,) = struct.unpack_from("<I", content, place)
    struct.pack_into("<I", content, place, length + by)
    edits = {"FileSetID": "LONGER"}
    for standardize in (False, True):
        made = convert_bytes(
            bytes(content), to=to, set_attributes=edits, verify=True, standardize=standardize
        )
        assert read_tree(made) == EXPECTED


def test_offsets_out_of_their_place_are_found() -> None:
    """An offset stands behind the keys of its record."""
    moved = element(0x00100010, "PN", b"A ")
    content = bytearray(make_directory([Record("PATIENT", keys=moved + bytes(12))], roots=(0, 0)))
    (start,) = (
        one.seq_item_tell
        for one in pydicom.dcmread(
            io.BytesIO(make_directory([Record("PATIENT")], roots=(0, 0)))
        ).DirectoryRecordSequence
    )
    content[-12:] = element(0x00041504, "UL", struct.pack("<I", start))
    made = convert_bytes(bytes(content), to="implicit-le", verify=True)
    assert read_tree(made)[1] == [("PATIENT", [None, None, 0])]


@pytest.mark.parametrize("sign", [8, -8, 4096, 1 << 31])
def test_an_offset_that_names_no_record_is_refused_and_named(sign: int, tmp_path: Path) -> None:
    content = make_directory(shift=sign)
    with pytest.raises(ContradictionError, match="no record begins there") as caught:
        convert_bytes(content, to="implicit-le")
    assert (caught.value.attribute or "").startswith("OffsetOfThe")
    assert content[(caught.value.offset or 0) - 8 :].startswith(b"\x04\0\0\x12UL")
    assert any("no record begins there" in one for one in inspect_file(content).problems)
    place = tmp_path / "DICOMDIR"
    place.write_bytes(content)
    with pytest.raises(ContradictionError):
        convert(place, place, to="explicit-be", overwrite=True)
    assert place.read_bytes() == content
    out = io.BytesIO()  # where nothing moves, it is copied, and that is said
    (told,) = convert(content, out, to="explicit-le").warnings
    assert out.getvalue() == content
    assert "no record begins there; it is copied as it is" in told
    with pytest.raises(ContradictionError, match="no record begins there"):
        convert_bytes(content, to="explicit-le", strict=True)


@pytest.mark.parametrize(("tag", "record"), [(NEXT, 0), (LOWER, 1), (0x00041504, 3)])
def test_the_record_with_the_wrong_offset_is_named(tag: int, record: int) -> None:
    content = bytearray(make_directory())
    data_set = pydicom.dcmread(io.BytesIO(content))
    start = data_set.DirectoryRecordSequence[record].seq_item_tell
    head = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, b"UL", 4)
    place = content.index(head, start) + len(head)
    content[place : place + 4] = struct.pack("<I", 7)
    with pytest.raises(ContradictionError, match=f"directory record {record} names") as caught:
        convert_bytes(bytes(content), to="implicit-le")
    assert caught.value.offset == place


def test_an_offset_of_another_length_is_refused() -> None:
    content = make_directory(
        [Record("PATIENT", keys=element(0x00041504, "UL", bytes(8)))], roots=(0, 0)
    )
    with pytest.raises(ContradictionError, match="8 bytes instead of 4"):
        convert_bytes(content, to="implicit-le")


def test_a_directory_is_not_deflated() -> None:
    content = make_directory()
    with pytest.raises(UnsupportedImageError, match="byte offsets in the file"):
        convert_bytes(content, to="deflated")
    assert read_tree(convert_bytes(content, to=("deflated", "implicit-le"))) == EXPECTED
    reasons = {one.name: one.reason for one in inspect_file(content).targets if not one.possible}
    assert "byte offsets in the file" in reasons["deflated"]


def test_a_deflated_directory_is_refused_with_the_cause() -> None:
    import zlib

    content = make_directory()
    start = content.index(b"\4\0\x30\x11")
    deflater = zlib.compressobj(wbits=-15)
    body = deflater.compress(content[start:]) + deflater.flush()
    head = make_directory(transfer_syntax=EXPLICIT_LE)[:start].replace(
        b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99"
    )
    grown = bytearray(head)
    place = head.index(b"UI\x14\0" + b"1.2.840.10008.1.2.1.99")
    grown[place + 2] = 22
    grown[140] += 2  # the length of group 2
    with pytest.raises(ContradictionError, match="deflated"):
        convert_bytes(bytes(grown) + body, to="explicit-le")


def test_the_directory_is_not_the_users_to_set() -> None:
    for name in (
        "DirectoryRecordSequence",
        "OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity",
        "(0004,1202)",
    ):
        with pytest.raises(InvalidOptionError, match="follows from"):
            convert_bytes(make_directory(), to="explicit-le", remove_attributes=(name,))


def test_an_image_takes_no_attributes_of_a_directory() -> None:
    image, _ = IMAGE_KINDS["gray-8"].make()
    for options in ({"set_attributes": {"FileSetID": "X"}}, {"remove_attributes": ("FileSetID",)}):
        with pytest.raises(InvalidOptionError, match="belongs to a DICOMDIR"):
            convert_bytes(image, to="explicit-le", **options)


def test_verification_notices_records_that_name_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "write_offsets", lambda *_: None)
    with pytest.raises(VerificationError, match="no record begins there"):
        convert_bytes(make_directory(), to="implicit-le", verify=True)

    def exchange(out: io.BytesIO, *_: object) -> None:
        content = bytearray(out.getvalue())
        records = pydicom.dcmread(io.BytesIO(content)).DirectoryRecordSequence
        starts = [record.seq_item_tell for record in records]
        for place, start in ((starts[0] + 16, starts[1]), (starts[0] + 38, starts[4])):
            content[place : place + 4] = struct.pack("<I", start)
        out.seek(0)
        out.write(content)

    monkeypatch.setattr(pipeline, "write_offsets", exchange)
    with pytest.raises(VerificationError):
        convert_bytes(make_directory(), to="implicit-le", verify=True)


def test_verification_notices_a_record_that_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = write_offsets

    def spoil(out: io.BytesIO, *rest: object) -> None:
        real(out, *rest)  # type: ignore[arg-type]
        content = out.getvalue().replace(b"STUDY", b"SERIE")
        out.seek(0)
        out.write(content)

    monkeypatch.setattr(pipeline, "write_offsets", spoil)
    with pytest.raises(VerificationError, match="an element was changed"):
        convert_bytes(make_directory(), to="implicit-le", verify=True)


def test_gdcm_does_not_write_a_directory() -> None:
    with pytest.raises(DicodecError, match="DICOMDIR"):
        convert_bytes(make_directory(), to="implicit-le", engine="gdcm")


def test_the_same_records_at_other_offsets_are_equal() -> None:
    one = make_directory()
    two = convert_bytes(one, to="explicit-le", remove_attributes=("FileSetID",))
    different = [change.keyword for change in compare(one, two).unexpected]
    assert different == ["FileSetID"]
    assert not compare(one, make_directory(undefined=True)).unexpected
    assert not compare(one, make_directory(transfer_syntax=EXPLICIT_BE)).unexpected
    moved = (*TREE[:1], Record("STUDY", below=3), *TREE[2:])
    assert compare(one, make_directory(moved)).unexpected


def test_a_data_set_of_pydicom_is_converted() -> None:
    data_set = pydicom.dcmread(io.BytesIO(make_directory()))
    made = convert_dataset(data_set, to="implicit-le")
    out = io.BytesIO()
    made.save_as(out)
    assert read_tree(out.getvalue()) == EXPECTED


def test_the_command_sets_the_id(tmp_path: Path) -> None:
    place = tmp_path / "DICOMDIR"
    place.write_bytes(make_directory())
    arguments = ["--to", "explicit-le", "--set", "FileSetID=NEW_NAME"]
    assert run(["convert", str(place), "-o", str(tmp_path / "one"), *arguments]) == 0
    assert run(["convert", str(place), "--in-place", *arguments]) == 0
    for made in (tmp_path / "one", place):
        assert pydicom.dcmread(made).FileSetID == "NEW_NAME"
        assert read_tree(made.read_bytes()) == EXPECTED


@pytest.mark.filterwarnings("ignore")  # pydicom warns of the sources' transfer syntaxes
@pytest.mark.parametrize(
    "name",
    ["DICOMDIR", "DICOMDIR-bigEnd", "DICOMDIR-implicit", "DICOMDIR-reordered", "DICOMDIR-empty.dcm",
     "TINY_ALPHA/DICOMDIR"],
)  # fmt: skip
def test_real_directories_are_read_by_pydicom_and_dcmtk(name: str, tmp_path: Path) -> None:
    source = Path(shutil.copytree(REAL, tmp_path / "set")) / name
    place = source.with_name("ANOTHER")
    edits = {"FileSetID": "ANOTHER_NAME"}
    convert(source, place, to="explicit-le", verify=True, set_attributes=edits)
    before, after = (pydicom.dcmread(path) for path in (source, place))
    assert _of_file_set(after) == _of_file_set(before)
    dumped = subprocess.run(
        [program("dcmdump"), "-q", "+P", "0004,1430", place], capture_output=True, text=True
    )
    assert (dumped.returncode, dumped.stderr) == (0, "")
    assert dumped.stdout.count("DirectoryRecordType") == len(after.DirectoryRecordSequence)


def _of_file_set(directory: pydicom.Dataset) -> list[tuple[str, str, str]]:
    found = FileSet(directory)
    instances = [
        (str(one.PatientID), str(one.StudyInstanceUID), str(one.SOPInstanceUID)) for one in found
    ]
    found._stage[
        "t"
    ].cleanup()  # pydicom leaves its folder to the garbage collector, with a warning
    kinds = [one.DirectoryRecordType for one in directory.DirectoryRecordSequence]
    assert len(instances) == kinds.count("IMAGE")
    return instances
