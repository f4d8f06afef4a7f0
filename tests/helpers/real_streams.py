"""The streams of the corpus' files, and the images that they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import pydicom

from dicodec.model.image import ImagePixelDescription
from helpers.corpus import ManifestRow


def read_real_streams(
    corpus: Path, manifest: list[ManifestRow], syntaxes: Collection[str]
) -> Iterator[tuple[str, bytes, ImagePixelDescription]]:
    """Yield file, stream and image of each frame of files in some transfer syntaxes, by UID."""
    for row in manifest:
        if row["transfer_syntax_uid"] not in syntaxes:
            continue
        data_set = pydicom.dcmread(corpus / row["file"], force=True)
        if "PixelData" not in data_set:
            continue
        image = ImagePixelDescription(
            data_set.Rows, data_set.Columns, int(data_set.SamplesPerPixel),
            str(data_set.PhotometricInterpretation), data_set.BitsAllocated,
            int(data_set.BitsStored), int(data_set.HighBit), int(data_set.PixelRepresentation),
        )  # fmt: skip
        count = int(data_set.get("NumberOfFrames", 1) or 1)
        for stream in pydicom.encaps.generate_frames(data_set.PixelData, number_of_frames=count):
            yield row["file"], stream, image
