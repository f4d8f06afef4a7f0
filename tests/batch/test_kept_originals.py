"""Originals that `--backup` kept: no run replaces them, and none converts them unnamed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Unpack

import pytest

from dicodec import ConversionSettings, convert, convert_bytes
from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.tables import LEDGER_NAME
from dicodec.cli.main import run
from dicodec.conversion.output.kept_originals import (
    LIST_NAME,
    enter_kept_original,
    is_kept_original,
    read_kept_names,
)
from dicodec.errors import TargetExistsError, TargetUnavailableError
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.submission import SubmitOptions, make_requests
from helpers.made import IMAGE_KINDS

CONTENT = IMAGE_KINDS["gray-16"].make()[0]
OTHER = IMAGE_KINDS["gray-8"].make()[0]
NAMES = ("a.dcm", "below/b.dcm", "below/ü\n\\c.dcm")


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files but ledgers and lists."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith((LEDGER_NAME, LIST_NAME))
    }


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A folder that was converted in place, its originals kept."""
    folder = tmp_path / "archive"
    (folder / "below").mkdir(parents=True)
    for name in NAMES:
        (folder / name).write_bytes(CONTENT)
    arguments = ["convert", str(folder), "--to", "rle", "--in-place", "--backup", ".orig"]
    assert run(arguments) == 0
    return folder


def expected(to: str, **options: Unpack[ConversionSettings]) -> dict[str, bytes]:
    """Return what an archive holds whose files were converted once more."""
    first = convert_bytes(CONTENT, to="rle")
    result = first if to == "rle" else convert_bytes(first, to=to, **options)
    return {
        **dict.fromkeys(NAMES, result),
        **{f"{name}.orig": CONTENT for name in NAMES},
    }


def test_their_list_is_one_that_sha256sum_checks(archive: Path) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert (archive / LIST_NAME).read_text() == f"{digest}  a.dcm.orig\n"
    assert sorted((archive / "below" / LIST_NAME).read_text().splitlines()) == [
        f"\\{digest}  ü\\n\\\\c.dcm.orig", f"{digest}  b.dcm.orig",
    ][::-1]  # fmt: skip
    assert {name for name in contents(archive) if is_kept_original(archive / name)} == {
        f"{name}.orig" for name in NAMES
    }


