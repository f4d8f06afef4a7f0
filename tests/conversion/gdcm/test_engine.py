"""The GDCM engine: what it converts, and what becomes of crashes, delays, garbage and refusals."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pydicom
import pydicom.data
import pytest

import dicodec
from dicodec.conversion.gdcm import GDCM_TARGETS, convert_file, engine
from dicodec.conversion.gdcm.engine import keeps_samples
from dicodec.errors import EngineCrashedError, EngineError
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.installation import describe_extra
from dicodec.model.transfer_syntax import TransferSyntax, find_by_name
from helpers import made
from helpers.witnesses import read_with, same_samples

SHIPPED = Path(pydicom.data.__file__).with_name("test_files")
AS_GDCM_LIKES = EncoderSettings()


def syntax_of(name: str) -> TransferSyntax:
    syntax = find_by_name(name)
    assert syntax is not None
    return syntax


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.dcm"
    path.write_bytes(made.IMAGE_KINDS["gray-12-in-16"].make()[0])
    return path


def convert(
    source: Path, target: Path, name: str, settings: EncoderSettings = AS_GDCM_LIKES
) -> None:
    convert_file(str(source), str(target), syntax_of(name), settings, timeout=60)


def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str) -> None:
    """Let another script run in place of GDCM's child."""
    script = tmp_path / "child.py"
    script.write_text(code)
    monkeypatch.setattr(engine, "_CHILD", script)


