"""What another decoder says of a result: it agrees, finds the fault, or cannot tell."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dicodec import ConversionOptions, convert, convert_bytes
from dicodec.cli.main import run
from dicodec.codecs import jpeg_ls, rle
from dicodec.conversion.gdcm import engine
from dicodec.errors import InvalidOptionError, NoWitnessError, VerificationError
from helpers.data_set_bytes import element, file_of, item, nested, sequence
from helpers.icons import with_elements
from helpers.made import IMAGE_KINDS
from helpers.matrix import ALL, holds

CONTENT = IMAGE_KINDS["multi-frame"].make()[0]

BOTH = "GDCM 3.2.6: the result and the source"
UNREAD = {"encapsulated-uncompressed", "deflated-frame", "jpegxl-lossless", "jpegxl", "explicit-le"}


def leave_words(monkeypatch: pytest.MonkeyPatch, codec: type, name: str) -> None:
    """Let frames pass through the codec's arrays, where a test plants its fault."""
    monkeypatch.setattr(codec, name, lambda *_: None)


def expected_witness(syntax: str, kind: str) -> str | None:
    """Return what GDCM can say of a made image in a transfer syntax; None where it cannot."""
    if syntax in UNREAD or (syntax, kind) in {("explicit-be", "gray-32"), ("rle", "rgb-16")}:
        return None
    if kind == "gray-32" and syntax.startswith("htj2k"):  # OpenJPEG stops at 31 bits
        return None
    return BOTH


@pytest.mark.parametrize("kind", ["gray-8", "signed-12-in-16", "rgb-16", "gray-32", "rgb-8-frames"])
def test_gdcm_agrees_wherever_it_can_read(kind: str, tmp_path: Path) -> None:
    source, target = tmp_path / "source.dcm", tmp_path / "target.dcm"
    source.write_bytes(IMAGE_KINDS[kind].make()[0])
    settings: dict[str, Any] = {"lossy": True, "verify": "independent", "overwrite": True}
    for syntax in ALL:
        if not holds(syntax, IMAGE_KINDS[kind]) or syntax == "explicit-le":
            continue
        if (witness := expected_witness(syntax, kind)) is not None:
            report = convert(source, target, to=syntax, **settings)
            assert (report.verified, report.witness) == (True, witness), syntax
            target.unlink()
            continue
        with pytest.raises(NoWitnessError, match="independent verification is not possible: GDCM"):
            convert(source, target, to=syntax, **settings)
        assert not target.exists()


def test_buffers_are_verified_too() -> None:
    out = io.BytesIO()
    report = convert(CONTENT, out, to="jpeg-ls", verify="independent")
    assert report.witness == BOTH
    assert out.getvalue() == convert_bytes(CONTENT, to="jpeg-ls")


def test_a_source_that_gdcm_cannot_read_is_told_by_its_absence(tmp_path: Path) -> None:
    source = tmp_path / "source.dcm"
    source.write_bytes(convert_bytes(CONTENT, to="jpegxl-lossless"))

    report = convert(source, source, to="jpeg-ls", overwrite=True, verify="independent")

    assert report.witness == "GDCM 3.2.6: the result"


def test_a_fault_that_encoder_and_decoder_share_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode, decode = jpeg_ls.JpegLsEncoder.encode, jpeg_ls.JpegLsDecoder.decode

    def mirrored(self: Any, samples: Any, image: Any) -> bytes:
        return bytes(encode(self, np.ascontiguousarray(samples[::-1]), image))

    def mirrored_too(self: Any, *arguments: Any) -> Any:
        return np.ascontiguousarray(decode(self, *arguments)[::-1])

    monkeypatch.setattr(jpeg_ls.JpegLsEncoder, "encode", mirrored)
    monkeypatch.setattr(jpeg_ls.JpegLsDecoder, "decode", mirrored_too)
    leave_words(monkeypatch, jpeg_ls.JpegLsEncoder, "encode_words")
    source = tmp_path / "source.dcm"
    source.write_bytes(CONTENT)

    assert convert(source, tmp_path / "wrong.dcm", to="jpeg-ls", verify=True).verified
    with pytest.raises(VerificationError, match="GDCM decodes the result otherwise") as raised:
        convert(source, source, to="jpeg-ls", overwrite=True, verify="independent")

    assert raised.value.frame == 0
    assert source.read_bytes() == CONTENT


