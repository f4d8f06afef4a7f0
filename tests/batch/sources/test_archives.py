"""Archives as sources: their members as streams, hostile names, damage, and bounds."""

from __future__ import annotations

import io
import lzma
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from dicodec.batch.sources.archives import list_members, open_member
from dicodec.batch.sources.opening import open_source
from dicodec.batch.sources.references import SourceReference, release
from dicodec.errors import DicodecError, ReadError
from dicodec.model.limits import DEFAULT_LIMITS
from dicodec.model.source_names import is_archive
from helpers.archives import make_archive
from helpers.made import IMAGE_KINDS

CONTENT = IMAGE_KINDS["gray-16"].make()[0]
FILES = {"a/1.dcm": CONTENT, "notes.txt": b"text", "b/2.dcm": CONTENT[::-1], "empty": b""}
KINDS = ("x.zip", "stored.zip", "x.tar", "x.tar.gz", "x.tbz2", "x.tar.xz")


def references(path: Path) -> list[SourceReference]:
    found = list(list_members(str(path)))
    assert all(isinstance(one, SourceReference) for one in found)
    return [one for one in found if isinstance(one, SourceReference)]


def content(reference: SourceReference) -> bytes:
    with open_source(reference) as source:
        if isinstance(source, str):
            return Path(source).read_bytes()
        assert isinstance(source, io.BufferedIOBase)
        return source.read()


@pytest.mark.parametrize("name", KINDS)
def test_members_come_in_order_with_their_bytes(name: str, tmp_path: Path) -> None:
    path = make_archive(tmp_path / name, FILES)
    assert is_archive(str(path))
    found = references(path)

    assert [one.member for one in found] == [*FILES]
    assert [one.name for one in found] == [f"{path}!/{member}" for member in FILES]
    assert [one.size for one in found] == [len(one) for one in FILES.values()]
    dicom = [one for one in found if one.member == "a/1.dcm"]
    assert [content(one) for one in dicom] == [CONTENT]
    if found[0].spool is None:
        assert [content(one) for one in reversed(found)] == [*reversed(FILES.values())]
    for one in found:
        release(one)
        assert one.spool is None or not Path(one.spool).exists()


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz"])
def test_links_in_a_tar_are_files(name: str, tmp_path: Path) -> None:
    """GNU tar stores the second name of a file with two as a hard link to the first."""
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "1.dcm").write_bytes(CONTENT)
    (folder / "2.dcm").hardlink_to(folder / "1.dcm")
    (folder / "sub" / "3.dcm").hardlink_to(folder / "1.dcm")
    (folder / "sub" / "0.dcm").symlink_to("../1.dcm")
    (folder / "sub" / "around").symlink_to("../sub")
    (folder / "nothing").symlink_to("/etc/passwd")
    with tarfile.open(tmp_path / name, "w:gz" if name.endswith("gz") else "w") as tar:
        tar.add(folder, arcname=".")

    found = references(tmp_path / name)
    names = sorted(one.member or "" for one in found)
    assert names == ["./1.dcm", "./2.dcm", "./sub/0.dcm", "./sub/3.dcm"]
    assert {content(one) for one in found} == {CONTENT}
    assert len({one.spool for one in found}) == (4 if name.endswith("gz") else 1)
    for one in found:
        release(one)


def test_of_a_compressed_tar_only_dicom_is_kept(tmp_path: Path) -> None:
    path = make_archive(tmp_path / "x.tgz.tar.gz", {"notes": b"t" * 5_000_000})
    (found,) = references(path)
    assert found.spool is not None
    assert Path(found.spool).stat().st_size == 1024
    release(found)


def test_a_compressed_tar_is_read_only_as_far_as_it_is_listed(tmp_path: Path) -> None:
    path = make_archive(tmp_path / "x.tar.gz", {f"{number}": CONTENT for number in range(9)})
    listing = list_members(str(path))
    first = next(listing)
    assert isinstance(first, SourceReference)
    listing.close()  # type: ignore[attr-defined]
    assert content(first) == CONTENT
    release(first)


def test_a_name_that_comes_twice_is_two_members(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"one")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", b"two")

    assert [content(one) for one in references(path)] == [b"one", b"two"]


def test_claimed_sizes_are_bounded(tmp_path: Path) -> None:
    path = make_archive(tmp_path / "x.zip", {"a": bytes(600), "b": bytes(600)})
    listing = list_members(str(path), replace(DEFAULT_LIMITS, inflated_size=1000))

    assert isinstance(next(listing), SourceReference)
    with pytest.raises(ReadError, match="claim more than 1000 bytes") as raised:
        next(listing)
    assert raised.value.code == "limit-exceeded"


def test_a_member_gives_no_more_than_it_claims(tmp_path: Path) -> None:
    path = make_archive(tmp_path / "x.tar", {"a": b"12345", "b": b"6789"})
    first = references(path)[0]
    with open_member(replace(first, size=3)) as stream:
        assert stream.read() == b"123"


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("part", [0.3, 0.9])
def test_damage_is_an_error_that_names_the_archive(name: str, part: float, tmp_path: Path) -> None:
    path = make_archive(tmp_path / name, FILES)
    whole = path.read_bytes()
    start = int(len(whole) * part)
    path.write_bytes(whole[:start] + bytes(byte ^ 0xFF for byte in whole[start : start + 200]))

    errors: list[DicodecError] = []
    try:
        for one in list_members(str(path)):
            assert isinstance(one, SourceReference)
            release(one)
            if one.spool is None:
                content(one)
    except DicodecError as error:
        errors.append(error)
    # What has no checksum shows no damage: whoever reads the member finds it, or nobody.
    assert errors or name == "x.tar"
    assert {error.code for error in errors} <= {"malformed-file", "source-unavailable"}
    assert all(str(path) in str(error.path) for error in errors)


def test_an_archive_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(b"text" * 100)
    with pytest.raises(ReadError, match="archive cannot be read"):
        list(list_members(str(path)))
    with pytest.raises(ReadError, match="No such file"):
        list(list_members(str(tmp_path / "missing.tar")))


def test_a_password_is_an_error(tmp_path: Path) -> None:
    path = make_archive(tmp_path / "stored.zip", {"a": b"1234"})
    raw = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (start := raw.find(signature, start)) >= 0:
            raw[start + place] |= 1  # general purpose bit 0: encrypted
            start += 4
    path.write_bytes(raw)
    (reference,) = references(path)

    with pytest.raises(ReadError, match="encrypted"):
        content(reference)


def test_a_stream_cut_short_is_an_error_of_its_member(tmp_path: Path) -> None:
    path = tmp_path / "x.tar.xz"
    inner = make_archive(tmp_path / "x.tar", {"a": CONTENT * 200}).read_bytes()
    path.write_bytes(lzma.compress(inner)[:-100])
    with pytest.raises(ReadError, match="archive cannot be read"):
        list(list_members(str(path)))
