"""The oddities that are recognized: their severity, their reading, their standard form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dicodec.model.findings import Oddity
from dicodec.model.findings import OddityId as Id
from dicodec.model.records import StrEnum, dataclass

_LEFT = "nothing: it is left as it is"


class Severity(StrEnum):
    """How much an oddity matters to a reader of the file."""

    ALLOWED = "allowed"  # the standard allows it, or did
    HARMLESS = "harmless"  # every reader takes it
    WRONG = "wrong"  # there is one sensible reading; some readers fail
    DOUBTFUL = "doubtful"  # one reading is assumed, another is possible


@dataclass(frozen=True, slots=True)
class OddityKind:
    """One departure from the standard that is read all the same.

    Attributes:
        id: stable, for programs: lower case words joined by hyphens.
        severity: how much it matters.
        recognized: how it shows.
        assumed: how it is read.
        standardized: its replacement in the result of `--standardize`.
        section: of the standard, which requires something else.
        warned: whether the report of a conversion warns of it.
    """

    id: Id
    severity: Severity
    recognized: str
    assumed: str
    standardized: str
    section: str
    warned: bool = False

    @property
    def left_alone(self) -> bool:
        """Whether the result of `--standardize` keeps it, because its meaning is not known."""
        return self.standardized == _LEFT


_ALLOWED, _HARMLESS, _WRONG, _DOUBTFUL = Severity

_ROWS = (
    OddityKind(Id.NO_PREAMBLE, _WRONG, "no 128 bytes and prefix DICM at the start",
               "the data set, or the prefix, begins at the first byte",
               "preamble of zeros and prefix", "PS3.10 7.1"),
    OddityKind(Id.NO_FILE_META, _WRONG, "no element of group 2 at the start",
               "the transfer syntax that the data shows",
               "complete File Meta Information", "PS3.10 7.1"),
    OddityKind(Id.IMPLICIT_FILE_META, _WRONG, "the first element of group 2 states no VR",
               "group 2 is in implicit VR little endian",
               "group 2 in explicit VR little endian", "PS3.10 7.1"),
    OddityKind(Id.NO_FILE_META_LENGTH, _WRONG, "(0002,0000) is missing",
               "group 2 ends with its last element", "(0002,0000) with the right length",
               "PS3.10 7.1"),
    OddityKind(Id.WRONG_FILE_META_LENGTH, _WRONG,
               "(0002,0000) has another value than the length of the elements",
               "group 2 ends with its last element", "(0002,0000) with the right length",
               "PS3.10 7.1"),
    OddityKind(Id.OTHER_ENCODING, _WRONG,
               "the first element shows another VR form or byte order than the stated one",
               "the encoding that the element shows", "the encoding of the target", "PS3.10 7.1"),
    OddityKind(Id.NO_TRANSFER_SYNTAX, _WRONG, "Transfer Syntax UID is missing",
               "the encoding that the first element shows", "Transfer Syntax UID", "PS3.10 7.1"),
    OddityKind(Id.MISSING_ATTRIBUTE, _DOUBTFUL, "an attribute of the Image Pixel Module is missing",
               "the value named in the message", "the attribute with that value",
               "PS3.3 C.7.6.3"),
    OddityKind(Id.WRONG_HIGH_BIT, _DOUBTFUL, "High Bit lies outside of Bits Allocated",
               "Bits Stored - 1", "High Bit as assumed", "PS3.3 C.7.6.3.1.4"),
    OddityKind(Id.OVERLAY_IN_SAMPLES, _DOUBTFUL,
               "an overlay without data of its own, in a bit that belongs to samples",
               "the one bit beside the samples that is set in any word; if there is not just one, "
               "there is no overlay", "that bit; else nothing: it is left as it is",
               "PS3.5 8.1.2"),
    OddityKind(Id.MISSPELT_PHOTOMETRIC_INTERPRETATION, _WRONG,
               "a defined Photometric Interpretation but for case, blanks and underscores",
               "the defined one", "the defined one", "PS3.3 C.7.6.3.1.2"),
    OddityKind(Id.ZERO_FRAMES, _WRONG, "Number of Frames is 0", "1 frame", "Number of Frames 1",
               "PS3.3 C.7.6.6.1.1"),
    OddityKind(Id.EXTENDED_OFFSET_TABLE_FRAGMENTS, _WRONG,
               "an Extended Offset Table, but frames have several fragments",
               "the table's offsets", "one fragment a frame", "PS3.3 C.7.6.3.1.8"),
    OddityKind(Id.WRONG_OFFSET_TABLE_LENGTHS, _HARMLESS,
               "Extended Offset Table Lengths does not fit the fragments",
               "the fragments' own lengths", "the right lengths", "PS3.3 C.7.6.3.1.9"),
    OddityKind(Id.WRONG_OFFSET_TABLE, _HARMLESS,
               "an offset at which no fragment begins, or a frame that begins or ends in a stream",
               "frames by the streams, or by counting fragments", "the right table",
               "PS3.5 A.4"),
    OddityKind(Id.STRAY_OFFSET_TABLE, _HARMLESS,
               "an Extended Offset Table in a native file, beside a filled Basic Offset Table, or "
               "half of one", "the Basic Offset Table, or no table",
               "no such table, or a whole one", "PS3.3 C.7.6.3.1.8"),
    OddityKind(Id.WRONG_TOTAL_LENGTH, _HARMLESS,
               "Encapsulated Pixel Data Value Total Length is not the length of the fragments, or "
               "stands in a native file", "the fragments' own lengths", "no such attribute",
               "PS3.3 C.7.6.3"),
    OddityKind(Id.WRONG_NUMBER_OF_FRAMES, _WRONG,
               "Number of Frames is not that of the frames in Pixel Data",
               "as many as there are, if each is whole and nothing else contradicts it; if "
               "not, conversion is refused", "the right number", "PS3.3 C.7.6.6.1.1"),
    OddityKind(Id.PIXEL_DATA_TRUNCATED, _DOUBTFUL, "the file ends inside Pixel Data",
               "nothing: the frame at fault is named", "nothing", "PS3.5 7.1"),
    OddityKind(Id.EXPLICIT_IN_UN, _WRONG, "a UN of undefined length whose elements state VRs",
               "explicit VR little endian inside", "a sequence in the data set's encoding",
               "PS3.5 6.2.2"),
    OddityKind(Id.ELEMENTS_LOST, _DOUBTFUL,
               "the file ends inside an element after Pixel Data",
               "nothing; with --salvage: the elements before it", "nothing", "PS3.5 7.1"),
    OddityKind(Id.SALVAGED, _DOUBTFUL, "frames are damaged",
               "nothing; with --salvage: they are filled or left out", "nothing",
               "PS3.5 8.1, A.4"),
    OddityKind(Id.NO_DELIMITER, _WRONG,
               "fragments, or a stream of undefined length, end without a delimiter, or with zeros",
               "they end there, because another element follows, or the file ends",
               "the delimiter", "PS3.5 A.4"),
    OddityKind(Id.OTHER_DELIMITER, _WRONG, "fragments end with an Item Delimitation Item",
               "they end there", "a Sequence Delimitation Item", "PS3.5 A.4"),
    OddityKind(Id.STRAY_DELIMITER, _HARMLESS, "a delimiter outside of a sequence", "nothing",
               "it is left out", "PS3.5 7.5"),
    OddityKind(Id.TRAILING_ZEROS, _HARMLESS, "nothing but zeros after the last element",
               "the data set ends before them", "they are left out", "PS3.10 7.2"),
    OddityKind(Id.IMPLICIT_ELEMENT, _WRONG, "an element without VR among elements that have one",
               "the VR of the dictionary", "the VR is stated", "PS3.5 7.1"),
    OddityKind(Id.SEQUENCE_KEPT_AS_UN, _DOUBTFUL,
               "the dictionary says sequence, but the value is not one",
               "bytes of no known meaning", "UN with the same bytes", "PS3.5 6.2.2"),
    OddityKind(Id.ENCAPSULATED_OUTSIDE_EXPLICIT_LE, _WRONG,
               "encapsulated Pixel Data in a data set of another encoding",
               "fragments as they are", "explicit VR little endian", "PS3.5 A.4"),
    # The structure of the data set
    OddityKind(Id.STRAY_BYTES, _WRONG,
               "bytes that are not an element come first, and then 6 elements in order",
               "the data set begins behind them", "they are left out", "PS3.10 7.2"),
    OddityKind(Id.MISPLACED_PREFIX, _WRONG,
               "the prefix DICM, with group 2 behind it, in the first kilobyte but not at byte 128",
               "the file begins there", "preamble of zeros and prefix", "PS3.10 7.1"),
    OddityKind(Id.BIG_ENDIAN_FILE_META, _WRONG, "group 2 is in big endian",
               "explicit VR big endian up to the end of group 2",
               "group 2 in explicit VR little endian", "PS3.10 7.1"),
    OddityKind(Id.INCOMPLETE_FILE_META, _WRONG,
               "a required element of group 2 is missing, or names another instance than the data "
               "set", "the data set's own UIDs count", "complete File Meta Information",
               "PS3.10 7.1"),
    OddityKind(Id.UNKNOWN_SOP_INSTANCE, _DOUBTFUL,
               "neither group 2 nor the data set has a SOP Class UID or a SOP Instance UID",
               "nothing", _LEFT, "PS3.10 7.1"),
    OddityKind(Id.EXPLICIT_ELEMENT, _WRONG, "an element with a VR among others without",
               "its VR", "the encoding of the target", "PS3.5 7.1"),
    OddityKind(Id.OTHER_BYTE_ORDER, _WRONG,
               "an element, or items around fragments, in the other byte order than the data set; "
               "UN that holds big endian", "the element's own byte order",
               "the encoding of the target", "PS3.5 7.3, 6.2.2"),
    OddityKind(Id.ILLEGAL_VR, _WRONG, "two bytes in the place of a VR that are not one",
               "the VR of the dictionary if the value fits it, else UN; the length field is that "
               "after which the next element is found", "the VR that was assumed", "PS3.5 6.2"),
    OddityKind(Id.WRONG_LENGTH_FIELD, _WRONG,
               "a length of 16 bits although the VR has 32, or of 32 although it has 16",
               "the one after which the next element is found", "the length field of the VR",
               "PS3.5 7.1.2"),
    OddityKind(Id.CUT_LENGTH, _WRONG,
               "a 16-bit length that leads to no element, and several elements a multiple of "
               "65,536 bytes further on", "the value ends there", "UN with the whole value",
               "PS3.5 7.1.2"),
    OddityKind(Id.WRONG_VR, _WRONG, "another VR than the dictionary's, for the same kind of value",
               "the VR that is stated", "the dictionary's", "PS3.6 6"),
    OddityKind(Id.OTHER_VR, _DOUBTFUL,
               "another VR than the dictionary's, which the value does not fit",
               "the VR that is stated", _LEFT, "PS3.6 6"),
    OddityKind(Id.VALUE_OF_ANOTHER_KIND, _WRONG,
               "another VR than the dictionary's, for another kind of value that it can hold: a "
               "number as text, text as a number",
               "the value, by the VR that is stated; it is converted if VRs leave",
               "the dictionary's VR, and the value in it", "PS3.6 6"),
    OddityKind(Id.UNCONVERTED_VALUE, _DOUBTFUL,
               "VRs leave, and a value of another VR than the dictionary's that the dictionary's "
               "cannot hold",
               "its bytes are kept, and readers will take them for another value", _LEFT,
               "PS3.6 6", warned=True),
    OddityKind(Id.KNOWN_UN, _ALLOWED, "UN for an element whose VR the dictionary knows",
               "bytes", "the dictionary's VR, if the value fits it", "PS3.5 6.2.2"),
    OddityKind(Id.SEQUENCE_AS_UN, _ALLOWED, "UN for an element that is a sequence",
               "implicit VR little endian inside", "a sequence in the data set's encoding",
               "PS3.5 6.2.2"),
    OddityKind(Id.ODD_LENGTH, _WRONG, "a value of an odd number of bytes", "its stated length",
               "the pad byte of its VR is added", "PS3.5 6.2"),
    OddityKind(Id.UNCOUNTED_PAD_BYTE, _WRONG,
               "a value of odd length, and the next element is one byte behind it",
               "the byte between is padding", "the length counts it", "PS3.5 6.2"),
    OddityKind(Id.WRONG_PADDING, _HARMLESS,
               "text that ends with NUL, or a UID that ends with space",
               "the text before it", "the pad byte of its VR, if one is due", "PS3.5 6.2"),
    OddityKind(Id.ILLEGAL_VALUE, _DOUBTFUL,
               "text too long for its VR, not of its form, or of too many values",
               "the text as it is", _LEFT, "PS3.5 6.2"),
    OddityKind(Id.UNDEFINED_LENGTH, _WRONG,
               "an undefined length although the VR allows none and the value is items, or "
               "although it is not items",
               "a sequence; or what lies before the delimiter, the next element or the end, if "
               "it is as long as all native frames, or a stream",
               "VR SQ; or the length, and fragments around streams", "PS3.5 7.1.1, A.4"),
    OddityKind(Id.FRAGMENTS_OUTSIDE_PIXEL_DATA, _DOUBTFUL,
               "an undefined length and fragments in another element than Pixel Data",
               "bytes, all that lies before the delimiter",
               "a value of defined length with the same bytes, in every result", "PS3.5 A.4",
               warned=True),
    OddityKind(Id.WRONG_SEQUENCE_LENGTH, _WRONG,
               "a sequence whose length does not end with its items; a delimiter or an element "
               "follows them",
               "it ends with its last item", "the right length", "PS3.5 7.5"),
    OddityKind(Id.WRONG_ITEM_LENGTH, _WRONG,
               "an item whose length does not end with its elements; another item or the end "
               "follows them",
               "it ends with its last element", "the right length", "PS3.5 7.5"),
    OddityKind(Id.NO_ITEM_DELIMITER, _WRONG,
               "an item of undefined length is followed by the next without a delimiter",
               "it ends there", "the delimiter", "PS3.5 7.5"),
    OddityKind(Id.NO_SEQUENCE_DELIMITER, _WRONG,
               "a sequence of undefined length is followed by an element without a delimiter",
               "it ends there", "the delimiter", "PS3.5 7.5"),
    OddityKind(Id.NO_SEQUENCE_HEADER, _DOUBTFUL,
               "an item in the place of an element, and its first attribute belongs to one "
               "sequence only", "that sequence", "the sequence around its items", "PS3.5 7.5"),
    OddityKind(Id.GROUP_LENGTH, _ALLOWED, "(gggg,0000) in a data set", "nothing",
               "it is left out, as in every result", "PS3.5 7.2"),
    OddityKind(Id.RESERVED_GROUP, _WRONG,
               "an element of group 0000 or 0002 in a data set, as behind damage in File Meta "
               "Information, or one of group FFFE that is no item and no delimiter", "nothing",
               "it is left out; those that begin a data set, and those of FFFE in it, from every "
               "result", "PS3.5 7.1"),
    OddityKind(Id.UNORDERED_ELEMENT, _WRONG, "a tag lower than one before it",
               "as if in its place", "it is in its place", "PS3.5 7.1"),
    OddityKind(Id.DUPLICATE_ELEMENT, _DOUBTFUL, "a tag for the second time", "the first counts",
               "the first only", "PS3.5 7.1"),
    OddityKind(Id.TRAILING_GARBAGE, _DOUBTFUL,
               "bytes behind Pixel Data that cannot be an element, or one byte over and over",
               "the data set ends before them", "they are left out", "PS3.10 7.2"),
    OddityKind(Id.BYTES_AFTER_DEFLATE, _HARMLESS,
               "more than a pad byte after the end of the deflate stream",
               "the data set ends with the stream", "they are left out", "PS3.5 A.5"),
    OddityKind(Id.WRONG_PIXEL_DATA_VR, _WRONG,
               "Pixel Data is neither OB nor OW, or OB with more than 8 bits, or encapsulated "
               "and not OB", "samples of Bits Allocated", "the right VR", "PS3.5 A.1 to A.4"),
    OddityKind(Id.EMPTY_FRAGMENT, _WRONG,
               "a fragment of Pixel Data has no bytes, and others hold its frame",
               "it is part of no frame", "it is left out", "PS3.5 A.4"),
    OddityKind(Id.EMPTY_FRAME, _DOUBTFUL,
               "the only fragment of a frame has no bytes, as for tiles of a slide that show "
               "nothing",
               "a frame without samples: it is moved as it is; decoding it is an error, but with "
               "--salvage", _LEFT, "PS3.5 A.4", warned=True),
    OddityKind(Id.SHORT_FRAGMENT, _WRONG, "an item or the delimiter of Pixel Data begins a byte "
               "behind the end of the fragment before", "that fragment has this byte, too",
               "the right length", "PS3.5 A.4"),
    OddityKind(Id.ODD_FRAGMENT, _WRONG, "a fragment of Pixel Data has an odd number of bytes",
               "its stated length", "a pad byte is added", "PS3.5 A.4"),
    # The real form of Pixel Data
    OddityKind(Id.NOT_DEFLATED, _WRONG, "an element, although a deflate stream is stated",
               "the data set is not deflated", "the encoding of the target", "PS3.5 A.5"),
    OddityKind(Id.DEFLATED, _WRONG, "a deflate stream with a data set in it that is not stated",
               "the data set that comes out", "the encoding of the target", "PS3.5 A.5"),
    OddityKind(Id.WRAPPED_DEFLATE, _WRONG, "a zlib or gzip header around the deflate stream",
               "the stream inside", "a raw deflate stream, if any", "PS3.5 A.5"),
    OddityKind(Id.BLANK_IN_UID, _WRONG, "blanks or line ends around a Transfer Syntax UID",
               "the UID without them", "the UID", "PS3.5 9.1"),
    OddityKind(Id.UNKNOWN_TRANSFER_SYNTAX, _WRONG,
               "a Transfer Syntax UID that is in no table, and Pixel Data that shows its form, or "
               "no Pixel Data",
               "the form that the streams show, or the length of samples that are of 8 bits or in "
               "explicit VR", "that UID",
               "PS3.6 A"),
    OddityKind(Id.WRONG_TRANSFER_SYNTAX, _WRONG,
               "streams of one kind under the UID of another, by their markers",
               "the one that the streams show, their loss included", "its UID", "PS3.5 A.4"),
    OddityKind(Id.ENCAPSULATED_UNDER_NATIVE, _WRONG, "fragments under a native syntax",
               "the one that the streams show; native samples if the fragments are as long as "
               "all frames", "its UID; native samples", "PS3.5 A.4"),
    OddityKind(Id.NATIVE_UNDER_COMPRESSED, _WRONG,
               "Pixel Data of defined length, that of its frames, under a compressed syntax, or "
               "items that are as long together",
               "native samples", "the UID of the native syntax", "PS3.5 A.4"),
    OddityKind(Id.FRAGMENTS_OF_DEFINED_LENGTH, _WRONG,
               "a value of defined length that is a Basic Offset Table and items, up to its end",
               "fragments", "Pixel Data of undefined length", "PS3.5 A.4"),
    OddityKind(Id.NO_OFFSET_TABLE_ITEM, _WRONG,
               "a first item that is a frame's stream by its markers, its structure or its size",
               "a fragment of the first frame", "an offset table before it", "PS3.5 A.4"),
    OddityKind(Id.STREAM_WITHOUT_ITEMS, _WRONG,
               "a bare stream as value of Pixel Data, of the image's size, or an RLE or deflated "
               "frame; several follow each other", "one fragment a frame", "fragments",
               "PS3.5 A.4"),
    OddityKind(Id.JUNK_BEFORE_STREAM, _WRONG,
               "other bytes before SOI or SOC, and a stream of the image's size behind them",
               "the stream begins at its marker", "the stream alone", "PS3.5 8.2"),
    OddityKind(Id.BYTES_AFTER_STREAM, _HARMLESS, "more than a pad byte behind EOI or EOC",
               "the stream ends at its marker", "the stream alone", "PS3.5 A.4"),
    OddityKind(Id.NO_END_MARKER, _DOUBTFUL, "the stream ends without EOI or EOC",
               "all is there if pixels do not depend on the next bytes, or if each tile-part is "
               "there; if not, the frame is refused", "the marker", "PS3.5 8.2"),
    OddityKind(Id.BOXED_CODESTREAM, _WRONG, "boxes of a JP2 file around the codestream",
               "the codestream inside", "the codestream alone", "PS3.5 8.2.4"),
    OddityKind(Id.NO_HUFFMAN_TABLES, _DOUBTFUL, "a baseline stream without DHT",
               "the tables of ISO/IEC 10918-1 K.3, if they decode all of the data and no more",
               "the stream with these tables", "PS3.5 8.2.1"),
    OddityKind(Id.TABLES_ONLY_STREAM, _WRONG, "a first fragment with tables and nothing else",
               "they are those of all frames", "each stream with its tables", "PS3.5 8.2.1"),
    OddityKind(Id.WRONG_SPECTRAL_END, _HARMLESS,
               "lossless JPEG whose scan headers state the end of a spectrum, such as 63",
               "0, as lossless processes have no spectrum", "0", "PS3.5 8.2.1"),
    OddityKind(Id.WRONG_RLE_OFFSETS, _WRONG,
               "offsets that count from the end of the header, or segments in another order",
               "the offsets meant", "segments in order, offsets from the frame's first byte",
               "PS3.5 G.5"),
    OddityKind(Id.SPARE_RLE_SEGMENTS, _WRONG,
               "more segments in an RLE header than hold the image, or offsets it does not count",
               "the first ones, if none of the others holds a plane", "those alone",
               "PS3.5 G.5"),
    OddityKind(Id.UNPADDED_RLE_SEGMENTS, _HARMLESS, "RLE segments of odd length",
               "they end with the next", "a pad byte behind each", "PS3.5 G.3.1"),
    OddityKind(Id.WRONG_ATTRIBUTE, _DOUBTFUL,
               "an attribute of the Image Pixel Module that all streams, or the length of Pixel "
               "Data, or the bits of all samples, or the transfer syntax, contradict",
               "the value they give",
               "the attribute with that value", "PS3.5 8.2.1"),
    OddityKind(Id.LONG_PIXEL_DATA, _DOUBTFUL, "Pixel Data is longer than its frames",
               "Number of Frames counts",
               "the frames alone; a native result still has the rest", "PS3.5 8.1.1"),
    OddityKind(Id.SHORT_PIXEL_DATA, _DOUBTFUL,
               "Pixel Data is shorter than its frames, by less than a row, in a file that is not "
               "cut off",
               "its bytes, moved to native transfer syntaxes; otherwise an error, but with "
               "--salvage", "nothing", "PS3.5 8.1.1"),
    OddityKind(Id.PACKED_SAMPLES, _WRONG, "Bits Allocated 12, and Pixel Data of that length",
               "samples without gaps, the first in the lowest bits", "Bits Allocated 16",
               "PS3.5 8.1.1"),
    OddityKind(Id.MISDECLARED_CHARACTER_SET, _WRONG,
               "text with bytes that Specific Character Set does not have, and all text is UTF-8",
               "nothing; with --charset: UTF-8", _LEFT, "PS3.3 C.12.1.1.2"),
    # Vendors, and formats before DICOM
    OddityKind(Id.ACR_NEMA, _WRONG, "a Recognition Code (0008,0010)",
               "the attributes it has; none that it lacks", _LEFT, "ACR-NEMA 300"),
    OddityKind(Id.ELSCINT_PIXELS, _WRONG,
               "Tamar Compression Type (07A1,xx11) PMSCT_RLE1 or PMSCT_RGB1 and no Pixel Data",
               "one frame, compressed in (07A1,xx0A)", "Pixel Data", "PS3.5 7.8"),
    OddityKind(Id.PAPYRUS, _WRONG, "Image Sequence (0041,xx50) of PAPYRUS 3.0 with one item",
               "that item is the data set", "the data set of the item", "PS3.5 7.8"),
)  # fmt: skip

ODDITIES: Mapping[str, OddityKind] = {row.id: row for row in _ROWS}
"""By id."""


def select_warnings(oddities: Iterable[Oddity]) -> list[str]:
    """Return the oddities of a source that the report of a conversion warns of."""
    return [
        f"{one.text}: {ODDITIES[one.id].assumed}" for one in oddities if ODDITIES[one.id].warned
    ]
