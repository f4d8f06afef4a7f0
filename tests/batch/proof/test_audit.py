"""A signed manifest, and the audit that finds whatever was changed since."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from dicodec import convert
from dicodec.batch.proof import signing
from dicodec.batch.proof.auditing import draw_sample
from dicodec.batch.proof.signing import is_signed
from dicodec.cli.main import run
from helpers.made import IMAGE_KINDS
from helpers.real_files import shipped_file

NAMES = ("CT_small.dcm", "MR_small_RLE.dcm", "SC_rgb_rle_2frame.dcm", "rtplan.dcm")


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "below").mkdir(parents=True)
    for name in NAMES:
        shutil.copy(shipped_file(name), folder / "below" / name)
    for frames in (1, 3):
        content, _ = IMAGE_KINDS["gray-16"].make(frames=frames)
        (folder / f"made-{frames}.dcm").write_bytes(content)
    return folder


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "archive.key"
    assert run(["audit", "--make-key", str(path)]) == 0
    return path


@pytest.fixture
def manifest(sources: Path, key: Path, tmp_path: Path) -> Path:
    path = tmp_path / "archive.manifest"
    assert make(sources, key, path) == 0
    return path


def make(sources: Path, key: Path, path: Path, *more: str, to: str = "jpeg2000-lossless") -> int:
    out = sources.with_name("out")
    return run(["convert", str(sources), "--to", to, "-o", str(out), "-q",
                "--manifest", str(path), "--key", str(key), *more])  # fmt: skip


def audit(
    capsys: pytest.CaptureFixture[str], manifest: Path, *more: str, folder: Path | None = None
) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Return exit status, faults by the file's name, and the summary."""
    capsys.readouterr()
    folder = folder or manifest.with_name("out")
    key = manifest.with_name("archive.key.pub")
    status = run(["audit", str(manifest), str(folder), "--key", str(key), "--json", *more])
    *findings, last = map(json.loads, capsys.readouterr().out.splitlines())
    faults = {Path(one["path"]).name: one["fault"] for one in findings if one["fault"]}
    return status, faults, last["summary"]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_what_was_not_changed_is_sound(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, faults, summary = audit(capsys, manifest)
    assert (status, faults) == (0, {})
    assert (summary["files"], summary["audited"], summary["sound"]) == (6, 6, 6)
    assert summary["frames"] == 1 + 1 + 2 + 1 + 3
    assert summary["pinned"]
    assert summary["at_most"] is None


def test_digests_are_those_of_the_samples_as_numpy_has_them(manifest: Path) -> None:
    out = manifest.with_name("out")
    head, *files, foot = lines(manifest)
    assert (head["format"], head["version"], head["files"]) == ("dicodec-manifest", 1, 6)
    for fields in files:
        content = (out / fields["path"]).read_bytes()
        assert fields["sha256"] == hashlib.sha256(content).hexdigest()
        assert fields["size"] == len(content)
        source = Path(fields["source"]["path"]).read_bytes()
        assert fields["source"]["sha256"] == hashlib.sha256(source).hexdigest()
        if fields["image"] is None:
            assert fields["path"] == "below/rtplan.dcm"
            continue
        image = pydicom.dcmread(out / fields["path"])
        samples = image.pixel_array.reshape((len(fields["frames"]), -1))
        wanted = [hashlib.sha256(np.ascontiguousarray(one).data).hexdigest() for one in samples]
        assert fields["frames"] == fields["frames_before"] == wanted
    body = manifest.read_bytes().splitlines(keepends=True)[:-1]
    digest = hashlib.sha256(b"".join(body)).digest()
    assert is_signed(digest, foot["signature"], head["public_key"])


def change_pixels(out: Path, manifest: Path) -> None:
    path = out / "made-3.dcm"
    native = path.with_suffix(".native")
    convert(path, native, to="explicit-le")
    content = bytearray(native.read_bytes())
    content[-1] ^= 1
    native.write_bytes(content)
    convert(native, path, to="jpeg2000-lossless", overwrite=True)
    native.unlink()


def change_header(out: Path, manifest: Path) -> None:
    path = out / "below" / "CT_small.dcm"
    content = path.read_bytes()
    assert content.count(b"CompressedSamples^CT1") == 1
    path.write_bytes(content.replace(b"CompressedSamples^CT1", b"CompressedSamples^CT2"))


def damage(out: Path, manifest: Path) -> None:
    path = out / "below" / "MR_small_RLE.dcm"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def swap(out: Path, manifest: Path) -> None:
    one, two = out / "made-1.dcm", out / "made-3.dcm"
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)


