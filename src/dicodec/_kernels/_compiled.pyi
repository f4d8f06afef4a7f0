"""The functions of the extension. Each takes C-contiguous buffers, and checks all that it is told.

Raises, of every function:
    ValueError: the data are not what the function reads, or an argument is outside its range.
    EOFError: a stream ends before its last sample.
    MemoryError: there is not enough memory.
"""

from collections.abc import Buffer, Sequence

INSTRUCTIONS: str
"""The instructions of this processor that kernels make use of, such as "avx2 bmi2"; or ""."""

VALUE_REPRESENTATIONS: str
"""The VRs that the walk of elements knows, two letters each."""

LONG_FORMS: int
"""How many of them, from the first on, have a length field of 32 bits (PS3.5 table 7.1-1)."""

RECORD_SIZE: int
"""Bytes of the record of an element."""

FRAGMENTS_AT_ONCE: int
"""Items that one call of walk_fragments follows at most."""

FRAGMENT_HEAD: int
"""First bytes of each fragment that walk_fragments gives."""

LONGEST_BEGINNING: int
"""Bytes of a beginning, or of headers, that match_fragments compares at most."""

def encode_jpeg_lossless(
    words: Buffer,
    rows: int,
    columns: int,
    components: int,
    bits_allocated: int,
    bits_stored: int,
    signed: bool,
    precision: int,
    predictor: int,
    rgb: bool,
    /,
) -> bytearray | None:
    """Return a stream of lossless JPEG with Huffman codes (ISO/IEC 10918-1 Annex H), in one scan.

    It is the same, byte by byte, as libjpeg makes with optimal tables.

    Args:
        words: little endian, by pixel; rows * columns * components of `bits_allocated` bits.
        rows: 1 to 65500.
        columns: 1 to 65500.
        components: 1 or 3.
        bits_allocated: 8 or 16.
        bits_stored: 1 to `bits_allocated`.
        signed: whether words are two's complement.
        precision: the lowest bits of each word that are coded: 2 or `bits_stored`, whichever is
            more, to `bits_allocated`.
        predictor: the selection value, 1 to 7.
        rgb: whether three components are to be marked as R, G and B.

    Returns:
        None if a word is outside Bits Stored.
    """

def decode_jpeg_lossless(
    stream: Buffer,
    rows: int,
    columns: int,
    components: int,
    bits_allocated: int,
    bits_stored: int,
    signed: bool,
    /,
) -> bytearray | None:
    """Return the words of a stream of lossless JPEG with Huffman codes (ISO/IEC 10918-1 Annex H).

    Args:
        stream: from SOI to EOI; zeros may follow.
        rows: of the image, 1 to 65500.
        columns: 1 to 65500.
        components: 1 or 3.
        bits_allocated: of a word, 8 or 16.
        bits_stored: 1 to `bits_allocated`.
        signed: whether words are to be two's complement.

    Returns:
        None if only the library can tell: the stream is of another process or size, it is damaged,
        its markers have a rare form, or a sample is outside Bits Stored.

    Raises:
        EOFError: the bits of a scan, or of an interval between restart markers, end before its
            last sample.
    """

def encode_jpeg_ls(
    words: Buffer,
    rows: int,
    columns: int,
    components: int,
    bits_allocated: int,
    bits_stored: int,
    signed: bool,
    precision: int,
    near: int,
    /,
) -> bytes | None:
    """Return a stream of JPEG-LS (ISO/IEC 14495-1), the samples of three components interleaved.

    It is the same, byte by byte, as CharLS makes, and states the thresholds of contexts below 8
    bits, too.

    Args:
        words: little endian, by pixel; rows * columns * components of `bits_allocated` bits.
        rows: 1 to 65535.
        columns: 1 to 65535.
        components: 1 or 3.
        bits_allocated: 8 or 16.
        bits_stored: 1 to `bits_allocated`.
        signed: whether words are two's complement.
        precision: the lowest bits of each word that are coded: 2 or `bits_stored`, whichever is
            more, to `bits_allocated`.
        near: NEAR, 0 to 255 and to half of the largest sample of `bits_stored`.

    Returns:
        None if a word is outside Bits Stored, or NEAR could move a signed one past its range.
    """

