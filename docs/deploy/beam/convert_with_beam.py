"""Convert files in Beam: a DoFn around `convert_bytes`, errors as an output of their own.

    python convert_with_beam.py "/data/archive/**" /data/smaller

Every worker needs dicodec (its wheel of `make dist`). A file with an error stops nothing.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator

import apache_beam as beam
from apache_beam.io import fileio
from apache_beam.io.filesystems import FileSystems

import dicodec

ERRORS = "errors"


class Convert(beam.DoFn):
    """Converts a file, and writes the result whole or not at all.

    Args:
        folder: for the results: a path, or a prefix such as gs://bucket/smaller.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def process(self, file: fileio.ReadableFile) -> Iterator[object]:
        """Yield (path of the source, path of the result), or the error of the source."""
        path = file.metadata.path
        try:
            result = dicodec.convert_bytes(file.read(), to="htj2k-lossless", workers=1)
        except dicodec.DicodecError as error:
            yield beam.pvalue.TaggedOutput(ERRORS, (path, f"{error} [{error.code}]"))
            return
        # The same name at each attempt, because Beam may carry out a bundle twice.
        name = hashlib.sha256(path.encode()).hexdigest()[:32]
        target = FileSystems.join(self.folder, f"{name}.dcm")
        part = FileSystems.join(self.folder, f".{name}.{id(self):x}.part")
        with FileSystems.create(part, "application/dicom") as stream:
            stream.write(result)
        if FileSystems.exists(target):
            FileSystems.delete([target])
        FileSystems.rename([part], [target])
        yield path, target


def main(pattern: str, folder: str, arguments: list[str]) -> None:
    """Run the pipeline; the arguments choose its runner."""
    if not FileSystems.exists(folder):
        FileSystems.mkdirs(folder)
    with beam.Pipeline(argv=arguments) as pipeline:
        done = (
            pipeline
            | fileio.MatchFiles(pattern)
            | fileio.ReadMatches()
            | beam.Reshuffle()  # so that each file may go to another worker
            | beam.ParDo(Convert(folder)).with_outputs(ERRORS, main="results")
        )
        lines = done[ERRORS] | beam.Map("\t".join)
        lines | beam.io.WriteToText(FileSystems.join(folder, "errors"), file_name_suffix=".tsv")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