def remove(out: Path, manifest: Path) -> None:
    (out / "made-1.dcm").unlink()


def add(out: Path, manifest: Path) -> None:
    (out / "below" / "new.dcm").write_bytes(b"anything")


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (change_pixels, {"made-3.dcm": "changed-pixels"}),
        (change_header, {"CT_small.dcm": "changed-bytes"}),
        (damage, {"MR_small_RLE.dcm": "unreadable"}),
        (swap, {"made-1.dcm": "swapped", "made-3.dcm": "swapped"}),
        (remove, {"made-1.dcm": "missing"}),
        (add, {"new.dcm": "extra"}),
    ],
)
def test_a_changed_folder_is_found(
    tamper: Callable[[Path, Path], None],
    found: dict[str, str],
    manifest: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tamper(manifest.with_name("out"), manifest)
    status, faults, summary = audit(capsys, manifest)
    assert (status, faults) == (1, found)
    assert summary["sound"] == 6 - len(found) + ("new.dcm" in found)
    capsys.readouterr()
    assert run(["audit", str(manifest), str(manifest.with_name("out"))]) == 1
    printed = capsys.readouterr().err
    assert all(f"[{fault}]" in printed for fault in found.values())


def replace_in(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def drop_line(path: Path) -> None:
    body = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*body[:2], *body[3:]]))


