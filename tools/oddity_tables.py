"""Print docs/oddities.md, or docs/nonstandard.md for a corpus of real files.

python tools/oddity_tables.py > docs/oddities.md
python tools/oddity_tables.py FOLDER > docs/nonstandard.md
"""

from __future__ import annotations

import argparse
import io
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from dicodec import convert, inspect
from dicodec.errors import DicodecError
from dicodec.repair.catalogue import ODDITIES, Severity

ODDITIES_HEAD = """# Oddities

Departures from the standard that are read all the same: how each is recognized, how it is read,
and its replacement if you say `--standardize`. For example, you ask for the oddities of a file,
have them mended, or refuse a file that has any:

    $ dicodec inspect chest.dcm | grep no-preamble
      not standard: no preamble and no prefix DICM [no-preamble]
        [no-preamble] assumed: the data set, or the prefix, begins at the first byte; --standardize:
        preamble of zeros and prefix
    $ dicodec convert chest.dcm --to explicit-le --standardize -o mended.dcm
    $ dicodec convert chest.dcm --to explicit-le --strict -o never.dcm
    dicodec: chest.dcm: the source departs from the standard: no preamble and no prefix DICM
    [contradiction]

The report of a conversion lists them by the same names (`oddities`), and in Python you find them in
`dicodec.inspect("chest.dcm").oddities`. This page is made by `python tools/oddity_tables.py` from
`src/dicodec/repair/catalogue.py`.

A reading that is not the stated one is believed only if the next bytes prove it: further elements
with rising tags, an item, a delimiter, or the end of an enclosing length that is right. The end of
a file proves nothing, because it may have been cut off. If no reading is sure, the file is refused.

If you do not say `--standardize`, a conversion changes no more than it must: if an element can be
read, and no edit of yours names it, its bytes stay as they are.

| severity | meaning |
|---|---|
"""
SEVERITIES = {
    Severity.ALLOWED: "the standard allows it, or did once; `--strict` takes it",
    Severity.HARMLESS: "every reader takes it",
    Severity.WRONG: "there is one sensible reading; some readers fail",
    Severity.DOUBTFUL: "one reading is assumed, another is possible",
}
NONSTANDARD_HEAD = """# Non-standard and broken files of the test corpus

This page tells you how dicodec reads files that other programs refuse or misread. For example, you
get these results from a file that is as odd as one of them:

    $ dicodec convert CTImageStorage_bad_meta.dcm --to jpeg-ls -o out.dcm --verify
    $ dicodec convert CTImageStorage_bad_meta.dcm --to jpeg-ls --standardize -o mended.dcm

You can make the table for files of your own, in the folders `broken` and `nonstandard` of FOLDER:
`python tools/oddity_tables.py FOLDER`. *converted*
is to `explicit-le` and, if the file has pixels that JPEG-LS holds, to `jpeg-ls`; each result is
decoded again and compared with its source, every sample and every element. *standardized* names the
further repairs of `--standardize`, and after "left:" the oddities that it leaves, because their
meaning is not known. [oddities.md](oddities.md) explains the names.

| file | found | converted | standardized | why that is right |
|---|---|---|---|---|
"""
FOLDERS = ("nonstandard", "broken")
NOTHING = "-"
MOST_NAMED = 10
"""Oddities of one kind that are listed each; of more it is said that there are more."""

