"""Open an image of any source: a file, a buffer, a stream, an object in a store, a data set."""

from __future__ import annotations

import os

from dicodec.images.image import Image
from dicodec.model.limits import DEFAULT_LIMITS, Limits
from dicodec.model.source_names import is_object_url, parse_object_url
from dicodec.part10.dicom_file import Source

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import TypeGuard

    import pydicom


def open_image(
    source: Source | pydicom.Dataset,
    *,
    limits: Limits = DEFAULT_LIMITS,
    workers: int | None = None,
    trust_table: bool = True,
) -> Image:
    """Open an image, to read its frames as arrays.

        with dicodec.open_image("cine.dcm") as image:
            print(len(image), image.description.rows)
            samples = image.read_frame(37)

    Only headers are read, and of a frame only its own bytes.

    Args:
        source: a path; the URL of an object, `s3://bucket/key`, which is read by ranges; a buffer;
            a binary stream; or a pydicom data set, which is encoded in memory first.
        limits: bounds on the sizes that the file claims.
        workers: threads that decode, 1 or more; None for one a core.
        trust_table: whether single frames may be found by its offset
            table, as docs/python.md describes. If not, the items of all are walked at once.

    Returns:
        The open image, a context manager; `close()` closes it, too.

    Raises:
        ReadError: the source cannot be read, or its image is not described.
        UnsupportedSourceError: it has no pixels, or they are not decoded.
    """
    if isinstance(source, str) and is_object_url(source):
        from dicodec.batch.sources.cloud_source import open_object

        opened = open_object(parse_object_url(source))
        return Image(opened, source, limits, workers, opened.close, trust_table=trust_table)
    if _is_dataset(source):
        from dicodec.conversion.calls import encode_dataset

        return Image(encode_dataset(source), None, limits, workers, trust_table=trust_table)
    name = os.fspath(source) if isinstance(source, str | os.PathLike) else None
    return Image(source, name, limits, workers, trust_table=trust_table)


def _is_dataset(source: object) -> TypeGuard[pydicom.Dataset]:
    """Return whether a source is a pydicom data set; pydicom is not imported for this."""
    return hasattr(source, "to_json_dict")
