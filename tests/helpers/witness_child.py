"""The process behind a witness: reads DICOM files with one library, one JSON request a line.

Started as `python witness_child.py gdcm|pydicom|pydcm`. A request is {"path": ...,
"samples": ...}; the samples go to that .npy file, by pixel, as the library gave them, and the
answer to standard output. What the libraries print is sent away from there first.
Knows nothing of dicodec.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

Facts = dict[str, Any]
Reader = Callable[[str], tuple[Any, Facts]]

ENCAPSULATED_UNCOMPRESSED = "1.2.840.10008.1.2.1.98"
DEFLATED_FRAME = "1.2.840.10008.1.2.8.1"


class RefusedError(Exception):
    """The library does not read this file, and says so."""


def read_with_gdcm(path: str) -> tuple[Any, Facts]:
    """Decode with GDCM; frames become the first axis."""
    import gdcm

    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()
    reader = gdcm.ImageReader()
    reader.SetFileName(path)
    if not reader.Read():
        raise RefusedError("ImageReader.Read failed")
    image, pixel = reader.GetImage(), reader.GetImage().GetPixelFormat()
    syntax = reader.GetFile().GetHeader().GetDataSetTransferSyntax()
    facts = {
        "transfer_syntax": syntax.GetString(),
        "rows": image.GetDimension(1),
        "columns": image.GetDimension(0),
        "number_of_frames": image.GetDimension(2) if image.GetNumberOfDimensions() > 2 else 1,
        "samples_per_pixel": pixel.GetSamplesPerPixel(),
        "photometric_interpretation": image.GetPhotometricInterpretation().GetString().strip(),
        "bits_allocated": pixel.GetBitsAllocated(),
        "bits_stored": pixel.GetBitsStored(),
        "pixel_representation": pixel.GetPixelRepresentation(),
        "planar_configuration": image.GetPlanarConfiguration(),
    }
    content = image.GetBuffer()
    if not isinstance(content, str):
        raise RefusedError("Bitmap.GetBuffer failed")
    return shaped(content.encode("utf-8", "surrogateescape"), facts), facts


def read_with_pydicom(path: str) -> tuple[Any, Facts]:
    """Decode with pydicom and every plugin but GDCM's, which is a witness of its own."""
    import pydicom
    from pydicom.encaps import generate_frames
    from pydicom.pixels.decoders.base import get_decoder

    data_set = pydicom.dcmread(path, force=True)
    facts = facts_of(data_set)
    syntax = data_set.file_meta.TransferSyntaxUID
    if syntax in {ENCAPSULATED_UNCOMPRESSED, DEFLATED_FRAME}:
        frames = generate_frames(data_set.PixelData, number_of_frames=facts["number_of_frames"])
        plain = [
            np.frombuffer(unpadded(frame, syntax), np.uint8)[: frame_bytes(facts)]
            for frame in frames
        ]
        if facts["bits_allocated"] == 1:
            bits = facts["rows"] * facts["columns"]
            unpacked = [np.unpackbits(frame, count=bits, bitorder="little") for frame in plain]
            shape = (len(unpacked), facts["rows"], facts["columns"])
            return np.concatenate(unpacked).reshape(shape), facts
        return shaped(np.concatenate(plain).tobytes(), facts), facts
    decoder = get_decoder(syntax)
    if "gdcm" in decoder.available_plugins:
        decoder.remove_plugin("gdcm")
    if not decoder.is_native and not decoder.available_plugins:
        raise RefusedError("no decoder but GDCM's")
    samples, changed = decoder.as_array(data_set, raw=True)
    facts["photometric_interpretation"] = changed["photometric_interpretation"]
    if facts["number_of_frames"] == 1:
        samples = samples[None]
    return samples, facts


def read_with_pydcm(path: str) -> tuple[Any, Facts]:
    """Decode with pydcm, whose data sets have the attributes of pydicom's."""
    import pydcm

    data_set = pydcm.dcmread(path)
    facts = facts_of(data_set)
    samples = np.asarray(data_set.pixel_array)
    return samples if facts["number_of_frames"] > 1 else samples[None], facts


def facts_of(data_set: Any) -> Facts:
    """Return the facts that a data set states."""
    syntax = data_set.file_meta.get("TransferSyntaxUID")
    if syntax is None or "Rows" not in data_set:
        raise RefusedError("no transfer syntax or no image")
    return {
        "transfer_syntax": str(syntax),
        "rows": int(data_set.Rows),
        "columns": int(data_set.Columns),
        "number_of_frames": int(data_set.get("NumberOfFrames") or 1),
        "samples_per_pixel": int(data_set.get("SamplesPerPixel", 1)),
        "photometric_interpretation": str(data_set.PhotometricInterpretation),
        "bits_allocated": int(data_set.BitsAllocated),
        "bits_stored": int(data_set.BitsStored),
        "pixel_representation": int(data_set.PixelRepresentation),
        "planar_configuration": int(data_set.get("PlanarConfiguration", 0)),
    }


def unpadded(frame: bytes, syntax: str) -> bytes:
    """Return one frame's native bytes."""
    return zlib.decompress(frame, -15) if syntax == DEFLATED_FRAME else frame


def frame_bytes(facts: Facts) -> int:
    """Return the size of one frame whose samples are all there."""
    samples = facts["rows"] * facts["columns"] * facts["samples_per_pixel"]
    return int((samples * facts["bits_allocated"] + 7) // 8)


def shaped(content: bytes, facts: Facts) -> Any:
    """Return bytes as (frames, rows, columns[, samples])."""
    frames, rows, columns = facts["number_of_frames"], facts["rows"], facts["columns"]
    samples, planar = facts["samples_per_pixel"], facts["planar_configuration"]
    if facts["bits_allocated"] == 1:
        count = frames * rows * columns
        bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")
        return bits[:count].reshape(frames, rows, columns)
    sign = "i" if facts["pixel_representation"] else "u"
    flat = np.frombuffer(content, f"<{sign}{facts['bits_allocated'] // 8}")
    needed = frames * rows * columns * samples
    if flat.size < needed:
        raise RefusedError(f"{flat.size} samples where {needed} are needed")
    flat = flat[:needed]
    if samples == 1:
        return flat.reshape(frames, rows, columns)
    if planar:
        return np.moveaxis(flat.reshape(frames, samples, rows, columns), 1, -1)
    return flat.reshape(frames, rows, columns, samples)


READERS: dict[str, Reader] = {
    "gdcm": read_with_gdcm,
    "pydicom": read_with_pydicom,
    "pydcm": read_with_pydcm,
}


def answer_to(reader: Reader, request: dict[str, str]) -> dict[str, Any]:
    """Read one file; a refusal is an answer too."""
    try:
        samples, facts = reader(request["path"])
    except Exception as error:
        return {"outcome": "refused", "detail": f"{type(error).__name__}: {error}"}
    np.save(request["samples"], np.ascontiguousarray(samples))
    return {"outcome": "read", "detail": "", "facts": facts}


def main() -> None:
    """Answer until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    reader = READERS[sys.argv[1]]
    for line in sys.stdin:
        answers.write(json.dumps(answer_to(reader, json.loads(line))) + "\n")


if __name__ == "__main__":
    main()
