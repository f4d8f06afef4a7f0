"""Object storage: names, reading by ranges, uploading whole, and conversions, against moto's S3."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dicodec import ConversionOptions, convert_bytes, inspect, open_image
from dicodec.batch.cloud_conversion import convert_objects
from dicodec.batch.sources import cloud
from dicodec.batch.sources.cloud import (
    ObjectFacts,
    copy_object,
    exists,
    list_objects,
    read_facts,
    tell_kept_apart,
    upload,
)
from dicodec.batch.sources.cloud_source import BLOCK_SIZE, CloudObject, open_object
from dicodec.batch.sources.folders import WalkOptions
from dicodec.batch.sources.listing import ListedSource, list_sources, parse_sources
from dicodec.batch.sources.opening import open_source
from dicodec.cli.main import run
from dicodec.conversion.convert import convert_with
from dicodec.errors import (
    DicodecError,
    EmptyFileError,
    InvalidOptionError,
    ReadError,
    SourceChangedError,
    SourceUnavailableError,
    TargetExistsError,
    TargetUnavailableError,
    VerificationError,
    WriteError,
)
from dicodec.model.installation import describe_extra
from dicodec.model.limits import DEFAULT_LIMITS
from dicodec.model.source_names import ObjectUrl, is_object_url, parse_object_url
from dicodec.part10.dicom_file import open_dicom
from dicodec.part10.source import OpenSource
from dicodec.report import LEFT_ALONE
from helpers.dicom_network import find_free_port
from helpers.made import IMAGE_KINDS, make_file
from helpers.object_store import call_moto, lead_to_store, running_moto

CONTENT = IMAGE_KINDS["multi-frame"].make()[0]
EXPECTED = convert_bytes(CONTENT, to="rle")
OPTIONS = ConversionOptions(to=("rle",))


# Names.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket/a/b.dcm", ObjectUrl("s3", "bucket", "a/b.dcm")),
        ("S3://bucket/a/", ObjectUrl("s3", "bucket", "a/")),
        ("gs://bucket", ObjectUrl("gs", "bucket", "")),
        ("az://container/ä b.dcm", ObjectUrl("az", "container", "ä b.dcm")),
    ],
)
def test_names_are_taken_apart(text: str, expected: ObjectUrl) -> None:
    assert is_object_url(text)
    found = parse_object_url(text)
    assert found == expected
    assert parse_object_url(str(found)) == found
    assert found.is_prefix == (not found.key or text.endswith("/"))


@pytest.mark.parametrize(
    "text",
    ["s3://", "s3:///key", "s3://user:secret@host/key", "s3://b/a//b", "s3://b/../x", "gs://b/./x"],
)
def test_wrong_names_are_refused(text: str) -> None:
    with pytest.raises(InvalidOptionError) as raised:
        parse_object_url(text)
    assert raised.value.code == "invalid-option"


def test_paths_are_no_urls() -> None:
    for name in ("s3", "/s3://x", "file://x", "https://x", "C:/x", "s3:/x", Path("s3://x"), None):
        assert not is_object_url(name)


@pytest.mark.parametrize("url", ["s3://bucket/key", "gs://bucket/key", "az://container/key"])
def test_stores_are_those_of_the_schemes(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    cloud._make_store.cache_clear()
    found = type(cloud._open_store(parse_object_url(url))).__name__
    assert found == {"s3": "S3Store", "gs": "GCSStore", "az": "AzureStore"}[url[:2]]
    cloud._make_store.cache_clear()


def test_azure_needs_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    cloud._make_store.cache_clear()
    with pytest.raises(InvalidOptionError, match="Account must be specified"):
        read_facts(parse_object_url("az://container/key"))


def test_without_obstore_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(InvalidOptionError, match="needs obstore") as raised:
        open_object(parse_object_url("s3://bucket/key"))
    assert raised.value.hint == describe_extra("cloud")


def test_nobody_else_imports_obstore() -> None:
    code = (
        "import sys; from dicodec.cli.main import run; run(['policy', 'list']); "
        "import dicodec.cli.convert.batch.run, dicodec.batch.sources.locations; "
        "sys.exit('obstore' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False)
    assert ended.returncode == 0


# A store.


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """Start moto's server, and return its port."""
    with running_moto() as port:
        yield port


