"""Print the outcomes of converting every real file to several transfer syntaxes, in Markdown.

    python tools/corpus_outcomes.py FOLDER > docs/corpus.md

Every result is decoded again and compared with its source before it counts as exact.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections import Counter
from pathlib import Path

from dicodec import convert
from dicodec.errors import DicodecError

TARGETS = ("explicit-le", "rle", "jpeg-lossless", "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless")

HEAD = """# Outcomes of the files of the test corpus

Made by `python tools/corpus_outcomes.py FOLDER`. *exact*: converted, decoded again, and every
sample is equal to the source's; *as is*: the file was in that transfer syntax already; *no pixels*:
the data set was converted to a native transfer syntax. Errors are given by their code.
"""


def main() -> int:
    """Convert every file of a manifest and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder with a MANIFEST.tsv")
    folder: Path = parser.parse_args().folder
    with (folder / "MANIFEST.tsv").open(newline="", encoding="utf-8") as lines:
        names = [row["file"] for row in csv.DictReader(lines, delimiter="\t")]
    print(HEAD)
    print("| file | source | " + " | ".join(TARGETS) + " | why not |")
    print("|---" * (len(TARGETS) + 3) + "|")
    totals: Counter[str] = Counter()
    for name in names:
        syntax, outcomes, reasons = outcomes_of(folder / name)
        totals.update(outcomes)
        print(f"| {name} | {syntax} | {' | '.join(outcomes)} | {'; '.join(reasons)} |")
    print("\n" + ", ".join(f"{outcome}: {count}" for outcome, count in totals.most_common()))
    return 0


def outcomes_of(path: Path) -> tuple[str, list[str], list[str]]:
    """Return a file's transfer syntax, the outcome for each target, and the reasons of errors."""
    syntax = "?"
    outcomes: list[str] = []
    reasons: dict[str, None] = {}
    for target in TARGETS:
        try:
            report = convert(path, io.BytesIO(), to=target, verify=True)
        except DicodecError as error:
            outcomes.append(error.code)
            reasons[error.message] = None
            continue
        syntax = report.source_syntax
        if report.frames == 0:
            outcomes.append("no pixels")
        else:
            outcomes.append("as is" if report.action == "copied" else "exact")
    return syntax, outcomes, list(reasons)


if __name__ == "__main__":
    sys.exit(main())