REASONS = {
    "nonstandard/CR-MONO1-10-chest": "the first elements show implicit VR little endian; "
    "the preamble and group 2 follow from the data set. Dates with dots are left: nobody asked for "
    "another text",
    "nonstandard/CTImageStorage_bad_meta.dcm": "the data set's own SOP Instance UID counts; group "
    "2 is the result's own",
    "nonstandard/CT_small.dcm": "it is right; the trailing padding (FFFC,FFFC) is an element that "
    "PS3.10 7.2 allows",
    "nonstandard/ExplVR_BigEndNoMeta.dcm": "the first element shows explicit VR big endian",
    "nonstandard/ExplVR_LitEndNoMeta.dcm": "the first element shows explicit VR little endian",
    "nonstandard/GH177_D_CLUNIE_CT1_IVRLE_BigEndian_ELE_undefinded_length.dcm": "a UN of undefined "
    "length holds implicit VR (PS3.5 6.2.2): it is carried over as it is, or becomes the sequence "
    "that it is",
    "nonstandard/OT-PAL-8-face.dcm": "as CR-MONO1-10-chest",
    "nonstandard/explicit_VR-UN.dcm": "UN is allowed if a writer did not know the VR; the "
    "dictionary knows it, and the values fit",
    "nonstandard/meta_missing_tsyntax.dcm": "the data set shows implicit VR. There are no "
    "Rows and Columns, so the value of Pixel Data is moved, not decoded",
    "nonstandard/no-meta-length-test.dcm": "group 2 ends with its last element",
    "nonstandard/no_meta.dcm": "one stray byte comes before an unbroken row of elements in order",
    "nonstandard/no_meta_group_length.dcm": "as no-meta-length-test.dcm",
    "broken/GH1146.dcm": "Pixel Data is empty instead of 512 by 512 samples: a header without "
    "frames, moved as one",
    "broken/GH364.dcm": "an item comes without its sequence, and its attributes belong to the "
    "Sequence of Ultrasound Regions only (PS3.3 C.8.5.5): all of them are kept, in that sequence",
    "broken/J2K_pixelrep_mismatch.dcm": "the data set's Pixel Representation counts: values below "
    "zero are those that other decoders find",
    "broken/JPEG2000-embedded-sequence-delimiter.dcm": "the stream says of itself that it has 14 "
    "million tiles: it is not an image any more",
    "broken/MR_small_padded.dcm": "the bytes behind the last sample are not samples: no result "
    "has them in its frames",
    "broken/MR_truncated.dcm": "62 bytes of samples are missing, and their values are unknown; "
    "`--salvage` saves the rest",
    "broken/SC_rgb_jpeg.dcm": "the data set is in implicit VR, as its elements show; its fragments "
    "are read as they are",
    "broken/badVR.dcm": "Number of Frames is 1A, and the length of Pixel Data leaves one value",
    "broken/bad_sequence.dcm": "the first element of a UN shows whether it holds VRs: it is "
    "carried over as it is, or becomes the sequence that it is",
    "broken/emri_small_jpeg_2k_lossless_too_short.dcm": "every fragment is whole; only the "
    "delimiter after the last one is missing",
    "broken/rtplan_truncated.dcm": "the file ends inside a sequence, and missing elements may have "
    "held anything",
    "broken/sample-op.dcm": "the stream counts: it is JPEG Baseline, but JPEG Lossless is stated",
}


def main() -> int:
    """Print one of the two pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="a folder with a MANIFEST.tsv")
    folder: Path | None = parser.parse_args().folder
    sys.stdout.write(oddities_page() if folder is None else nonstandard_page(folder))
    return 0


def oddities_page() -> str:
    """Return the catalogue as a page."""
    lines = [f"| {severity} | {meaning} |" for severity, meaning in SEVERITIES.items()]
    lines += [
        "",
        "| name | severity | recognized | assumed | standardized | section |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{row.id}` | {row.severity} | {row.recognized} | {row.assumed} | {row.standardized} | "
        f"{row.section} |"
        for row in sorted(ODDITIES.values(), key=lambda row: row.id)
    ]
    return ODDITIES_HEAD + "\n".join(lines) + "\n"


def nonstandard_page(folder: Path) -> str:
    """Return the outcomes of a corpus' folders of odd files as a page."""
    names = sorted(f"{part}/{path.name}" for part in FOLDERS for path in (folder / part).iterdir())
    lines = []
    for name in names:
        content = (folder / name).read_bytes()
        cells = [name, _found(content), _converted(content), _standardized(content), REASONS[name]]
        lines.append(f"| {' | '.join(cells)} |")
    return NONSTANDARD_HEAD + "\n".join(lines) + "\n"


def _found(content: bytes) -> str:
    try:
        return _counted([oddity.id for oddity in inspect(content).oddities])
    except DicodecError as error:
        return f"{error.code}: {error.message}"


def _converted(content: bytes) -> str:
    outcomes = []
    for target in ("explicit-le", "jpeg-ls"):
        try:
            report = convert(content, io.BytesIO(), to=target, verify=True)
        except DicodecError as error:
            outcomes.append(f"{target}: {error.code}")
            continue
        outcomes.append(f"{target}: {'exact' if report.frames else 'no frames'}")
        if not report.frames:
            break
    return ", ".join(dict.fromkeys(outcomes))


def _standardized(content: bytes) -> str:
    try:
        report = convert(content, io.BytesIO(), to="explicit-le", standardize=True, verify=True)
    except DicodecError as error:
        return error.code
    left = [oddity.id for oddity in report.oddities if ODDITIES[oddity.id].left_alone]
    repaired = _counted([oddity.id for oddity in report.repairs])
    return f"{repaired}; left: {_counted(left)}" if left else repaired


def _counted(ids: Sequence[str]) -> str:
    counts = Counter(ids)
    named = [
        name if count == 1 else f"{name} ({count if count <= MOST_NAMED else 'more'})"
        for name, count in counts.items()
    ]
    return ", ".join(named) or NOTHING


if __name__ == "__main__":
    sys.exit(main())