def test_version_and_time_are_told(image: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.dcm"
    outcome = convert_file(str(image), str(target), syntax_of("rle"), AS_GDCM_LIKES, timeout=60)
    assert outcome.version.startswith("3.")
    assert 0 < outcome.seconds < 60
    assert str(pydicom.dcmread(target).file_meta.TransferSyntaxUID) == syntax_of("rle").uid


def test_gdcm_stays_out_of_this_process(image: Path, tmp_path: Path) -> None:
    code = (
        "import sys, dicodec.conversion.gdcm as g\n"
        "from dicodec.model.encoder_settings import EncoderSettings\n"
        "from dicodec.model.transfer_syntax import find_by_name\n"
        f"source, target = {str(image)!r}, {str(tmp_path / 'o')!r}\n"
        "g.convert_file(source, target, find_by_name('rle'), EncoderSettings(), timeout=60)\n"
        "sys.exit('gdcm' in sys.modules or '_gdcm' in sys.modules)"
    )
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", code]) == 0


@pytest.mark.parametrize(
    "name", ["spaces and ünïcode.dcm", "not utf-8 \udcff.dcm", "new\nline.dcm"]
)
def test_file_names_of_all_sorts(name: str, tmp_path: Path) -> None:
    content, samples = made.IMAGE_KINDS["gray-16"].make()
    source, target = tmp_path / name, tmp_path / f"out {name}"
    source.write_bytes(content)
    convert(source, target, "jpeg-ls")
    plain = tmp_path / "plain.dcm"
    target.rename(plain)
    assert same_samples(read_with("pydicom", plain).samples, samples)


def test_abort_is_our_error_and_names_the_signal(tmp_path: Path) -> None:
    source = tmp_path / "one-bit.dcm"
    source.write_bytes(made.IMAGE_KINDS["one-bit"].make()[0])
    with pytest.raises(EngineCrashedError) as caught:
        convert(source, tmp_path / "out.dcm", "jpeg-lossless")
    assert "SIGABRT" in caught.value.message
    assert "BitsAllocated" in caught.value.message  # GDCM's own words
    assert caught.value.path == str(source)
    assert caught.value.code == "engine-crashed"


@pytest.mark.parametrize("signal_name", ["SIGKILL", "SIGSEGV"])
def test_killed_child(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signal_name: str
) -> None:
    code = f"import os, signal; os.kill(os.getpid(), signal.{signal_name})"
    stand_in(monkeypatch, tmp_path, code)
    with pytest.raises(EngineCrashedError, match=signal_name):
        convert(image, tmp_path / "out.dcm", "rle")


def test_child_that_ends_without_an_answer(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, tmp_path, "import sys; print('odd', file=sys.stderr)")
    with pytest.raises(EngineCrashedError, match="status 0, without an answer: odd"):
        convert(image, tmp_path / "out.dcm", "rle")


def test_a_late_child_is_killed(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, tmp_path, "import time; time.sleep(600)")
    with pytest.raises(EngineError, match=r"more than 0\.3 s") as caught:
        convert_file(
            str(image), str(tmp_path / "out.dcm"), syntax_of("rle"), AS_GDCM_LIKES, timeout=0.3
        )
    assert not isinstance(caught.value, EngineCrashedError)


def test_a_child_that_never_ends_is_killed_without_a_timeout_too(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, tmp_path, "import time; time.sleep(600)")
    monkeypatch.setattr(engine, "_LEAST_SECONDS", 0.2)
    monkeypatch.setattr(engine, "_SECONDS_PER_BYTE", 1e-6)
    target = tmp_path / "out.dcm"
    with pytest.raises(EngineError, match=r"more than 0\.\d+ s and was stopped") as caught:
        dicodec.convert(image, target, to="rle", engine="gdcm")
    assert "`timeout`" in (caught.value.hint or "")
    assert not target.exists()


def test_the_bound_grows_with_the_frames() -> None:
    assert engine.bound_seconds(None, 0) == 120
    assert engine.bound_seconds(None, 100_000_000) == 620
    assert engine.bound_seconds(0.5, 100_000_000) == 0.5


def test_noise_does_not_reach_the_answer(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    child = Path(engine.__file__).with_name("child.py")
    noisy = (
        "import os, runpy, types, sys\n"
        f"child = runpy.run_path({str(child)!r})\n"
        "def convert(gdcm, request):\n"
        "    os.write(1, b'noise' * 100_000)\n"
        "    raise child['GdcmRefusal'](child['UNCHANGED'])\n"
        "child['main'].__globals__['convert'] = convert\n"
        "child['main']()\n"
    )
    stand_in(monkeypatch, tmp_path, noisy)
    with pytest.raises(EngineError, match="cannot convert these pixels to rle: ") as caught:
        convert(image, tmp_path / "out.dcm", "rle")
    assert "noise" in caught.value.message
    assert len(caught.value.message) < 3000
    assert capfd.readouterr() == ("", "")


def test_gdcm_not_installed(image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = Path(engine.__file__).with_name("child.py")
    stand_in(
        monkeypatch,
        tmp_path,
        "import runpy, sys\n"
        "sys.modules['gdcm'] = None\n"  # makes the import fail
        f"runpy.run_path({str(child)!r}, run_name='__main__')\n",
    )
    with pytest.raises(EngineError, match="cannot be loaded") as caught:
        convert(image, tmp_path / "out.dcm", "rle")
    assert caught.value.hint == describe_extra("gdcm")


@pytest.mark.parametrize("content", [b"", b"text\n" * 100, b"\0" * 128 + b"DICM", os.urandom(5000)])
def test_garbage_is_refused(content: bytes, tmp_path: Path) -> None:
    source = tmp_path / "garbage"
    source.write_bytes(content)
    with pytest.raises(EngineError):
        convert(source, tmp_path / "out.dcm", "rle")


def test_missing_source_and_target_folder(image: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot read"):
        convert(tmp_path / "absent.dcm", tmp_path / "out.dcm", "rle")
    with pytest.raises(EngineError, match="cannot write"):
        convert(image, tmp_path / "absent" / "out.dcm", "rle")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk(image: Path) -> None:
    with pytest.raises(EngineError, match="cannot write the result"):
        convert(image, Path("/dev/full"), "explicit-le")


@pytest.mark.parametrize("name", ["implicit-le", "explicit-le", "explicit-be", "deflated"])
@pytest.mark.parametrize("file", ["rtplan.dcm", "test-SR.dcm"])
def test_data_sets_without_pixels(file: str, name: str, tmp_path: Path) -> None:
    target = tmp_path / "out.dcm"
    convert(SHIPPED / file, target, name)
    result, source = pydicom.dcmread(target), pydicom.dcmread(SHIPPED / file)
    assert str(result.file_meta.TransferSyntaxUID) == syntax_of(name).uid
    assert [element.tag for element in result] == [element.tag for element in source]


def test_no_pixels_to_compress(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no pixels to encode as jpeg-ls"):
        convert(SHIPPED / "rtplan.dcm", tmp_path / "out.dcm", "jpeg-ls")


# Settings, and how far from the source the samples may then be
LOSSY = [
    ("jpeg", EncoderSettings(quality=90), 20),
    ("jpeg", EncoderSettings(), 3),
    ("jpeg-extended", EncoderSettings(quality=90), 20),
    ("jpeg-ls-near", EncoderSettings(near=3), 3),
    ("jpeg-ls-near", EncoderSettings(near=0), 0),
    ("jpeg-ls-near", EncoderSettings(), 0),
    ("jpeg2000", EncoderSettings(), 0),
    ("jpeg2000", EncoderSettings(psnr=60), 3),
    ("jpeg2000", EncoderSettings(ratio=5), 20),
]


@pytest.mark.parametrize(("name", "settings", "bound"), LOSSY)
def test_settings_are_heeded(
    name: str, settings: EncoderSettings, bound: int, tmp_path: Path
) -> None:
    content, samples = made.IMAGE_KINDS["gray-8"].make()
    source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
    source.write_bytes(content)
    convert(source, target, name, settings)
    result = read_with("pydicom", target).samples
    assert result is not None
    error = int(np.abs(result.astype(int) - samples.astype(int)).max())
    assert error <= bound
    assert (error == 0) == keeps_samples(settings, syntax_of(name))


def test_higher_quality_is_closer(tmp_path: Path) -> None:
    content, samples = made.IMAGE_KINDS["gray-8"].make()
    source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
    source.write_bytes(content)
    errors = []
    for quality in (20, 60, 95):
        convert(source, target, "jpeg", EncoderSettings(quality=quality))
        result = read_with("pydicom", target).samples
        assert result is not None
        errors.append(np.abs(result.astype(int) - samples.astype(int)).mean())
    assert errors == sorted(errors, reverse=True)


def test_every_target_takes_known_settings_only() -> None:
    fields = set(EncoderSettings.__slots__)
    assert all(settings <= fields for settings in GDCM_TARGETS.values())
    assert all(syntax_of(name).writes for name in GDCM_TARGETS)