def decode_jpeg_ls(
    stream: Buffer,
    rows: int,
    columns: int,
    components: int,
    bits_allocated: int,
    bits_stored: int,
    signed: bool,
    /,
) -> bytearray | None:
    """Return the words of a stream of JPEG-LS (ISO/IEC 14495-1).

    Args:
        stream: from SOI to EOI; zeros may follow.
        rows: of the image, 1 to 65535.
        columns: 1 to 65535.
        components: 1 or 3.
        bits_allocated: of a word, 8 or 16.
        bits_stored: 1 to `bits_allocated`.
        signed: whether words are to be two's complement.

    Returns:
        None if only the library can tell: the stream is of another process or size, it is damaged
        or cut, its markers have a rare form, or a sample is outside Bits Stored.
    """

def encode_jpeg2000(
    words: Buffer,
    rows: int,
    columns: int,
    components: int,
    bits_allocated: int,
    bits_stored: int,
    signed: bool,
    transform: bool,
    threads: int,
    /,
) -> bytes | None:
    """Return a codestream of JPEG 2000 part 1 without loss, of one tile and layer.

    Args:
        words: little endian, by pixel; rows * columns * components of `bits_allocated` bits.
        rows: 1 to 1048576.
        columns: 1 to 1048576.
        components: 1 or 3.
        bits_allocated: 8 or 16.
        bits_stored: 1 to `bits_allocated`; the stream's precision.
        signed: whether words are two's complement.
        transform: whether three components are decorrelated by RCT.
        threads: among which code-blocks are shared, 1 or more.

    Returns:
        None if a word is outside Bits Stored, or a coefficient of a rare pattern takes more bits
        than its subband has.
    """

def encode_jpeg2000_lossy(
    words: Buffer,
    rows: int,
    columns: int,
    components: int,
    bits_allocated: int,
    bits_stored: int,
    signed: bool,
    transform: bool,
    threads: int,
    most_bytes: int,
    psnr: float,
    of_range: bool,
    /,
) -> bytes | None:
    """Return a codestream by the 9-7 wavelet and ICT, of one tile and layer.

    Args:
        words: as of `encode_jpeg2000`.
        rows: 1 to 1048576.
        columns: 1 to 1048576.
        components: 1 or 3.
        bits_allocated: 8 or 16.
        bits_stored: 1 to `bits_allocated`; the stream's precision.
        signed: whether words are two's complement.
        transform: whether three components are decorrelated by ICT.
        threads: among which code-blocks are shared, 1 or more.
        most_bytes: of the stream, as far as that is possible; if 0, the error counts.
        psnr: decibels that are reached at least, by an estimate, 0 to 200.
        of_range: whether the peak is the range of the words, not that of Bits Stored.

    Returns:
        None as of `encode_jpeg2000`.
    """

def encode_htj2k(
    words: Buffer,
    rows: int,
    columns: int,
    components: int,
    bits_allocated: int,
    bits_stored: int,
    signed: bool,
    transform: bool,
    levels: int,
    threads: int,
    /,
) -> bytes | None:
    """Return a codestream of HTJ2K (ISO/IEC 15444-15) without loss, of one tile and layer.

    It is in the order of resolutions, each of which is a tile-part, with TLM before them.

    Args:
        words: as of `encode_jpeg2000`.
        rows: 1 to 1048576.
        columns: 1 to 1048576.
        components: 1 or 3.
        bits_allocated: 8 or 16.
        bits_stored: 1 to `bits_allocated`; the stream's precision.
        signed: whether words are two's complement.
        transform: whether three components are decorrelated by RCT.
        levels: of decomposition, 0 to 32.
        threads: among which code-blocks are shared, 1 or more.

    Returns:
        None as of `encode_jpeg2000`.
    """

