"""Findings about a file: departures from the standard, and damaged frames with their treatment."""

from __future__ import annotations

from dicodec.model.option_table import FILL
from dicodec.model.records import StrEnum, dataclass

_MOST_RUNS = 24
"""Runs of frame numbers that are named, because a Derivation Description has 1024 characters."""


class OddityId(StrEnum):
    """The names of all oddities, which are stable; `repair/catalogue.py` explains each."""

    ACR_NEMA = "acr-nema"
    BIG_ENDIAN_FILE_META = "big-endian-file-meta"
    BLANK_IN_UID = "blank-in-uid"
    BOXED_CODESTREAM = "boxed-codestream"
    BYTES_AFTER_DEFLATE = "bytes-after-deflate"
    BYTES_AFTER_STREAM = "bytes-after-stream"
    CUT_LENGTH = "cut-length"
    DEFLATED = "deflated"
    DUPLICATE_ELEMENT = "duplicate-element"
    ELEMENTS_LOST = "elements-lost"
    ELSCINT_PIXELS = "elscint-pixels"
    EMPTY_FRAGMENT = "empty-fragment"
    EMPTY_FRAME = "empty-frame"
    ENCAPSULATED_OUTSIDE_EXPLICIT_LE = "encapsulated-outside-explicit-le"
    ENCAPSULATED_UNDER_NATIVE = "encapsulated-under-native"
    EXPLICIT_ELEMENT = "explicit-element"
    EXPLICIT_IN_UN = "explicit-in-un"
    EXTENDED_OFFSET_TABLE_FRAGMENTS = "extended-offset-table-fragments"
    FRAGMENTS_OF_DEFINED_LENGTH = "fragments-of-defined-length"
    FRAGMENTS_OUTSIDE_PIXEL_DATA = "fragments-outside-pixel-data"
    GROUP_LENGTH = "group-length"
    ILLEGAL_VALUE = "illegal-value"
    ILLEGAL_VR = "illegal-vr"
    IMPLICIT_ELEMENT = "implicit-element"
    IMPLICIT_FILE_META = "implicit-file-meta"
    INCOMPLETE_FILE_META = "incomplete-file-meta"
    JUNK_BEFORE_STREAM = "junk-before-stream"
    KNOWN_UN = "known-un"
    LONG_PIXEL_DATA = "long-pixel-data"
    MISDECLARED_CHARACTER_SET = "misdeclared-character-set"
    MISPLACED_PREFIX = "misplaced-prefix"
    MISSING_ATTRIBUTE = "missing-attribute"
    MISSPELT_PHOTOMETRIC_INTERPRETATION = "misspelt-photometric-interpretation"
    NATIVE_UNDER_COMPRESSED = "native-under-compressed"
    NO_DELIMITER = "no-delimiter"
    NO_END_MARKER = "no-end-marker"
    NO_FILE_META = "no-file-meta"
    NO_FILE_META_LENGTH = "no-file-meta-length"
    NO_HUFFMAN_TABLES = "no-huffman-tables"
    NO_ITEM_DELIMITER = "no-item-delimiter"
    NO_OFFSET_TABLE_ITEM = "no-offset-table-item"
    NO_PREAMBLE = "no-preamble"
    NO_SEQUENCE_DELIMITER = "no-sequence-delimiter"
    NO_SEQUENCE_HEADER = "no-sequence-header"
    NO_TRANSFER_SYNTAX = "no-transfer-syntax"
    NOT_DEFLATED = "not-deflated"
    ODD_FRAGMENT = "odd-fragment"
    ODD_LENGTH = "odd-length"
    OTHER_BYTE_ORDER = "other-byte-order"
    OTHER_DELIMITER = "other-delimiter"
    OTHER_ENCODING = "other-encoding"
    OTHER_VR = "other-vr"
    OVERLAY_IN_SAMPLES = "overlay-in-samples"
    PACKED_SAMPLES = "packed-samples"
    PAPYRUS = "papyrus"
    PIXEL_DATA_TRUNCATED = "pixel-data-truncated"
    RESERVED_GROUP = "reserved-group"
    SALVAGED = "salvaged"
    SEQUENCE_AS_UN = "sequence-as-un"
    SEQUENCE_KEPT_AS_UN = "sequence-kept-as-un"
    SHORT_FRAGMENT = "short-fragment"
    SHORT_PIXEL_DATA = "short-pixel-data"
    SPARE_RLE_SEGMENTS = "spare-rle-segments"
    STRAY_BYTES = "stray-bytes"
    STRAY_DELIMITER = "stray-delimiter"
    STRAY_OFFSET_TABLE = "stray-offset-table"
    STREAM_WITHOUT_ITEMS = "stream-without-items"
    TABLES_ONLY_STREAM = "tables-only-stream"
    TRAILING_GARBAGE = "trailing-garbage"
    TRAILING_ZEROS = "trailing-zeros"
    UNCONVERTED_VALUE = "unconverted-value"
    UNCOUNTED_PAD_BYTE = "uncounted-pad-byte"
    UNDEFINED_LENGTH = "undefined-length"
    UNKNOWN_SOP_INSTANCE = "unknown-sop-instance"
    UNKNOWN_TRANSFER_SYNTAX = "unknown-transfer-syntax"
    UNORDERED_ELEMENT = "unordered-element"
    UNPADDED_RLE_SEGMENTS = "unpadded-rle-segments"
    VALUE_OF_ANOTHER_KIND = "value-of-another-kind"
    WRAPPED_DEFLATE = "wrapped-deflate"
    WRONG_ATTRIBUTE = "wrong-attribute"
    WRONG_FILE_META_LENGTH = "wrong-file-meta-length"
    WRONG_HIGH_BIT = "wrong-high-bit"
    WRONG_ITEM_LENGTH = "wrong-item-length"
    WRONG_LENGTH_FIELD = "wrong-length-field"
    WRONG_NUMBER_OF_FRAMES = "wrong-number-of-frames"
    WRONG_OFFSET_TABLE = "wrong-offset-table"
    WRONG_OFFSET_TABLE_LENGTHS = "wrong-offset-table-lengths"
    WRONG_PADDING = "wrong-padding"
    WRONG_PIXEL_DATA_VR = "wrong-pixel-data-vr"
    WRONG_RLE_OFFSETS = "wrong-rle-offsets"
    WRONG_SEQUENCE_LENGTH = "wrong-sequence-length"
    WRONG_SPECTRAL_END = "wrong-spectral-end"
    WRONG_TOTAL_LENGTH = "wrong-total-length"
    WRONG_TRANSFER_SYNTAX = "wrong-transfer-syntax"
    WRONG_VR = "wrong-vr"
    ZERO_FRAMES = "zero-frames"