@pytest.mark.parametrize("more", [[], ["--hidden"], ["--backup", "~"], ["--ledger", "other"]])
def test_a_later_run_in_place_leaves_them(
    archive: Path, tmp_path: Path, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    more = [str(tmp_path / one) if one == "other" else one for one in more]
    assert run(["convert", str(archive), "--to", "explicit-le", "--in-place", *more]) == 0

    found = contents(archive)
    assert {name: found[name] for name in expected("rle")} == expected("explicit-le")
    assert "3 originals kept by --backup" in capsys.readouterr().err


def test_a_lossy_run_in_place_leaves_them(archive: Path) -> None:
    assert run(["convert", str(archive), "--to", "jpeg2000", "--ratio", "30", "--in-place"]) == 0

    found = contents(archive)
    assert {found[f"{name}.orig"] for name in NAMES} == {CONTENT}


def test_a_run_into_another_folder_leaves_them_out(archive: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    link = archive / "link.dcm"
    link.symlink_to("a.dcm.orig")

    assert run(["convert", str(archive), "--to", "explicit-le", "-o", str(output)]) == 0

    assert [*contents(output)] == [*NAMES]


def test_no_job_is_made_of_them(archive: Path, tmp_path: Path) -> None:
    wish = SubmitOptions(
        output=str(tmp_path / "output"), template=Request(id="", source="", to=("explicit-le",))
    )
    requests = [one for one in make_requests([str(archive)], wish) if isinstance(one, Request)]

    assert sorted(one.source for one in requests) == sorted(str(archive / name) for name in NAMES)


def test_a_copy_of_the_folder_knows_them_too(archive: Path, tmp_path: Path) -> None:
    copy = archive.rename(tmp_path / "elsewhere")

    assert run(["convert", str(copy), "--to", "explicit-le", "--in-place"]) == 0

    found = contents(copy)
    assert {name: found[name] for name in expected("rle")} == expected("explicit-le")


def test_one_that_is_named_is_converted_to_another_place(archive: Path, tmp_path: Path) -> None:
    kept = archive / "a.dcm.orig"
    output = tmp_path / "output"

    assert run(["convert", str(kept), "--to", "rle", "-o", str(output), "--jobs", "1"]) == 0
    assert output.read_bytes() == convert_bytes(CONTENT, to="rle")
    assert kept.read_bytes() == CONTENT


@pytest.mark.parametrize("more", [[], ["--jobs", "1"]])
@pytest.mark.parametrize("to", ["jpeg-ls", "explicit-le"])  # it is in Explicit VR already
def test_one_that_is_named_alone_is_not_replaced(
    archive: Path, to: str, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    kept = archive / "a.dcm.orig"
    link = archive / "link.dcm"
    link.symlink_to(kept.name)

    for path in (kept, link):
        arguments = ["convert", str(path), "--to", to, "--in-place", *more]
        assert run([*arguments, "--dry-run"]) == 1
        assert run(arguments) == 1
        assert "copy or rename the original" in capsys.readouterr().err

    assert kept.read_bytes() == CONTENT


def test_a_call_does_not_replace_one(archive: Path) -> None:
    kept = archive / "a.dcm.orig"
    with pytest.raises(TargetExistsError, match="`backup` kept") as raised:
        convert(kept, kept, to="jpeg-ls", overwrite=True)
    assert raised.value.hint is not None
    assert LIST_NAME in raised.value.hint
    assert kept.read_bytes() == CONTENT

    renamed = kept.rename(archive / "renamed.dcm")
    assert convert(renamed, renamed, to="jpeg-ls", overwrite=True).target_syntax == "jpeg-ls"


@pytest.mark.parametrize("more", [[], ["--jobs", "1"], ["--dry-run"], ["--dry-run", "--jobs", "1"]])
def test_those_that_a_glob_names_are_passed_over(
    archive: Path, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    named = [str(path) for path in sorted(archive.glob("*"))]
    assert str(archive / "a.dcm.orig") in named
    arguments = ["convert", *(path for path in named if "a.dcm" in path)]

    assert run([*arguments, "--to", "jpeg2000", "--ratio", "30", "--in-place", *more]) == 0

    assert "though they are named" in capsys.readouterr().err
    assert (archive / "a.dcm.orig").read_bytes() == CONTENT


def test_those_that_a_list_names_are_passed_over(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = tmp_path / "names"
    names.write_text(f"{archive}/a.dcm\n{archive}/a.dcm.orig\n{archive}/below/b.dcm.orig\n")
    ledger = ["--ledger", str(tmp_path / "ledger")]

    arguments = ["convert", "--files-from", str(names), "--to", "explicit-le", "--in-place"]
    assert run([*arguments, *ledger]) == 0

    assert "2 originals kept by --backup, though they are named" in capsys.readouterr().err
    assert (archive / "a.dcm.orig").read_bytes() == CONTENT
    assert (archive / "below" / "b.dcm.orig").read_bytes() == CONTENT


def test_a_list_that_grows_or_is_rewritten_is_read_again(tmp_path: Path) -> None:
    listing = tmp_path / LIST_NAME
    for name in ("one", "two", "three"):
        assert not is_kept_original(tmp_path / name)
        enter_kept_original(tmp_path / name, "0" * 64)
        assert is_kept_original(tmp_path / name)

    lines = listing.read_bytes().splitlines(keepends=True)
    listing.write_bytes(lines[1])
    assert [is_kept_original(tmp_path / name) for name in ("one", "two", "three")] == [
        False, True, False,
    ]  # fmt: skip
    listing.write_bytes(b"".join([*lines, *lines]).replace(b"two", b"six"))
    assert [is_kept_original(tmp_path / name) for name in ("one", "two", "six")] == [
        True, False, True,
    ]  # fmt: skip


def test_no_result_takes_their_place(archive: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.dcm.orig").write_bytes(OTHER)
    kept = archive / "a.dcm.orig"

    with pytest.raises(TargetExistsError, match="`backup` kept") as raised:
        convert(other / "a.dcm.orig", kept, to="rle", overwrite=True)
    assert raised.value.hint
    options = ["--to", "rle", "--overwrite", "-o", str(archive)]
    named = ["convert", str(other / "a.dcm.orig"), "--to", "rle", "--overwrite", "-o", str(kept)]
    assert run(named) == 1
    assert run([*named, "--dry-run"]) == 1
    assert run(["convert", str(other), *options]) == 1
    assert run(["convert", str(other), *options, "--dry-run"]) == 1

    assert kept.read_bytes() == CONTENT


def test_the_ledger_knows_what_was_replaced_by_digest(archive: Path) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()

    with Ledger(str(archive / LEDGER_NAME), writing=False) as ledger:
        found = [(entry.source_digest, json.loads(report or "{}")["replaced_digest"])
                 for entry, report in ledger.read_entries(reports=True)]  # fmt: skip

    assert found == [(digest, digest)] * 3


def test_a_kept_original_that_was_put_back_is_a_source_again(archive: Path) -> None:
    (archive / "a.dcm.orig").replace(archive / "a.dcm")

    assert run(["convert", str(archive / "a.dcm"), "--to", "rle", "--in-place",
                "--backup", ".orig", "--jobs", "1"]) == 0  # fmt: skip

    assert (archive / "a.dcm").read_bytes() == convert_bytes(CONTENT, to="rle")
    assert (archive / "a.dcm.orig").read_bytes() == CONTENT


def test_one_file_alone_is_entered_too(tmp_path: Path) -> None:
    source = tmp_path / "a.dcm"
    source.write_bytes(CONTENT)
    report = convert(source, source, to="rle", overwrite=True, backup="~")

    assert report.replaced_digest == hashlib.sha256(CONTENT).hexdigest()
    assert "a.dcm~" in read_kept_names(tmp_path)
    assert run(["convert", str(tmp_path), "--to", "jpeg-ls", "--in-place"]) == 0
    assert (tmp_path / "a.dcm~").read_bytes() == CONTENT


def test_a_target_that_was_overwritten_is_entered_too(tmp_path: Path) -> None:
    source, target = tmp_path / "a.dcm", tmp_path / "target.dcm"
    source.write_bytes(CONTENT)
    target.write_bytes(OTHER)
    convert(source, target, to="rle", overwrite=True, backup=".orig")

    assert (tmp_path / LIST_NAME).read_text().split() == [
        hashlib.sha256(OTHER).hexdigest(), "target.dcm.orig",
    ]  # fmt: skip


def test_the_file_of_somebody_else_is_not_entered(tmp_path: Path) -> None:
    source = tmp_path / "a.dcm"
    source.write_bytes(CONTENT)
    (tmp_path / "a.dcm.orig").write_bytes(OTHER)

    with pytest.raises(TargetExistsError, match="backup exists"):
        convert(source, source, to="rle", overwrite=True, backup=".orig")

    assert not is_kept_original(tmp_path / "a.dcm.orig")


def test_a_line_that_was_cut_off_disturbs_no_other(tmp_path: Path) -> None:
    listing = tmp_path / LIST_NAME
    enter_kept_original(tmp_path / "one", "0" * 64)
    listing.write_bytes(listing.read_bytes() + b"0" * 64 + b"  two")  # as after a power cut
    enter_kept_original(tmp_path / "three", "0" * 64)

    names = read_kept_names(tmp_path)
    assert [name in names for name in ("one", "two", "three", "four")] == [True, True, True, False]


@pytest.mark.parametrize("what", ["link", "folder", "pipe"])
def test_what_is_no_list_is_not_read_and_not_written_to(tmp_path: Path, what: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"")
    listing = tmp_path / LIST_NAME
    if what == "link":
        listing.symlink_to(elsewhere)
    elif what == "folder":
        listing.mkdir()
    else:
        os.mkfifo(listing)
    source = tmp_path / "a.dcm"
    source.write_bytes(CONTENT)

    assert "a.dcm" not in read_kept_names(tmp_path)
    with pytest.raises(TargetUnavailableError):
        convert(source, source, to="rle", overwrite=True, backup=".orig")

    assert source.read_bytes() == CONTENT
    assert elsewhere.read_bytes() == b""
