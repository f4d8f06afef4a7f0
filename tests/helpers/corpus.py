"""The corpus of real files, where there is one, and the project's root."""

from __future__ import annotations

import csv
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

ManifestRow = dict[str, str]


def find_corpus() -> Path | None:
    """Return the folder of real files: DICODEC_CORPUS, or the one beside the project, or None."""
    named = os.environ.get("DICODEC_CORPUS")
    folder = Path(named) if named else ROOT.parent / "shared" / "corpus"
    return folder if (folder / "MANIFEST.tsv").is_file() else None


def read_manifest(folder: Path) -> list[ManifestRow]:
    """Return the rows of a corpus' MANIFEST.tsv."""
    with (folder / "MANIFEST.tsv").open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
