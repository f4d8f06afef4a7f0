"""Every compressed file of the corpus decodes to its uncompressed pair, or as near as is known."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dicodec.codecs.base import Samples
from dicodec.codecs.native import NativeDecoder
from dicodec.codecs.table import find_decoder
from dicodec.errors import FrameError
from dicodec.model.image import ImagePixelDescription
from dicodec.model.transfer_syntax import find_by_uid

pydicom: Any = import_module("pydicom")
pytestmark = pytest.mark.filterwarnings("ignore")  # pydicom's, on odd files

DAMAGED = {"broken/JPEG2000-embedded-sequence-delimiter.dcm"}


def _frames(path: Path) -> tuple[str, list[Samples]]:
    """Return the Photometric Interpretation of the decoded samples, and the frames."""
    dataset: Any = pydicom.dcmread(path, force=True)
    allocated = dataset.BitsAllocated
    image = ImagePixelDescription(
        dataset.Rows,
        dataset.Columns,
        int(dataset.SamplesPerPixel),
        str(dataset.PhotometricInterpretation),
        allocated,
        int(dataset.BitsStored),
        int(dataset.HighBit),
        int(dataset.PixelRepresentation),
        int(dataset.get("PlanarConfiguration", 0) or 0),
        int(dataset.get("NumberOfFrames", 1) or 1),
        lossy=dataset.get("LossyImageCompression") == "01",
    )
    syntax = find_by_uid(dataset.file_meta.TransferSyntaxUID)
    assert syntax is not None
    decoder = find_decoder(syntax)
    if syntax.encapsulated:
        streams = list(
            pydicom.encaps.generate_frames(
                dataset.PixelData, number_of_frames=image.number_of_frames
            )
        )
        decoded = [decoder.decode(stream, image) for stream in streams]
        described = decoder.describe_decoded(decoder.describe(streams[0]), image)
        return described.photometric_interpretation, decoded
    native = NativeDecoder(big_endian=not syntax.little_endian)
    size = image.native_frame_bits
    return image.photometric_interpretation, [
        NativeDecoder(native.big_endian, frame * size % 8).decode(
            dataset.PixelData[frame * size // 8 : ((frame + 1) * size + 7) // 8], image
        )
        for frame in range(image.number_of_frames)
    ]


def test_every_compressed_file_decodes_to_its_pair(
    corpus: Path, manifest: list[dict[str, str]]
) -> None:
    compared = 0
    for row in manifest:
        syntax = find_by_uid(row["transfer_syntax_uid"])
        if syntax is None or not syntax.encapsulated or not syntax.reads or not row["rows"]:
            continue
        if row["file"] in DAMAGED:
            with pytest.raises(FrameError):
                _frames(corpus / row["file"])
            continue
        color, decoded = _frames(corpus / row["file"])
        if not row["pair"]:
            continue
        pair_color, expected = _frames(corpus / row["pair"])
        if color != pair_color and {color, pair_color} & {"RGB"}:
            convert = pydicom.pixels.convert_color_space
            decoded = [convert(frame, color, pair_color) for frame in decoded]
        error = max(
            int(np.abs(frame.astype(np.int64) - other.astype(np.int64)).max())
            for frame, other in zip(decoded, expected, strict=False)
        )
        assert error <= float(row["pair_max_abs_error"] or 0), row["file"]
        compared += 1
    assert compared > 80