def drop_signature(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def change_signature(path: Path) -> None:
    *body, last = path.read_bytes().splitlines(keepends=True)
    signature = json.loads(last)["signature"]
    other = f"{int(signature[0], 16) ^ 1:x}{signature[1:]}"
    path.write_bytes(b"".join([*body, last.replace(signature.encode(), other.encode())]))


def sign_with_another_key(path: Path) -> None:
    key = path.with_name("other.key")
    run(["audit", "--make-key", str(key)])
    sources = path.with_name("in")
    assert make(sources, key, path, "--resume") == 0


@pytest.mark.parametrize(
    "tamper",
    [
        lambda path: replace_in(path, b'"lossy": false', b'"lossy": true'),
        lambda path: replace_in(path, b'"size": 5', b'"size": 6'),
        lambda path: replace_in(path, b'"frames": ["', b'"frames": ["0'),
        lambda path: replace_in(path, b"}\n", b"} \n"),
        lambda path: replace_in(path, b'"files": 6', b'"files": 7'),
        drop_line, drop_signature, change_signature, sign_with_another_key,
        lambda path: path.write_bytes(path.read_bytes() + b"more\n"),
    ],
)  # fmt: skip
def test_a_changed_manifest_is_found(
    tamper: Callable[[Path], None], manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tamper(manifest)
    status, _, summary = audit(capsys, manifest)
    assert status == 1
    assert summary["signature"] != "holds"
    assert summary["sound"] == 0


def test_without_a_pinned_key_another_key_is_told_of(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sign_with_another_key(manifest)
    out = str(manifest.with_name("out"))
    assert run(["audit", str(manifest), out]) == 0
    assert "which --key can pin" in capsys.readouterr().err


def test_lossy_results_have_their_digests_and_the_error(
    sources: Path, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "archive.manifest"
    assert make(sources, key, path, "--lossy", "--near", "3", to="jpeg-ls-near") == 0
    _, *files, _ = lines(path)
    lossy = [one for one in files if one["image"] is not None]
    assert lossy
    for one in lossy:
        assert one["lossy"]
        assert 0 < one["largest_error"] <= 3
        assert one["psnr"] > 40
        assert "frames_before" not in one
    assert audit(capsys, path)[:2] == (0, {})


def test_in_place_before_and_after_are_told_apart(
    sources: Path, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "archive.manifest"
    before = {one: hashlib.sha256(one.read_bytes()).hexdigest() for one in sources.rglob("*.dcm")}
    assert run(["convert", str(sources), "--to", "rle", "--in-place", "-q", "--backup", ".orig",
                "--manifest", str(path), "--key", str(key)]) == 0  # fmt: skip
    _, *files, _ = lines(path)
    for one in files:
        assert one["source"]["sha256"] == before[sources / one["path"]]
    assert audit(capsys, path, folder=sources)[:2] == (0, {})


def test_a_sample_is_drawn_by_its_seed(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, faults, summary = audit(capsys, manifest, "--sample", "2", "--seed", "5")
    assert (status, faults, summary["audited"], summary["seed"]) == (0, {}, 2, 5)
    assert summary["at_most"] == pytest.approx(1 - 0.05**0.5)
    assert audit(capsys, manifest, "--sample", "50%")[2]["audited"] == 3
    assert draw_sample(100, 10, 5) == draw_sample(100, 10, 5) != draw_sample(100, 10, 6)
    for wrong in ("0", "x", "101%", "-1", "0%"):
        assert run(["audit", str(manifest), str(manifest.parent), f"--sample={wrong}"]) == 2


def test_gdcm_is_another_witness(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gdcm")
    status, faults, summary = audit(capsys, manifest, "--independent")
    assert (status, faults) == (0, {})
    assert summary["witnessed"] >= 3


def test_a_resumed_run_makes_the_whole_manifest(
    sources: Path, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "archive.manifest"
    assert make(sources, key, path, "--max-bytes", "40K") == 3
    assert not path.exists()
    assert make(sources, key, path, "--resume") == 0
    assert audit(capsys, path)[2]["sound"] == 6


def test_results_without_digests_are_told_of(
    sources: Path, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = sources.with_name("out")
    run(["convert", str(sources), "--to", "rle", "-o", str(out), "-q"])
    path = tmp_path / "archive.manifest"
    assert make(sources, key, path, "--resume", to="rle") == 0
    assert "6 results of earlier runs are not in the manifest" in capsys.readouterr().err


def test_keys_are_private_and_never_replaced(key: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert key.stat().st_mode & 0o777 == 0o600
    content = key.read_bytes()
    assert run(["audit", "--make-key", str(key)]) == 1
    assert key.read_bytes() == content
    assert "[target-exists]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ([], "--key"),
        (["--key", "nothing"], "cannot be read"),
        (["--key", "in/made-1.dcm"], "no private key"),
        (["--key", "archive.key.pub"], "no private key"),
        (["--key", "archive.key", "--dry-run"], "--dry-run"),
        (["--key", "archive.key", "--map-references"], "--map-references"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(
    more: list[str],
    words: str,
    sources: Path,
    key: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(sources.parent)
    arguments = ["convert", "in", "--to", "rle", "-o", "out", "--manifest", "m", *more]
    assert run(arguments) == 2
    assert words in capsys.readouterr().err
    assert not os.path.lexists("m")


def test_another_file_is_not_taken_for_a_manifest(sources: Path, key: Path, tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("mine")
    assert make(sources, key, path) == 1
    assert path.read_text() == "mine"
    assert run(["audit", str(path), str(tmp_path)]) == 2
    path.write_text('{"format": "dicodec-manifest", "version": 2}\n')
    assert run(["audit", str(path), str(tmp_path)]) == 2


def test_a_path_out_of_the_folder_is_not_opened(
    manifest: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dicodec.batch.proof.signing import Signer

    body = manifest.read_bytes().splitlines(keepends=True)[:-1]
    body[1] = body[1].replace(json.loads(body[1])["path"].encode(), b"../in/made-1.dcm", 1)
    signature = Signer(str(key)).sign(hashlib.sha256(b"".join(body)).digest())
    manifest.write_bytes(b"".join([*body, json.dumps({"signature": signature}).encode()]))
    status, faults, _ = audit(capsys, manifest)
    assert status == 1
    assert "outside" in faults.values()


@pytest.mark.parametrize("there", ["key", "key.pub"])
def test_a_key_is_made_with_its_public_one_or_not_at_all(
    there: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / there).write_text("of before")
    assert run(["audit", "--make-key", str(tmp_path / "key")]) == 1
    assert "[target-exists]" in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "of before"


def test_a_full_disk_is_the_cause_and_leaves_no_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(*given: object, **named: object) -> object:
        file = real(*given, **named)
        if getattr(file, "mode", "") == "wb":
            file.close()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return file

    real: Any = open
    monkeypatch.setattr(signing, "open", fill, raising=False)
    assert run(["audit", "--make-key", str(tmp_path / "key")]) == 1
    assert "[disk-full]" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
