"""`inspect`: describe a file, an object, a buffer or a stream."""

from __future__ import annotations

from dicodec.conversion.inspection import Inspection, inspect_file
from dicodec.model.limits import DEFAULT_LIMITS, Limits
from dicodec.model.source_names import is_object_url, parse_object_url
from dicodec.part10.dicom_file import Source


def inspect(source: Source, limits: Limits = DEFAULT_LIMITS) -> Inspection:
    """Inspect one DICOM file; only headers are read.

    Args:
        source: a path; the URL of an object, `s3://bucket/key`, which is read by ranges; a buffer;
            or a binary stream.
        limits: bounds on the file's claims.

    Raises:
        ReadError: the file cannot be read at all.
    """
    if not isinstance(source, str) or not is_object_url(source):
        return inspect_file(source, limits)
    from dicodec.batch.sources.cloud_source import open_object

    with open_object(parse_object_url(source)) as opened:
        return inspect_file(opened, limits, name=source)