def test_a_source_that_we_decode_otherwise_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = rle.RleDecoder.decode

    def off_by_one(self: Any, *arguments: Any) -> Any:
        return decode(self, *arguments) ^ 1

    source = tmp_path / "source.dcm"
    source.write_bytes(convert_bytes(CONTENT, to="rle"))
    monkeypatch.setattr(rle.RleDecoder, "decode", off_by_one)
    leave_words(monkeypatch, rle.RleDecoder, "decode_words")

    assert convert(source, tmp_path / "wrong.dcm", to="jpeg-ls", verify=True).verified
    with pytest.raises(VerificationError, match="GDCM decodes the source otherwise"):
        convert(source, tmp_path / "out.dcm", to="jpeg-ls", verify="independent")


@pytest.mark.parametrize("syntax", ["jpeg", "jpeg2000"])
def test_lossy_streams_are_held_against_our_own_decoding(
    syntax: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dicodec.conversion.gdcm import independent_verification

    content = IMAGE_KINDS["gray-8"].make()[0]
    assert convert(content, io.BytesIO(), to=syntax, lossy=True, verify="independent").witness

    monkeypatch.setattr(independent_verification, "_DECODERS_APART", -1)
    with pytest.raises(VerificationError, match="GDCM decodes the result otherwise"):
        convert(content, io.BytesIO(), to=syntax, lossy=True, verify="independent")


@pytest.mark.parametrize(
    ("content", "target"),
    [(CONTENT, "explicit-le"), (file_of(element(0x00080060, "CS", b"SR")), "implicit-le")],
)
def test_where_nothing_is_decoded_that_is_said(content: bytes, target: str) -> None:
    report = convert(content, io.BytesIO(), to=target, verify="independent")

    assert (report.verified, report.witness) == (True, "")
    assert report.warnings == ["no frame was decoded: another decoder has nothing to check"]


def test_gdcm_that_fails_or_is_not_there_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, child = tmp_path / "source.dcm", tmp_path / "child.py"
    source.write_bytes(CONTENT)
    monkeypatch.setattr(engine, "_CHILD", child)
    for code in ("import os; os.abort()", "import time; time.sleep(600)"):
        child.write_text(code)
        with pytest.raises(NoWitnessError, match="not possible: GDCM"):
            convert(source, source, to="rle", overwrite=True, verify="independent", timeout=0.5)
    assert source.read_bytes() == CONTENT


def test_gdcm_that_does_not_end_is_stopped_without_a_timeout_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes six times as long for each level of sequences: nobody waits for 30."""
    source = tmp_path / "source.dcm"
    source.write_bytes(with_elements(CONTENT, sequence(0x00081140, item(nested(30)))))
    monkeypatch.setattr(engine, "_LEAST_SECONDS", 1.0)
    monkeypatch.setattr(engine, "_SECONDS_PER_BYTE", 0.0)

    with pytest.raises(NoWitnessError, match="GDCM took more than 1 s and was stopped"):
        convert(source, source, to="rle", overwrite=True, verify="independent")
    assert convert(source, source, to="rle", overwrite=True, verify=True).verified


def test_the_command_says_who_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "source.dcm"
    source.write_bytes(CONTENT)
    place = ["-o", str(tmp_path / "out.dcm")]

    assert run(["convert", "--verify=independent", str(source), "--to", "rle", *place]) == 0
    assert f"verified, by {BOTH} too" in capsys.readouterr().err
    in_place = ["convert", str(source), "--to", "jpegxl-lossless", "--in-place"]
    assert run([*in_place, "--verify=independent"]) == 1
    assert "[no-witness]" in capsys.readouterr().err
    assert source.read_bytes() == CONTENT
    assert run([*in_place, "--verify=perhaps"]) == 2


def test_there_is_no_other_kind_of_verification() -> None:
    with pytest.raises(InvalidOptionError, match="`verify` is 'perhaps'"):
        ConversionOptions(to=("rle",), verify="perhaps")
