"""Run GDCM in a process of its own, one for each file, and turn its failures into our errors.

GDCM ends its process on some input, valid input among it, and cannot be interrupted; so it is never
loaded here. Its result is not trusted either: the caller checks it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dicodec.conversion.gdcm import child
from dicodec.errors import EngineCrashedError, EngineError
from dicodec.model.encoder_settings import DEFAULT_SETTINGS, EncoderSettings
from dicodec.model.environment import make_child_environment
from dicodec.model.installation import describe_extra
from dicodec.model.records import dataclass
from dicodec.model.transfer_syntax import EXPLICIT_LE, Loss, TransferSyntax
from dicodec.model.wording import describe_end

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import BinaryIO

_CHILD = Path(__file__).with_name("child.py")

_WORDS_KEPT = 2000
"""Characters of GDCM's own output that an error carries, from the end."""

_LEAST_SECONDS, _SECONDS_PER_BYTE = 120.0, 5e-6
"""Far more than GDCM takes for a file and for each byte of its native frames.

It reads sequences of undefined length below one of defined length in six times the time for each
level, 0.1 s for 8 levels and 4 s for 10, so that there are files that it does not get through."""


def keeps_samples(settings: EncoderSettings, syntax: TransferSyntax) -> bool:
    """Say whether GDCM keeps the samples unchanged in a transfer syntax, with some settings."""
    if syntax.loss is Loss.POSSIBLE:
        return not settings.near and settings.ratio is None and settings.psnr is None
    return syntax.loss is Loss.NEVER


@dataclass(frozen=True, slots=True)
class GdcmOutcome:
    """Facts of a conversion by GDCM, beside the file.

    Attributes:
        version: of GDCM.
        words: GDCM's output, often nothing.
        seconds: how long it took, starting the process included.
    """

    version: str
    words: str
    seconds: float


def bound_seconds(timeout: float | None, native_size: int) -> float:
    """Return how many seconds GDCM may take: the timeout if one is set, else a bound by size.

    Args:
        timeout: seconds, or None.
        native_size: bytes of the native frames.
    """
    return _LEAST_SECONDS + _SECONDS_PER_BYTE * native_size if timeout is None else timeout


def convert_file(
    source: str,
    target: str,
    syntax: TransferSyntax,
    settings: EncoderSettings,
    *,
    timeout: float,
) -> GdcmOutcome:
    """Convert one file with GDCM: read, transcode, write, in a process that then ends.

    Attributes are as GDCM leaves them. It records no loss of its own encoding and keeps the SOP
    Instance UID. It follows JPEG 2000 streams in Bits Stored, expands segmented palettes, drops
    Number of Frames if it is 1, invents missing Study and Series Instance UIDs, and
    may change the SOP Class of secondary captures. After an error part of a file may be left.

    Args:
        source: path of the file to read.
        target: path of the file to write; a file there is overwritten.
        syntax: one of GDCM_TARGETS.
        settings: how to encode: `quality`, `near`, `ratio` and `psnr`; None leaves it to GDCM.
        timeout: seconds until the process is killed.

    Raises:
        EngineError: GDCM is not installed, refused, or took too long.
        EngineCrashedError: GDCM ended its process.
    """
    request = _make_request(source, target, syntax, settings, decode=False)
    return _run_child(request, syntax, timeout)


def decode_file(source: str, target: str, *, timeout: float) -> GdcmOutcome:
    """Have GDCM decode all frames of a file into a native one, for its samples.

    Attributes are not to be relied on, less than after `convert_file`.

    Args:
        source: path of the file to read.
        target: path of the file to write, in Explicit VR Little Endian.
        timeout: seconds until the process is killed.

    Raises:
        EngineError: GDCM is not installed, refused, or took too long.
        EngineCrashedError: GDCM ended its process.
    """
    request = _make_request(source, target, EXPLICIT_LE, DEFAULT_SETTINGS, decode=True)
    return _run_child(request, EXPLICIT_LE, timeout)


def _make_request(
    source: str, target: str, syntax: TransferSyntax, settings: EncoderSettings, *, decode: bool
) -> dict[str, object]:
    """Return the request to the process: see child.py."""
    return {
        "source": source,
        "target": target,
        "uid": syntax.uid,
        "family": syntax.family,
        "lossless": keeps_samples(settings, syntax),
        "decode": decode,
        "quality": settings.quality,
        "near": settings.near,
        "ratio": settings.ratio,
        "psnr": settings.psnr,
    }


def _run_child(request: dict[str, object], syntax: TransferSyntax, timeout: float) -> GdcmOutcome:
    source = str(request["source"])
    started = time.perf_counter()
    with tempfile.TemporaryFile() as printed:
        try:
            # -P: modules are taken from this program's folders, never from beside the script.
            run = subprocess.run(
                [sys.executable, "-P", _CHILD],
                input=json.dumps(request).encode("ascii"),
                stdout=subprocess.PIPE,
                stderr=printed,
                timeout=timeout,
                check=False,
                env=make_child_environment(),
            )
        except subprocess.TimeoutExpired as cause:
            raise EngineError(
                f"GDCM took more than {timeout:g} s and was stopped{_quote(_quote_end(printed))}",
                path=source,
                hint="`timeout` gives it more",
            ) from cause
        words = _quote_end(printed)
    if run.returncode != 0 or not run.stdout:
        ended = describe_end("GDCM's process", run.returncode)
        raise EngineCrashedError(f"{ended}, without an answer{_quote(words)}", path=source)
    answer = json.loads(run.stdout)
    if answer["step"] is not None:
        raise _make_refusal(answer["step"], syntax, answer.get("words") or words, source)
    return GdcmOutcome(answer["version"], words, time.perf_counter() - started)


_REFUSALS = {
    child.UNREADABLE: "GDCM cannot read this file",
    child.NO_PIXELS: "GDCM found no pixels to encode as {syntax}",
    child.UNCHANGED: "GDCM cannot convert these pixels to {syntax}",
    child.UNWRITTEN: "GDCM cannot write the result",
    child.FAILED: "GDCM failed",
}


def _make_refusal(step: str, syntax: TransferSyntax, words: str, source: str) -> EngineError:
    if step == child.NOT_INSTALLED:
        return EngineError(
            f"GDCM cannot be loaded{_quote(words)}",
            path=source,
            hint=describe_extra("gdcm"),
        )
    return EngineError(_REFUSALS[step].format(syntax=syntax.name) + _quote(words), path=source)


def _quote_end(printed: BinaryIO) -> str:
    """Return the end of GDCM's output, on one line."""
    size = printed.seek(0, 2)
    printed.seek(max(0, size - _WORDS_KEPT))
    return " ".join(printed.read().decode(errors="replace").split())


def _quote(words: str) -> str:
    return f": {words}" if words else ""
