"""The tree of errors: a stable code each, and all that is known in text and in JSON."""

from __future__ import annotations

import inspect
import json
import re

import pytest

from dicodec import errors
from dicodec.errors import ConversionError, DicodecError, ReadError, WriteError, find_kind

CODES = {
    "error": "DicodecError",
    "read-error": "ReadError",
    "source-unavailable": "SourceUnavailableError",
    "source-changed": "SourceChangedError",
    "empty-file": "EmptyFileError",
    "not-dicom": "NotDicomError",
    "truncated-file": "TruncatedFileError",
    "malformed-file": "MalformedFileError",
    "unknown-transfer-syntax": "UnknownTransferSyntaxError",
    "limit-exceeded": "LimitExceededError",
    "frame-error": "FrameError",
    "truncated-frame": "TruncatedFrameError",
    "corrupt-frame": "CorruptFrameError",
    "frame-mismatch": "FrameMismatchError",
    "missing-frame": "MissingFrameError",
    "conversion-error": "ConversionError",
    "invalid-option": "InvalidOptionError",
    "invalid-request": "RequestError",
    "unsupported-version": "UnsupportedVersionError",
    "path-not-allowed": "PathNotAllowedError",
    "unsupported-source": "UnsupportedSourceError",
    "unsupported-target": "UnsupportedTargetError",
    "unsupported-image": "UnsupportedImageError",
    "lossy-not-allowed": "LossyNotAllowedError",
    "contradiction": "ContradictionError",
    "sample-range": "SampleRangeError",
    "encode-failed": "EncodeError",
    "verification-failed": "VerificationError",
    "no-witness": "NoWitnessError",
    "engine-failed": "EngineError",
    "engine-crashed": "EngineCrashedError",
    "worker-crashed": "WorkerCrashedError",
    "timeout": "TimeoutExceededError",
    "out-of-memory": "MemoryExceededError",
    "peer-unavailable": "PeerUnavailableError",
    "peer-refused": "PeerRefusedError",
    "write-error": "WriteError",
    "target-exists": "TargetExistsError",
    "target-unavailable": "TargetUnavailableError",
    "output-limit": "OutputLimitError",
    "disk-full": "DiskFullError",
    "internal-error": "InternalError",
}
"""Programs go by these codes: one that is there never changes its meaning or its name."""


def classes() -> dict[str, type[DicodecError]]:
    return {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, DicodecError)
    }


def test_codes_are_stable() -> None:
    assert {kind.code: name for name, kind in classes().items()} == CODES
    for code in CODES:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)


def test_every_error_has_its_own_code_and_says_what_it_means() -> None:
    for name, kind in classes().items():
        assert "code" in vars(kind), name
        assert inspect.getdoc(kind), name
        assert name.endswith("Error")


def test_the_tree_in_the_documentation_is_the_tree() -> None:
    parents: list[str] = []
    drawn = {}
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"    ([│ ]*)[├└]── (\w+)", line):
            depth = len(match[1]) // 4 + 1
            drawn[match[2]] = parents[depth - 1]
            parents[depth:] = [match[2]]
        elif line.strip() == "DicodecError":
            parents = ["DicodecError"]

    real = {
        name: kind.__mro__[1].__name__ for name, kind in classes().items() if kind != DicodecError
    }
    assert set(drawn) == set(real)
    assert drawn == real


@pytest.mark.parametrize("name", [name for name in CODES.values() if name != "DicodecError"])
def test_every_error_is_of_one_kind(name: str) -> None:
    kind = classes()[name]
    expected = {ReadError: "reading", ConversionError: "converting", WriteError: "writing"}
    kinds = [text for base, text in expected.items() if issubclass(kind, base)]
    assert [find_kind(kind("text"))] == (kinds or ["unknown"])
    assert len(kinds) == (name != "InternalError")


def test_text_says_where_and_what_would_help() -> None:
    error = errors.TruncatedFrameError(
        "the stream ends", path="a.dcm", frame=0, attribute="PixelData", offset=0, hint="send it"
    )

    assert str(error) == "a.dcm: the stream ends (frame 0, PixelData, at byte 0); send it"
    assert str(DicodecError("just this")) == "just this"


def test_a_location_fills_only_what_is_not_known() -> None:
    error = errors.TruncatedFrameError("the stream ends", frame=0, hint="send it")

    assert error.with_location(path="a.dcm", frame=7, offset=3).with_hint("no") is error
    assert str(error) == "a.dcm: the stream ends (frame 0, at byte 3); send it"
    error.with_location(path="b.dcm", attribute="PixelData").with_offset(9).with_context("rule 1")
    assert str(error) == "a.dcm: rule 1: the stream ends (frame 0, PixelData, at byte 9); send it"
    assert error.with_path("b.dcm", instead_of="a.dcm").path == "b.dcm"
    assert error.with_path("c.dcm", instead_of="a.dcm").path == "b.dcm"


def test_json_holds_all_that_is_known_and_nothing_else() -> None:
    full = errors.TruncatedFrameError(
        "the stream ends", path="a.dcm", frame=0, attribute="PixelData", offset=0, hint="send it"
    )

    assert json.loads(json.dumps(full.as_dict())) == {
        "code": "truncated-frame", "kind": "reading", "message": "the stream ends",
        "path": "a.dcm", "frame": 0, "attribute": "PixelData", "offset": 0, "hint": "send it",
    }  # fmt: skip
    assert errors.DiskFullError("full").as_dict() == {
        "code": "disk-full", "kind": "writing", "message": "full",
    }  # fmt: skip
