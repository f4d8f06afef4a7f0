"""SHA-256 of the decoded samples of each frame, in a form that any decoder can make."""

from __future__ import annotations

from contextlib import closing
from hashlib import sha256

from dicodec.conversion.edits.described_edits import name_in_data_sets
from dicodec.conversion.frames.frame_steps import make_frame_reader
from dicodec.conversion.frames.window import compute_size_in_flight, map_frames
from dicodec.model.image import ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.model.records import NamedTuple
from dicodec.part10.dicom_file import DicomFile

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray
else:
    np = import_late("numpy")


class FrameDigests(NamedTuple):
    """The frames of an image.

    Attributes:
        image: rows, columns, and others that say what the samples are.
        digests: of each frame, in hexadecimal.
    """

    image: dict[str, Any]
    digests: list[str]


def digest_frames(file: DicomFile, workers: int) -> FrameDigests | None:
    """Decode all frames of a file, and return their digests; None if it has no frames.

    A digest is that of the stored samples by row, column and sample, color by pixel, each a little
    endian number of one, two, four or eight bytes, two's complement if it is signed.

    Args:
        file: the open file.
        workers: threads.

    Raises:
        ReadError: a frame cannot be decoded.
    """
    if not file.frames.present or file.frames.empty or file.frames.description is None:
        return None
    read, image = make_frame_reader(file)
    size = compute_size_in_flight(image)

    def work(frame: int) -> str:
        return digest_samples(read(frame))

    with closing(map_frames(work, image.number_of_frames, workers, size)) as digests:
        return FrameDigests(describe_samples(image), [*digests])


def digest_samples(samples: NDArray[Any]) -> str:
    """Return the digest of one frame's samples."""
    plain = np.ascontiguousarray(samples, dtype=samples.dtype.newbyteorder("<"))
    return sha256(plain.data).hexdigest()


def describe_samples(image: ImagePixelDescription) -> dict[str, Any]:
    """Return what says how the samples of an image are to be read."""
    return {
        "rows": image.rows,
        "columns": image.columns,
        "samples": image.samples_per_pixel,
        "bits_stored": image.bits_stored,
        "signed": image.signed,
        "photometric": name_in_data_sets(image),
    }
