"""Parse the headers of JPEG XL streams (ISO/IEC 18181-1 Annex D, E and F; 18181-2 boxes)."""

from __future__ import annotations

from dicodec.codecs.streams.bit_reader import BitReader
from dicodec.codecs.streams.boxes import walk_boxes
from dicodec.codecs.streams.jpeg_markers import Buffer
from dicodec.errors import CorruptFrameError, TruncatedFrameError
from dicodec.model.records import dataclass
from dicodec.model.stream import JPEG_XL_BOXES_START, JPEG_XL_START, StreamDescription

# Table D.2: width as a share of the height
ASPECT_RATIOS = {1: (1, 1), 2: (6, 5), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
GREY, XYB = 1, 2  # colour_space, Table E.2
_EIGHTHS = ((16, 0), (32, 0), (1, 5), (33, 9))
_LENGTHS = ((1, 6), (65, 8), (321, 10), (1345, 12))
"""Lengths of the sides of a preview, in units of 8 pixels and of one (D.3.3)."""
_TRANSPOSED = 5
"""Orientations from here on exchange rows and columns (Table D.4)."""

_LIKE_HEADERS = 8
"""Bytes that streams of like images share: the signature, the size, the first of the metadata."""


@dataclass(slots=True)
class _Facts:
    """The facts of the headers read so far; None if they were too intricate to tell."""

    rows: int = 0
    columns: int = 0
    precision: int = 8
    components: int = 3
    extra_channels: int = 0
    orientation: int = 1
    icc: bool = False
    animation: bool = False
    floating: bool = False
    xyb: bool = True
    var_dct: bool | None = None
    ycbcr: bool = False


def describe(stream: Buffer) -> StreamDescription:
    """Describe a JPEG XL codestream, bare or in a container, by its headers.

    Raises:
        TruncatedFrameError: the stream ends in its headers.
        CorruptFrameError: this is not a JPEG XL stream.
    """
    data = bytes(stream)
    codestream, reconstructs = _find_codestream(data)
    facts = _read_headers(BitReader(codestream, 2))
    return _make_description(facts, reconstructs)


def begins_another(stream: Buffer) -> bool:
    """Return whether another stream, whose headers begin as this one's, stands behind it.

    Only decoders know where a codestream ends, so streams of another size or depth are not found.
    """
    data = bytes(stream)
    return data.find(data[:_LIKE_HEADERS], 1) >= 0


def can_rebuild_jpeg(stream: Buffer) -> bool:
    """Return whether the stream holds the data to rebuild a JPEG file bit by bit."""
    return _find_codestream(bytes(stream))[1]


def _find_codestream(data: bytes) -> tuple[bytes, bool]:
    """Return the codestream's start and whether there is a JPEG reconstruction box (jbrd)."""
    if data.startswith(JPEG_XL_START):
        return data, False
    if not data.startswith(JPEG_XL_BOXES_START):
        if len(data) < len(JPEG_XL_BOXES_START):
            raise TruncatedFrameError("the JPEG XL stream ends in its signature")
        raise CorruptFrameError("no JPEG XL signature", offset=0)
    codestream = b""
    reconstructs = False
    for box in walk_boxes(data):
        if box.kind == b"jbrd":
            reconstructs = True
        elif box.kind == b"jxlc" and not codestream:
            codestream = data[box.start : min(box.end, box.start + 1024)]
        elif box.kind == b"jxlp" and len(codestream) < 1024:
            codestream += data[box.start + 4 : min(box.end, box.start + 1024)]
    if len(codestream) < 2:
        raise TruncatedFrameError("the JPEG XL container holds no codestream")
    if not codestream.startswith(JPEG_XL_START):
        raise CorruptFrameError("the JPEG XL container's codestream has no signature")
    return codestream, reconstructs


def _read_headers(bits: BitReader) -> _Facts:
    facts = _Facts()
    facts.rows, facts.columns = _read_size(bits)
    if not bits.read_flag():  # all_default of ImageMetadata, D.3.1
        understood = _read_metadata(bits, facts)
        if not understood:
            return facts
    if not bits.read_flag():  # default_m: custom upsampling or opsin matrix, which we do not follow
        return facts
    bits.align()
    _read_frame_header(bits, facts)
    return facts


def _read_size(bits: BitReader) -> tuple[int, int]:
    """Read SizeHeader (D.2): rows and columns."""
    small = bits.read_flag()

    def read_length() -> int:
        if small:
            return 8 * (bits.read_bits(5) + 1)
        return 1 + bits.read_u32((0, 9), (0, 13), (0, 18), (0, 30))

    rows = read_length()
    ratio = bits.read_bits(3)
    if not ratio:
        return rows, read_length()
    numerator, denominator = ASPECT_RATIOS[ratio]
    return rows, rows * numerator // denominator


def _read_metadata(bits: BitReader, facts: _Facts) -> bool:
    """Read ImageMetadata (D.3); return whether it was followed to its end."""
    extra_fields = bits.read_flag()
    preview = False
    if extra_fields:
        facts.orientation = 1 + bits.read_bits(3)
        if bits.read_flag():
            _read_size(bits)  # intrinsic size
        preview = bits.read_flag()
        if preview:
            _skip_preview(bits)
        facts.animation = bits.read_flag()
        if facts.animation:
            _skip_animation(bits)
    facts.floating, facts.precision = _read_bit_depth(bits)
    bits.read_flag()  # modular_16bit_buffers
    facts.extra_channels = bits.read_u32((0, 0), (1, 0), (2, 4), (1, 12))
    for _ in range(facts.extra_channels):
        if not bits.read_flag():  # d_alpha: an extra channel that is not plain 8-bit alpha
            return False
    facts.xyb = bits.read_flag()
    colour_space, icc = _read_colour_encoding(bits)
    facts.components = 1 if colour_space == GREY else 3
    facts.icc = icc
    if icc or preview:  # the profile is entropy-coded; the preview is a frame before the image's
        return False
    if extra_fields and not bits.read_flag():  # ToneMapping
        bits.read_bits(16 + 16 + 1 + 16)
    return bits.read_u64() == 0  # extensions


def _skip_preview(bits: BitReader) -> None:
    """Read PreviewHeader (D.3.3)."""
    eighths = bits.read_flag()

    def skip_length() -> None:
        bits.read_u32(*(_EIGHTHS if eighths else _LENGTHS))

    skip_length()
    if not bits.read_bits(3):  # ratio
        skip_length()


def _skip_animation(bits: BitReader) -> None:
    """Read AnimationHeader (D.3.3): ticks, loops, time codes."""
    bits.read_u32((100, 0), (1000, 0), (1, 10), (1, 30))
    bits.read_u32((1, 0), (1001, 0), (1, 8), (1, 10))
    bits.read_u32((0, 0), (0, 3), (0, 16), (0, 32))
    bits.read_flag()


def _read_bit_depth(bits: BitReader) -> tuple[bool, int]:
    """Read BitDepth (D.3.4): whether samples are floating, and their bits."""
    if not bits.read_flag():
        return False, bits.read_u32((8, 0), (10, 0), (12, 0), (1, 6))
    depth = bits.read_u32((32, 0), (16, 0), (24, 0), (1, 6))
    bits.read_bits(4)
    return True, depth


def _read_colour_encoding(bits: BitReader) -> tuple[int, bool]:
    """Read ColourEncoding (E.2): the colour space, and whether an ICC profile follows."""
    if bits.read_flag():
        return 0, False
    icc = bits.read_flag()
    colour_space = bits.read_enum()
    if icc:
        return colour_space, True
    if colour_space != XYB:
        if bits.read_enum() == 2:  # custom white point
            _skip_xy(bits, 1)
        if colour_space != GREY and bits.read_enum() == 2:  # custom primaries
            _skip_xy(bits, 3)
        if bits.read_flag():  # gamma
            bits.read_bits(24)
        else:
            bits.read_enum()
    bits.read_enum()  # rendering intent
    return colour_space, False


def _skip_xy(bits: BitReader, count: int) -> None:
    for _ in range(2 * count):
        bits.read_u32((0, 19), (524288, 19), (1048576, 20), (2097152, 21))


def _read_frame_header(bits: BitReader, facts: _Facts) -> None:
    """Read the start of FrameHeader (F.2): the coding mode, and whether samples are YCbCr."""
    if bits.read_flag():  # all_default
        facts.var_dct = True
        return
    bits.read_bits(2)  # frame_type
    facts.var_dct = not bits.read_flag()
    bits.read_u64()  # flags
    if not facts.xyb:
        facts.ycbcr = bits.read_flag()


def _make_description(facts: _Facts, reconstructs: bool) -> StreamDescription:
    mode = {None: "unknown mode", True: "VarDCT", False: "Modular"}[facts.var_dct]
    if facts.xyb:
        mode += ", XYB"
    elif facts.ycbcr:
        mode += ", YCbCr"
    details: dict[str, str | int] = {}
    if reconstructs:
        details["jpeg_reconstruction"] = 1
        mode += ", from JPEG"
        if facts.components == 3 and facts.var_dct is not None:
            details["color"] = "YCbCr" if facts.ycbcr else "RGB"
    if facts.orientation != 1:
        details["orientation"] = facts.orientation
    if facts.icc:
        details["icc_profile"] = 1
    if facts.animation:
        details["animation"] = 1
    if facts.floating:
        details["floating"] = 1
    if facts.extra_channels:
        details["extra_channels"] = facts.extra_channels
    rows, columns = facts.rows, facts.columns
    if facts.orientation >= _TRANSPOSED and not reconstructs:
        rows, columns = columns, rows  # as decoders give them; a JPEG stream is not turned
    return StreamDescription(
        kind="jpegxl",
        process=mode,
        rows=rows,
        columns=columns,
        components=facts.components + facts.extra_channels,
        precision=facts.precision,
        # Modular mode may quantize, though encoders do so with XYB only; VarDCT always does.
        lossless=False if facts.var_dct or facts.xyb else None,
        # Samples with a profile of RGB are RGB once decoded; whether they were YCbCr before stands
        # behind the profile, which is not read.
        component_transform=facts.components == 3 and (facts.xyb or facts.ycbcr or facts.icc),
        details=details,
    )
