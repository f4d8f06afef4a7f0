"""The worker side of proof: the digests of one source and its result, as a line of a manifest."""

from __future__ import annotations

import os

from dicodec.batch.proof.frame_digests import digest_frames
from dicodec.errors import DicodecError
from dicodec.model.limits import Limits
from dicodec.model.wording import dump_json_line
from dicodec.part10.dicom_file import Source
from dicodec.part10.source import OpenSource, digest_parts, read_chunks
from dicodec.repair.opening import open_tolerantly
from dicodec.report import ConversionReport

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any


def prove(
    source: Source, written: str | os.PathLike[str], report: ConversionReport, limits: Limits,
    workers: int,
) -> str:  # fmt: skip
    """Return what a manifest says of a result, as JSON without the path.

    Source and result are decoded once more, each from its bytes.

    Args:
        source: the source; it may be read again.
        written: path of the result, or of the source itself if it was left alone.
        report: of the conversion.
        limits: bounds on claims.
        workers: threads.

    Raises:
        DicodecError: the result cannot be read.
    """
    size, digest = digest_bytes(written)
    fields: dict[str, Any] = {
        "size": size,
        "sha256": digest,
        "syntax": report.target_syntax,
        "source": _describe_source(source, report),
        "lossy": report.lossy,
    }
    fields |= describe_frames(written, limits.for_result(), workers)
    if report.lossy:
        fields |= {"largest_error": report.largest_error, "psnr": report.psnr}
    elif fields["image"] is not None:
        try:
            before = describe_frames(source, limits, workers)
        except DicodecError:  # it is damaged, and salvaged
            before = {"image": None, "frames": None}
        fields |= {"image_before": before["image"], "frames_before": before["frames"]}
    return dump_json_line(fields)


def _describe_source(source: Source, report: ConversionReport) -> dict[str, Any]:
    size, digest = digest_bytes(source)
    return {"path": report.source, "size": size, "sha256": digest, "syntax": report.source_syntax}


def digest_bytes(source: Source) -> tuple[int, str]:
    """Return the size and the SHA-256 of a file.

    Raises:
        ReadError: it cannot be read.
    """
    with OpenSource(source) as opened:
        return opened.size, digest_parts(read_chunks(opened, 0, opened.size))


def describe_frames(source: Source, limits: Limits, workers: int) -> dict[str, Any]:
    """Return the fields `image` and `frames` of a file; both null if it has none that are decoded.

    Raises:
        ReadError: it cannot be read, or a frame cannot be decoded.
    """
    from dicodec.errors import UnsupportedSourceError

    with open_tolerantly(source, limits) as file:
        try:
            found = digest_frames(file, workers)
        except UnsupportedSourceError:  # videos, and pixels that are elsewhere
            found = None
        if found is None:
            return {"image": None, "frames": None}
        return {"image": found.image, "frames": found.digests}