@dataclass(frozen=True, slots=True)
class Oddity:
    """One departure from the standard.

    Attributes:
        id: stable, for programs: lower case words joined by hyphens.
        text: for people: the finding, and the assumption made.
        offset: byte offset in the source, if it applies.
    """

    id: OddityId
    text: str
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class DamagedFrame:
    """A frame that cannot be decoded.

    Attributes:
        frame: its number, from 0.
        reason: why it cannot be decoded.
        offset: byte offset in the file, if it is known.
        kept: number of its samples, from the first, that are there and are kept.
    """

    frame: int
    reason: str
    offset: int | None = None
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Salvage:
    """The treatment of a damaged file.

    Attributes:
        mode: "fill" or "drop": the damaged frames are filled with padding or left out.
        frames: the damaged frames, in order.
        number_of_frames: the number that the file should have.
        end_lost: whether the file ends before its last fragment or element does.
    """

    mode: str
    frames: tuple[DamagedFrame, ...]
    number_of_frames: int
    end_lost: bool = False

    @property
    def text(self) -> str:
        """A sentence for people, in ASCII and below 500 characters; frames are counted from 1."""
        parts: list[str] = []
        if self.frames:
            numbers = [one.frame + 1 for one in self.frames]
            done = "filled with padding" if self.mode == FILL else "left out"
            parts.append(
                f"{len(numbers)} of {self.number_of_frames} frames could not be read and were "
                f"{done} (counted from 1: {join_runs(numbers)})"
            )
            parts += [
                f"the first {one.kept} samples of frame {one.frame + 1} are kept"
                for one in self.frames
                if one.kept
            ]
        if self.end_lost:
            parts.append("the end of the file is lost")
        return "Salvaged from a damaged file: " + "; ".join(parts)


def join_runs(numbers: list[int]) -> str:
    """Return rising numbers as text, those that follow each other as one run: 3, 7-9."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = runs[-1][0], number
        else:
            runs.append((number, number))
    texts = [f"{first}-{last}" if last > first else f"{first}" for first, last in runs]
    if len(texts) > _MOST_RUNS:
        texts = [*texts[:_MOST_RUNS], "and others"]
    return ", ".join(texts)