def decode_jpeg2000(
    codestream: Buffer,
    rows: int,
    columns: int,
    components: int,
    bits_allocated: int,
    bits_stored: int,
    signed: bool,
    threads: int,
    halvings: int,
    /,
) -> bytearray | None:
    """Return the words of a codestream of JPEG 2000 part 1 (ISO/IEC 15444-1).

    Args:
        codestream: from SOC to EOC.
        rows: of the image, 1 to 1048576.
        columns: 1 to 1048576.
        components: 1 or 3; a component transform is undone.
        bits_allocated: of a word, 8 or 16.
        bits_stored: 1 to `bits_allocated`.
        signed: whether words are to be two's complement.
        threads: among which code-blocks are shared, 1 or more.
        halvings: how often rows and columns are halved, each time rounded up, 0 to 32; as many
            resolutions are left out.

    Returns:
        None if only the library can tell: the codestream is of another size or has fewer
        resolutions, it is damaged or lacks packets, it has a rare form, or a sample is outside
        Bits Stored.
    """

def encode_rle(words: Buffer, rows: int, columns: int, samples: int, size: int, /) -> bytearray:
    """Return an RLE frame (PS3.5 Annex G): a segment of even length for each byte of a pixel.

    Args:
        words: little endian, by pixel; rows * columns * samples * size bytes.
        rows: 1 or more.
        columns: 1 or more; runs end with the row.
        samples: of a pixel.
        size: bytes of a word; samples * size is 1 to 15.

    Raises:
        ValueError: also if the frame could be larger than a header can say, 4 GiB.
    """

def decode_rle(segments: Sequence[Buffer], pixels: int, size: int, /) -> bytearray:
    """Return the words of an RLE frame's segments, little endian and by pixel.

    Args:
        segments: 1 to 15, in the order of PS3.5 G.2; bytes behind a plane's runs are ignored.
        pixels: bytes of a plane.
        size: bytes of a word; the number of segments is a multiple.
    """

def fit_words(words: Buffer, size: int, bits: int, signed: bool, /) -> bool:
    """Return whether all words lie within Bits Stored.

    Args:
        words: little endian, of `size` bytes each.
        size: 1, 2, 4 or 8.
        bits: 1 to 8 * size.
        signed: whether words are two's complement.
    """

def swap_words(words: Buffer, size: int, /) -> bytearray:
    """Return words of 1, 2, 4 or 8 bytes in the other byte order."""

def ybr_full_to_rgb(pixels: Buffer, bits: int, /) -> bytearray:
    """Return bytes in the order R, G, B of bytes in the order Y, Cb, Cr; see `pixels/color.py`.

    Args:
        pixels: three bytes each.
        bits: of a sample, 1 to 8.
    """

def rgb_to_ybr_full(pixels: Buffer, bits: int, /) -> bytearray:
    """Return bytes in the order Y, Cb, Cr of bytes in the order R, G, B; as above."""

def pack_elements(
    window: Buffer, index: int, start: int, end: int, explicit_vr: bool, most: int, /
) -> tuple[bytes, int]:
    """Return the records of plain elements that follow each other, in little endian.

    Plain is what is in the window as far as its header, of defined length, no delimiter, with a VR
    that there is, or without one in implicit VR; in explicit VR, of a group that makes no sense in
    the other byte order.

    Args:
        window: bytes of a source.
        index: of the first element in the window.
        start: offset of the first element in the source.
        end: offset in the source at which the elements end.
        explicit_vr: whether headers state VRs.
        most: elements at most; fewer may come at once.

    Returns:
        None or more, RECORD_SIZE bytes each, as element_record of elements.h; and the offset behind
        them. The element there is for somebody else to look at.
    """

def unpack_elements[Span: tuple[object, ...]](
    records: Buffer, first: int, end: int, kind: type[Span], /
) -> list[Span]:
    """Return the spans of records.

    Args:
        records: as pack_elements makes them.
        first: index of the first one.
        end: index behind the last one.
        kind: class of the spans, with the fields of part10.element_span.ElementSpan.
    """

def find_element(records: Buffer, tag: int, first: int, /) -> int:
    """Return the index of the first record of a tag, from an index on; -1 if there is none."""

