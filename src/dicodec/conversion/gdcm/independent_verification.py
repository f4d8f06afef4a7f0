"""Verification by somebody else: GDCM decodes the result, and the source, in a process of its own.

A fault that our encoder and our decoder share is not seen by our decoder. GDCM shares no code with
either. If GDCM cannot decode the result, or is known to decode it wrongly, that is an error:
nobody gets a weaker verification than was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dicodec.conversion.gdcm import bound_seconds, decode_file, find_reason_against
from dicodec.conversion.planning.conversion_plan import Conversion, PixelPlan
from dicodec.conversion.verification.frames import verify_same_samples, verify_samples
from dicodec.errors import DicodecError, EngineError, NoWitnessError, VerificationError
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import NamedTuple
from dicodec.model.transfer_syntax import EXPLICIT_LE, Loss
from dicodec.options import ConversionOptions
from dicodec.part10.dicom_file import DicomFile, open_dicom
from dicodec.part10.source import provide_path
from dicodec.part10.temporary import TemporaryFolder

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import BinaryIO

_DECODERS_APART = 2
"""How far the samples of two right decoders of one lossy stream may be apart: each is allowed to be
1 off by ISO/IEC 10918-2 and 15444-4, which leave the last digit of the transform open."""

_HINT = "`verify=True` uses dicodec's own decoders"


def verify_independently(conversion: Conversion, out: BinaryIO) -> str:
    """Have GDCM decode a result, and compare it with the source.

    Args:
        conversion: the one that made it; it has a plan for frames.
        out: the result, flushed.

    Returns:
        The decoder and the files it decoded: "GDCM 3.2.6: the result and the source".

    Raises:
        NoWitnessError: GDCM cannot decode the result, or not in time.
        VerificationError: GDCM finds other samples than were promised; the frame is named.
    """
    pixels, options = conversion.plan.pixels, conversion.options
    assert pixels is not None, "there are frames to decode"
    if reason := find_reason_against(
        conversion.plan.target, EXPLICIT_LE, pixels.result, lossless=True
    ):
        raise NoWitnessError(f"independent verification is not possible: {reason}", hint=_HINT)
    with (
        open_dicom(out, options.limits.for_result()) as made,
        _decode(made, _name(out), options) as witness,
    ):
        _check_same_shape(pixels.result, witness.file.frames.image)
        with _as_gdcm_has_it("the result"):
            _compare_result(conversion, made, witness.file, pixels.bound)
        version = witness.version
    if not _is_source_witnessed(conversion, pixels):
        return f"GDCM {version}: the result"
    return f"GDCM {version}: the result and the source"


class _Witness(NamedTuple):
    """GDCM's decoded samples: a native file of its own.

    Attributes:
        file: the file, open.
        version: of GDCM.
    """

    file: DicomFile
    version: str


@contextmanager
def _decode(file: DicomFile, path: str | None, options: ConversionOptions) -> Iterator[_Witness]:
    with (
        TemporaryFolder() as folder,
        provide_path(file.source, path) as name,
    ):
        written = str(Path(folder) / "decoded.dcm")
        timeout = bound_seconds(options.timeout, file.frames.image.native_size)
        try:
            outcome = decode_file(name, written, timeout=timeout)
        except EngineError as error:
            raise NoWitnessError(
                f"independent verification is not possible: {error.message}",
                hint=error.hint or _HINT,
            ) from error
        with ExitStack() as stack:
            try:
                decoded = stack.enter_context(open_dicom(written, options.limits.for_result()))
            except DicodecError as error:
                raise NoWitnessError(
                    f"the file that GDCM decoded cannot be read: {error.message}", hint=_HINT
                ) from error
            if not decoded.frames.present:
                raise NoWitnessError("GDCM decoded no pixels", hint=_HINT)
            yield _Witness(decoded, outcome.version)


def _compare_result(
    conversion: Conversion, made: DicomFile, witness: DicomFile, bound: int | None
) -> None:
    """Hold GDCM's samples against the source's; if no bound is promised, against ours."""
    if bound is not None:
        verify_samples(conversion, witness, bound)
    else:
        verify_same_samples(made, witness, _DECODERS_APART, conversion.workers)


def _is_source_witnessed(conversion: Conversion, pixels: PixelPlan) -> bool:
    """Have GDCM decode the source too; return whether it could.

    A source that is not standard is read with our repairs, which GDCM does not have. Of a
    lossy stream the one right decoding is unknown, above all if it passes Bits Stored.

    Raises:
        VerificationError: GDCM finds other samples in it than we do; the frame is named.
    """
    file = conversion.file
    if file.oddities or pixels.stated != pixels.coded or file.syntax.loss is not Loss.NEVER:
        return False
    if find_reason_against(file.syntax, EXPLICIT_LE, pixels.stated, lossless=True):
        return False
    try:
        with _decode(file, conversion.path, conversion.options) as witness:
            _check_same_shape(pixels.stated, witness.file.frames.image)
            with _as_gdcm_has_it("the source"):
                verify_same_samples(file, witness.file, 0, conversion.workers)
    except NoWitnessError:
        return False
    return True


def _check_same_shape(expected: ImagePixelDescription, found: ImagePixelDescription) -> None:
    for keyword, one, two in (
        ("Rows", expected.rows, found.rows),
        ("Columns", expected.columns, found.columns),
        ("NumberOfFrames", expected.number_of_frames, found.number_of_frames),
    ):
        if one != two:
            raise VerificationError(f"GDCM finds {keyword} {two}, not {one}", attribute=keyword)


@contextmanager
def _as_gdcm_has_it(what: str) -> Iterator[None]:
    """Add to every difference that GDCM found it."""
    try:
        yield
    except VerificationError as error:
        raise VerificationError(
            f"GDCM decodes {what} otherwise: {error.message}", frame=error.frame
        ) from error
    except DicodecError as error:
        raise NoWitnessError(
            f"GDCM's samples of {what} cannot be compared: {error.message}",
            frame=error.frame,
            hint=_HINT,
        ) from error


def _name(out: BinaryIO) -> str | None:
    """Return the path of an open file, None if it has no name or never had one."""
    name = getattr(out, "name", None)
    return str(name) if isinstance(name, str | Path) else None