@pytest.fixture
def bucket(server: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Make an empty bucket, and the environment that leads to it."""
    lead_to_store(f"http://127.0.0.1:{server}", monkeypatch)
    call_moto(server, "POST", "moto-api/reset")
    call_moto(server, "PUT", "bucket")
    cloud._make_store.cache_clear()
    yield "s3://bucket/"
    cloud._make_store.cache_clear()


def put(url: str, content: bytes, folder: Path) -> ObjectUrl:
    path = folder / "to-upload"
    path.write_bytes(content)
    upload(path, parse_object_url(url), overwrite=True)
    return parse_object_url(url)


def test_frames_of_an_object_are_read_by_ranges(bucket: str, tmp_path: Path) -> None:
    content, samples = make_file(1024, 1024, 1, 16, 16, frames=4)
    put(f"{bucket}big.dcm", content, tmp_path)

    with open_image(f"{bucket}big.dcm") as image:
        assert np.array_equal(image.read_frame(2), samples[2])
        opened = image.file.source
        assert isinstance(opened, CloudObject)
        assert opened.requests <= 4
        assert sum(opened._there) * BLOCK_SIZE < len(content) / 2
        assert np.array_equal([*image], samples)
    with pytest.raises(SourceUnavailableError):
        open_image(f"{bucket}missing.dcm")


def test_an_object_is_inspected(bucket: str, tmp_path: Path) -> None:
    content, _ = make_file(64, 64, 1, 16, 16)
    put(f"{bucket}a.dcm", content, tmp_path)

    found = inspect(f"{bucket}a.dcm")
    assert (found.source, found.size) == (f"{bucket}a.dcm", len(content))
    with pytest.raises(SourceUnavailableError) as caught:
        inspect(f"{bucket}missing.dcm")
    assert caught.value.path == f"{bucket}missing.dcm"


@pytest.mark.parametrize("syntax", ["rle", "encapsulated-uncompressed"])
def test_a_frame_of_a_large_object_is_fetched_without_the_others(
    syntax: str, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the offset table: the head, the first and the last frame, and its own bytes."""
    noise = np.random.default_rng(5).integers(0, 256, (24, 512, 1024), np.uint8)
    content, samples = make_file(512, 1024, 1, 8, 8, frames=24, pixels=noise)
    packed = convert_bytes(content, to=syntax)
    put(f"{bucket}big.dcm", packed, tmp_path)
    fetched: list[int] = []
    keep = CloudObject._keep

    def count(opened: CloudObject, first: int, content: bytes) -> None:
        fetched.append(len(content))
        keep(opened, first, content)

    monkeypatch.setattr(CloudObject, "_keep", count)
    with open_image(f"{bucket}big.dcm") as image:
        opening = sum(fetched)
        assert np.array_equal(image.read_frame(13), samples[13])
        own = sum(fetched) - opening
        frame = len(image.frame_bytes(13))
    around = 2 * BLOCK_SIZE  # a frame begins and ends within a block
    assert frame <= own <= frame + around + BLOCK_SIZE  # and the next one begins in another
    assert opening <= 2 * (frame + around) + BLOCK_SIZE
    assert own + opening < len(packed) / 3


def get(url: str) -> bytes:
    with open_object(parse_object_url(url)) as found:
        return found.read(0, found.size)


def names(prefix: str) -> list[str]:
    return [facts.url.key for facts in list_objects(parse_object_url(prefix))]


def test_objects_are_listed_below_a_prefix(bucket: str, tmp_path: Path) -> None:
    for key in ("b", "a/2", "a/1", "ab/3", "a/deep/4"):
        put(bucket + key, key.encode(), tmp_path)
    assert names(bucket) == ["a/1", "a/2", "a/deep/4", "ab/3", "b"]
    assert names(bucket + "a/") == ["a/1", "a/2", "a/deep/4"]
    assert names(bucket + "none/") == []
    (facts,) = list_objects(parse_object_url(bucket + "ab/"))
    assert (facts.size, facts == read_facts(facts.url)) == (4, True)
    assert pickle.loads(pickle.dumps(facts)) == facts


def test_a_header_costs_one_request_and_frames_few(bucket: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 4096, (40, 512, 512), np.uint16)
    content = make_file(512, 512, frames=40, pixels=pixels)[0]
    url = put(bucket + "large.dcm", content, tmp_path)
    with open_object(url) as found:
        with open_dicom(found) as file:
            assert file.frames.present
        assert found.requests == 1
        parts = [found.read(start, 100_000) for start in range(0, len(content), 100_000)]
        assert b"".join(parts) == content
        blocks = -(-len(content) // BLOCK_SIZE)
        assert found.requests <= 9 < blocks
        before = found.requests
        assert found.read(7_000_001, 3_000_000) == content[7_000_001:10_000_001]
        assert found.read(len(content) - 5, 100) == content[-5:]
        assert found.read(len(content), 10) == b""
        assert found.requests == before


def test_what_is_not_read_is_not_fetched(bucket: str, tmp_path: Path) -> None:
    content = os.urandom(20 * BLOCK_SIZE + 17)
    with open_object(put(bucket + "x", content, tmp_path)) as found:
        for block in (19, 7, 13, 7, 20, 3):  # to and fro, as the items of fragments lie
            start = block * BLOCK_SIZE + 5
            assert found.read(start, 12) == content[start : start + 12]
        assert found.requests == 6
        assert sum(found._there) == 6


def test_large_objects_are_held_in_a_file(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicodec.batch.sources.cloud_source.SPOOL_SIZE", 1000)
    content = os.urandom(5 * BLOCK_SIZE + 3)
    with open_object(put(bucket + "x", content, tmp_path)) as found:
        assert found._fetched._memory is None
        assert found.read(3 * BLOCK_SIZE - 4, 9) == content[3 * BLOCK_SIZE - 4 :][:9]
        assert found.read(0, found.size) == content


def test_an_object_that_is_replaced_meanwhile_is_an_error(bucket: str, tmp_path: Path) -> None:
    url = put(bucket + "x", os.urandom(3 * BLOCK_SIZE), tmp_path)
    with open_object(url) as found:
        put(bucket + "x", os.urandom(3 * BLOCK_SIZE), tmp_path)
        with pytest.raises(SourceChangedError) as raised:
            found.read(2 * BLOCK_SIZE, 1)
    assert raised.value.path == bucket + "x"


def test_what_is_not_there_or_empty_is_said_so(bucket: str, tmp_path: Path) -> None:
    for url in (bucket + "none", "s3://nobucket/key"):
        with pytest.raises(SourceUnavailableError, match="does not exist") as raised:
            open_object(parse_object_url(url))
        assert raised.value.path == url
    put(bucket + "empty", b"", tmp_path)
    with (
        open_object(parse_object_url(bucket + "empty")) as found,
        pytest.raises(EmptyFileError),
        OpenSource(found),
    ):
        pass


def test_nothing_is_overwritten_unasked(bucket: str, tmp_path: Path) -> None:
    path = tmp_path / "new"
    path.write_bytes(b"new")
    url = put(bucket + "x", b"old", tmp_path)
    with pytest.raises(TargetExistsError):
        upload(path, url, overwrite=False)
    assert get(str(url)) == b"old"
    with pytest.raises(SourceChangedError):
        upload(path, url, overwrite=True, replaces='"another"')
    assert get(str(url)) == b"old"
    upload(path, url, overwrite=True, replaces=read_facts(url).etag)
    assert get(str(url)) == b"new"


def test_an_object_that_appears_meanwhile_stays(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new"
    path.write_bytes(b"new")
    url = put(bucket + "x", b"theirs", tmp_path)
    monkeypatch.setattr(cloud, "exists", lambda _: False)
    with pytest.raises(TargetExistsError):
        upload(path, url, overwrite=False)
    assert get(str(url)) == b"theirs"


def test_large_files_go_in_parts(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(17 << 20)
    url = put(bucket + "large", content, tmp_path)
    etag = read_facts(url).etag
    assert etag is not None
    assert etag.endswith('-3"')  # the number of parts
    assert get(str(url)) == content


def test_errors_of_the_store_are_ours_and_tell_no_secrets(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new"
    path.write_bytes(b"new")
    with pytest.raises(TargetUnavailableError, match="does not exist"):
        upload(path, parse_object_url("s3://nobucket/x"), overwrite=True)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{find_free_port()}")
    monkeypatch.setattr(cloud, "_RETRIES", {"max_retries": 0})
    cloud._make_store.cache_clear()
    errors: list[DicodecError] = []
    for action in (
        lambda: open_object(parse_object_url(bucket + "x")),
        lambda: list(list_objects(parse_object_url(bucket))),
        lambda: exists(parse_object_url(bucket + "x")),
        lambda: upload(path, parse_object_url(bucket + "x"), overwrite=True),
    ):
        with pytest.raises((ReadError, WriteError), match="the store says") as raised:
            action()
        errors.append(raised.value)
    for error in errors:
        assert "do-not-tell" not in str(error)
        assert "\n" not in str(error)
    signed = cloud._cut_first_line(
        ValueError("GET https://x/y?sig=secret&se=1 failed\nDebug: secret")
    )
    assert signed == "GET https://x/y?... failed"


def test_a_copy_overwrites_nothing(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(url: ObjectUrl, suffix: str) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(cloud, "PART_SIZE", 5)  # uploads have larger ones
            copy_object(url, suffix)

    url = put(bucket + "x", b"content", tmp_path)
    for _ in range(2):  # the second time it is there
        copy(url, ".orig")
        assert get(bucket + "x.orig") == b"content"
    for other in (b"content, and more", b"contenT", b""):
        put(bucket + "x", other, tmp_path)
        with pytest.raises(TargetExistsError, match="backup exists"):
            copy(url, ".orig")
    put(bucket + "x.not-marked", get(bucket + "x"), tmp_path)
    with pytest.raises(TargetExistsError, match="backup exists"):
        copy(url, ".not-marked")
    assert get(bucket + "x.orig") == b"content"


def test_after_an_upload_that_failed_a_conversion_with_a_backup_goes_on(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = bucket + "x.dcm"
    put(url, CONTENT, tmp_path)
    options = ConversionOptions(to=("rle",), overwrite=True, backup=".orig")

    def fail(*_: object, **__: object) -> None:
        raise WriteError("the store is gone")

    with monkeypatch.context() as patch:
        patch.setattr("dicodec.batch.cloud_conversion.upload", fail)
        with pytest.raises(WriteError, match="gone"):
            convert_objects(url, url, options, convert_with)
    assert (get(url), get(url + ".orig")) == (CONTENT, CONTENT)

    convert_objects(url, url, options, convert_with)
    assert (get(url), get(url + ".orig")) == (EXPECTED, CONTENT)


def test_kept_originals_are_told_apart_whatever_lies_between() -> None:
    keys = ["a", "a!.dcm", "a.dcm", "a.dcm-2", "a.dcm.dicodec-kept", "a.dicodec-kept", "a/b", "b",
            "c.dicodec-kept"]  # fmt: skip
    found = [ObjectFacts(ObjectUrl("s3", "bucket", key), 1, 1, None) for key in keys]

    assert [(facts.url.key, kept) for facts, kept in tell_kept_apart(found)] == [
        ("a", True), ("a!.dcm", False), ("a.dcm", True), ("a.dcm-2", False), ("a/b", False),
        ("b", False),
    ]  # fmt: skip


def test_kept_originals_are_neither_converted_nor_replaced(bucket: str, tmp_path: Path) -> None:
    put(bucket + "x.dcm", CONTENT, tmp_path)
    ledger = ["--ledger", str(tmp_path / "ledger.sqlite"), "--jobs", "1"]
    in_place = ["convert", bucket, "--in-place", *ledger]

    assert run([*in_place, "--to", "rle", "--backup", ".orig"]) == 0
    assert run([*in_place, "--to", "jpeg-ls"]) == 0
    assert run([*in_place, "--to", "jpeg-ls", "--backup", ".orig"]) == 0
    overwriting = ConversionOptions(to=("rle",), overwrite=True)
    for source in (bucket + "x.dcm", bucket + "x.dcm.orig"):  # the second one onto itself
        with pytest.raises(TargetExistsError, match="`backup` kept"):
            convert_objects(source, bucket + "x.dcm.orig", overwriting, convert_with)
    glob = ["convert", bucket + "x.dcm", bucket + "x.dcm.orig", "--in-place", "--to", "jpeg-ls"]
    assert run(glob) == 0
    assert run([*glob, *ledger]) == 0

    assert get(bucket + "x.dcm") == convert_bytes(EXPECTED, to="jpeg-ls")
    assert get(bucket + "x.dcm.orig") == CONTENT
    named = ["convert", bucket + "x.dcm.orig", "--to", "rle", "-o", str(tmp_path / "out")]
    assert run([*named, *ledger]) == 0
    assert (tmp_path / "out").read_bytes() == EXPECTED


def test_originals_in_a_store_are_not_put_back(
    bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(bucket + "x.dcm", CONTENT, tmp_path)
    put(bucket + "right.dcm", EXPECTED, tmp_path)
    ledger = str(tmp_path / "ledger.sqlite")
    run(["convert", bucket, "--to", "rle", "--in-place", "--backup", ".orig", "--ledger", ledger])
    result = get(bucket + "x.dcm")

    assert run(["restore", ledger]) == 1

    told = capsys.readouterr().err
    assert f"{bucket}x.dcm: originals in object storage" in told
    assert "0 restored, 1 refused" in told
    assert get(bucket + "x.dcm") == result
    assert get(bucket + "x.dcm.orig") == CONTENT


# Conversions.


def test_an_object_becomes_another(bucket: str, tmp_path: Path) -> None:
    put(bucket + "in.dcm", CONTENT, tmp_path)
    report = convert_objects(bucket + "in.dcm", bucket + "out.dcm", OPTIONS, convert_with)
    assert get(bucket + "out.dcm") == EXPECTED
    assert (report.source, report.target) == (bucket + "in.dcm", bucket + "out.dcm")
    with pytest.raises(TargetExistsError):
        convert_objects(bucket + "in.dcm", bucket + "out.dcm", OPTIONS, convert_with)


def test_what_fails_uploads_nothing(bucket: str, tmp_path: Path) -> None:
    put(bucket + "in.dcm", CONTENT[:-100], tmp_path)
    options = ConversionOptions(to=("rle",), overwrite=True)
    for target in (bucket + "out.dcm", bucket + "in.dcm"):
        with pytest.raises(DicodecError) as raised:
            convert_objects(bucket + "in.dcm", target, options, convert_with)
        assert raised.value.path == bucket + "in.dcm"
    assert names(bucket) == ["in.dcm"]
    assert get(bucket + "in.dcm") == CONTENT[:-100]


def test_an_object_is_replaced_by_a_verified_result(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = bucket + "x.dcm"
    put(url, CONTENT, tmp_path)
    options = ConversionOptions(to=("rle",), overwrite=True, backup=".orig")

    def wrong(*_: object) -> None:
        raise VerificationError("wrong")

    with monkeypatch.context() as patch:
        patch.setattr("dicodec.conversion.verification.frames.verify_result", wrong)
        with pytest.raises(VerificationError):
            convert_objects(url, url, options, convert_with)
    assert names(bucket) == ["x.dcm"]

    report = convert_objects(url, url, options, convert_with)
    assert (report.verified, get(url), get(url + ".orig")) == (True, EXPECTED, CONTENT)
    etag = read_facts(parse_object_url(url)).etag
    assert convert_objects(url, url, options, convert_with).action == LEFT_ALONE
    assert read_facts(parse_object_url(url)).etag == etag


def test_an_object_that_changed_meanwhile_is_not_replaced(bucket: str, tmp_path: Path) -> None:
    url = bucket + "x.dcm"
    put(url, CONTENT, tmp_path)

    def convert_and_change(*arguments: object) -> object:
        report = convert_with(*arguments)  # type: ignore[arg-type]
        put(url, b"newer", tmp_path)
        return report

    options = ConversionOptions(to=("rle",), overwrite=True)
    with pytest.raises(SourceChangedError):
        convert_objects(url, url, options, convert_and_change)  # type: ignore[arg-type]
    assert get(url) == b"newer"


def test_the_command_takes_urls(
    bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(bucket + "in.dcm", CONTENT, tmp_path)
    report = tmp_path / "report.jsonl"
    arguments = ["convert", bucket + "in.dcm", "--to", "rle", "--report", str(report)]

    assert run([*arguments, "-o", bucket + "out/"]) == 0
    assert get(bucket + "out/in.dcm") == EXPECTED
    assert json.loads(report.read_text())["target"] == bucket + "out/in.dcm"
    assert run([*arguments, "-o", str(tmp_path / "here.dcm")]) == 0
    assert (tmp_path / "here.dcm").read_bytes() == EXPECTED
    assert (
        run(["convert", str(tmp_path / "here.dcm"), "--policy", "legacy", "-o", bucket + "l"]) == 0
    )
    assert get(bucket + "l") == convert_bytes(CONTENT, to="implicit-le")
    assert run([*arguments, "-o", bucket + "out/", "--skip-existing"]) == 0
    assert run([*arguments, "-o", bucket + "out/"]) == 1
    assert run([*arguments, "--in-place"]) == 0
    assert get(bucket + "in.dcm") == EXPECTED
    assert run(["convert", "s3://user:secret@host/x", "--to", "rle", "--in-place"]) == 1
    assert "do-not-tell" not in "".join(capsys.readouterr())


def test_prefixes_are_listed_as_folders_are(bucket: str, tmp_path: Path) -> None:
    for key in ("in/a/1.dcm", "in/2.dcm", "other/3.dcm"):
        put(bucket + key, CONTENT, tmp_path)
    sources = parse_sources([bucket + "in/", bucket + "other/3.dcm"])
    found = list(list_sources(sources, WalkOptions(), DEFAULT_LIMITS))
    places = [entry.relative for entry in found if isinstance(entry, ListedSource)]
    assert places == ["in/2.dcm", "in/a/1.dcm", "3.dcm"]
    first = found[0]
    assert isinstance(first, ListedSource)
    assert first.reference.key == bucket + "in/2.dcm"
    with open_source(pickle.loads(pickle.dumps(first.reference))) as opened:
        assert isinstance(opened, CloudObject)
        assert opened.read(0, opened.size) == CONTENT


def test_a_batch_goes_from_prefix_to_prefix(bucket: str, tmp_path: Path) -> None:
    for key in ("in/a/1.dcm", "in/2.dcm", "in/readme.txt"):
        put(bucket + key, b"text" if key.endswith("txt") else CONTENT, tmp_path)
    ledger = ["--ledger", str(tmp_path / "ledger"), "--jobs", "1", "-q"]

    assert run(["convert", bucket + "in/", "--to", "rle", "-o", bucket + "out/", *ledger]) == 0
    assert names(bucket + "out/") == ["out/2.dcm", "out/a/1.dcm"]
    assert get(bucket + "out/2.dcm") == EXPECTED

    before = read_facts(parse_object_url(bucket + "out/2.dcm"))
    put(bucket + "in/3.dcm", CONTENT, tmp_path)
    again = ["convert", bucket + "in/", "--to", "rle", "-o", bucket + "out/", "--resume", *ledger]
    assert run(again) == 0
    assert names(bucket + "out/") == ["out/2.dcm", "out/3.dcm", "out/a/1.dcm"]
    assert read_facts(parse_object_url(bucket + "out/2.dcm")) == before


@pytest.mark.parametrize("named", [
    ("x/y/", "x/"), ("x/", "x/y/"), ("x/y/1", "x/"), ("x/", "x/y/1"), ("x/y/1", "x/y/", "x/"),
    ("", "x/y/"), ("x/", "x/y/z/"), ("x/y", "x/"), ("x/y/", "x/y"), ("x/y/1", "x/y/10"),
], ids=" ".join)  # fmt: skip
@pytest.mark.parametrize("shards", [1, 2])
def test_prefixes_that_overlap_are_converted_in_place_once(
    named: tuple[str, ...], shards: int, bucket: str, tmp_path: Path
) -> None:
    keys = ["1", "x/1", "x/y", "x/y/1", "x/y/10", "x/y/z/1", "x/yy/1"]
    for key in keys:
        put(bucket + key, CONTENT, tmp_path)
    report = tmp_path / "report"

    for number in range(1, shards + 1):
        shard = ["--shard", f"{number}/{shards}"] if shards > 1 else []
        assert run([
            "convert", *(bucket + one for one in named), "--to", "rle", "--in-place", "--jobs", "1",
            "--ledger", str(tmp_path / "ledger"), "--report", str(report), "-q", *shard,
        ]) == 0  # fmt: skip
    ended = [json.loads(line) for line in report.read_text().splitlines()]

    wanted = [
        key for key in keys
        if any(key == one or (one[-1:] in {"", "/"} and key.startswith(one)) for one in named)
    ]  # fmt: skip
    assert sorted(one["source"] for one in ended if "source" in one) == [bucket + k for k in wanted]
    assert {key: get(bucket + key) == EXPECTED for key in keys} == {
        key: key in wanted for key in keys
    }
    assert all(not one["summary"]["skipped"] for one in ended if "summary" in one)


def test_a_prefix_in_two_spellings_is_converted_in_place_once(bucket: str, tmp_path: Path) -> None:
    put(bucket + "x/1", CONTENT, tmp_path)
    ledger = ["--ledger", str(tmp_path / "ledger"), "--jobs", "1", "-q"]
    named = ["S3://bucket", "s3://bucket/", "S3://bucket/x/1"]
    assert run(["convert", *named, "--to", "rle", "--in-place", *ledger]) == 0
    assert get(bucket + "x/1") == EXPECTED


def test_a_batch_in_object_storage_needs_a_place_for_its_ledger(
    bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["convert", bucket + "in/", "--to", "rle", "-o", bucket + "out/"]) == 2
    assert "--ledger FILE" in capsys.readouterr().err