def list_sequences(records: Buffer, least: int, /) -> list[int]:
    """Return the indices of elements of VR SQ, or of none, with values of `least` bytes or more."""

def count_adjacent(records: Buffer, index: int, end: int, edits: Buffer, limit: int, /) -> int:
    """Return how many elements from an index on follow each other without a gap.

    Their tags are below `limit`, not those of edits, and not Group Lengths; all state a VR, or none
    does. The first one counts whatever it is.

    Args:
        records: as pack_elements makes them.
        index: of the first element.
        end: index behind the last one.
        edits: tags, numbers of 32 bits in the byte order of the machine.
        limit: a tag; 1 << 32 for none.
    """

def gather_values(records: Buffer, head: Buffer, tags: Buffer, longest: int, /) -> bytes | None:
    """Return whether each of some tags is there, with VR, length and bytes of its value.

    None if elements or tags are out of order, or a value has more than `longest` bytes, or is not
    within the head.

    Args:
        records: as pack_elements makes them.
        head: the first bytes of the source.
        tags: in order, numbers of 32 bits in the byte order of the machine.
        longest: bytes of a value that is still given.
    """

def drop_vrs(
    elements: Buffer, start: int, end: int, depth: int, settled: set[int], /
) -> tuple[bytes, int]:
    """Write plain elements of explicit VR little endian in implicit VR little endian.

    Sequences are written with their items. Group Lengths (gggg,0000) are left out.

    Args:
        elements: holds them.
        start: offset of the first one.
        end: offset at which they end.
        depth: levels of sequences that may be entered.
        settled: tags with VRs, tag << 16 and the two letters, whose values need not be converted
            without the VR; other elements of even groups are not plain.

    Returns:
        The bytes, and the offset behind the last element that was taken.
    """

def add_vrs(
    elements: Buffer,
    start: int,
    end: int,
    depth: int,
    known: dict[int, int],
    blocks: dict[int, dict[int, int]],
    /,
) -> tuple[bytes, int]:
    """Write plain elements of implicit VR little endian in explicit VR little endian.

    Sequences are written with their items. Group Lengths (gggg,0000) are left out. Private
    Creators, private sequences, private elements in items, and elements whose VR is not among the
    known ones, or whose value is too long for it, are not plain.

    Args:
        elements: holds them.
        start: offset of the first one.
        end: offset at which they end.
        depth: levels of sequences that may be entered.
        known: VRs by tag, of elements of even groups: numbers of pairs of letters in
            VALUE_REPRESENTATIONS.
        blocks: the same of private elements, for each block by its group and the block's number,
            gggg00bb.

    Returns:
        The bytes, and the offset behind the last element that was taken; more may follow.
    """

def walk_fragments(
    source: int | Buffer, start: int, end: int, most: int, /
) -> tuple[bytes, bytes, bytes, int]:
    """Follow items of encapsulated Pixel Data in little endian, of defined length each.

    Args:
        source: holds them: the descriptor of a file, which may become shorter meanwhile; or bytes.
        start: offset of the tag of the first item.
        end: offset at which the last one ends at the latest.
        most: items at most, up to FRAGMENTS_AT_ONCE.

    Returns:
        Offsets of the items' values, and their lengths, as numbers of 64 bits in the byte order of
        the machine; FRAGMENT_HEAD first bytes of each value, with zeros behind a short one; and the
        offset behind the last item. What is there is for somebody else to look at, unless as many
        came as were asked for: also what cannot be read.
    """

def match_fragments(
    source: int | Buffer,
    starts: Buffer,
    lengths: Buffer,
    begins: tuple[bytes, ...],
    headers: Buffer,
    /,
) -> tuple[int, int]:
    """Return how many fragments, from the first on, begin with one of some beginnings.

    And how many, from the first on, are also as long as the longest of these, and begin with
    headers. A fragment that cannot be read does not.

    Args:
        source: as of walk_fragments.
        starts: offsets of fragments, as walk_fragments gives them.
        lengths: their lengths.
        begins: 1 to 16 beginnings of up to LONGEST_BEGINNING bytes.
        headers: up to as many bytes.
    """
