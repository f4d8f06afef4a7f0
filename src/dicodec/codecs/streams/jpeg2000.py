"""Parse the headers of JPEG 2000 and HTJ2K codestreams (ISO/IEC 15444-1 Annex A, 15444-15)."""

from __future__ import annotations

import math

from dicodec.codecs.streams.boxes import walk_boxes
from dicodec.codecs.streams.jpeg_markers import Buffer
from dicodec.errors import CorruptFrameError, LimitExceededError, TruncatedFrameError
from dicodec.model.records import dataclass, field, replace
from dicodec.model.stream import JP2_START, JPEG_2000_START, StreamDescription, begins_behind

CAP, SIZ, COD, TLM, SOT, EOC = 0xFF50, 0xFF51, 0xFF52, 0xFF55, 0xFF90, 0xFFD9
MCT_PART_2 = frozenset({0xFF74, 0xFF75, 0xFF77})  # MCT, MCC, MCO of ISO/IEC 15444-2
PROGRESSIONS = {0: "LRCP", 1: "RLCP", 2: "RPCL", 3: "PCRL", 4: "CPRL"}
CAPABILITY_PART_15 = 1 << (32 - 15)
HT_CODE_BLOCKS = 0x40
BARE_MARKERS = range(0xFF30, 0xFF40)
"""Reserved for markers without a segment (Table A.1); none has a meaning."""
SOD = 0xFF93
_SOT_LENGTH = 12
_ANY_COUNT = 255  # the most tile-parts of a tile, A.4.2
MAX_TILES = 65535  # Isot has 16 bits, A.4.2

_MOST_TILES, _TILE_AREA = 1024, 4096
"""More tiles than these have to have as many pixels each."""

_MOST_PRECINCTS, _MOST_PACKETS, _MOST_BLOCKS = 200_000, 4_000_000, 400_000
"""Decoders take up to 14 kB for a tile, 400 bytes for a precinct and for a code-block, and 2 bytes
for a packet. The usual code-blocks of 64 x 64 are 8,000 of the largest mammogram."""

_MOST_LEVELS = 32  # of decomposition, Table A.15
_FIXED = "this limit is fixed: decoders take memory for each part before they read it"


@dataclass(slots=True)
class _Facts:
    """The facts of the main header read so far."""

    capabilities: int = 0
    rows: int = 0
    columns: int = 0
    tiles: int = 0
    tile_size: tuple[int, int] = (0, 0)  # columns, rows
    depths: tuple[int, ...] = ()
    subsampling: tuple[tuple[int, int], ...] = ()
    style: bytes = b""  # SGcod and SPcod
    tlm: bool = False
    part_2: bool = False
    bare_markers: int = 0
    surplus_parts: bool = False
    end: int = 0  # of the main header
    details: dict[str, str | int] = field(default_factory=dict)


def find_codestream(data: bytes) -> tuple[int, int]:
    """Return the start of the codestream and the end of its box, or of the data if it has none.

    Raises:
        CorruptFrameError: the data holds no codestream.
        TruncatedFrameError: the data ends before one.
    """
    if data.startswith(JPEG_2000_START):
        return 0, len(data)
    if data.startswith(JP2_START):
        for box in walk_boxes(data):
            if box.kind == b"jp2c":
                return box.start, box.end
        raise TruncatedFrameError("the JP2 boxes hold no codestream")
    start = data.find(JPEG_2000_START)
    if start < 0:
        if len(data) < 4:
            raise TruncatedFrameError("the JPEG 2000 stream ends before its first marker")
        raise CorruptFrameError("no SOC and SIZ marker: not a JPEG 2000 stream", offset=0)
    return start, len(data)


def describe(stream: Buffer) -> StreamDescription:
    """Describe a JPEG 2000 or HTJ2K stream, in boxes or not, by its main header.

    `lossless` is True for the reversible 5-3 wavelet. The main header does not tell if an encoder
    has left out bit planes all the same.

    Raises:
        TruncatedFrameError: the stream ends before its first tile-part.
        CorruptFrameError: the header does not parse.
    """
    data = bytes(stream)
    start, _ = find_codestream(data)
    return _make_description(_read_main_header(data, start), start, data.startswith(JP2_START))


def check_whole(stream: Buffer) -> tuple[StreamDescription, memoryview]:
    """Return the description and the bare codestream, from SOC to EOC.

    Raises:
        TruncatedFrameError: tile-parts are missing or cut off, or the EOC marker is missing.
        CorruptFrameError: the markers do not parse.
    """
    data = bytes(stream)
    start, limit = find_codestream(data)
    facts = _read_main_header(data, start)
    style = facts.style
    # Most streams have one tile, no precincts, few components and layers, and blocks of 16 or more.
    if facts.tiles > 1 or style[9:] or style[5] < 2 or style[6] < 2 or style[1] or facts.depths[4:]:
        _check_parts(facts, len(data))
    at = facts.end
    parts: dict[int, int] = {}
    stated: dict[int, int] = {}
    while True:
        marker = int.from_bytes(data[at : at + 2]) if at + 2 <= len(data) else 0
        if marker == EOC:
            break
        if marker != SOT:
            if at + 2 > min(len(data), limit) or not any(data[at : at + 2]):
                raise TruncatedFrameError("the JPEG 2000 stream has no EOC marker", offset=at)
            raise CorruptFrameError("expected a tile-part", offset=at)
        if at + 12 > len(data):
            raise TruncatedFrameError("the JPEG 2000 stream ends in a tile-part", offset=at)
        tile = int.from_bytes(data[at + 4 : at + 6])
        length = int.from_bytes(data[at + 6 : at + 10])  # Psot, A.4.2
        if tile >= facts.tiles:
            raise CorruptFrameError("a tile-part of a tile that does not exist", offset=at)
        parts[tile] = parts.get(tile, 0) + 1
        stated[tile] = min(stated.get(tile, _ANY_COUNT), data[at + 11] or _ANY_COUNT)  # TNsot
        facts.surplus_parts |= parts[tile] > stated[tile]
        if length == 0:
            # The last tile-part, up to EOC; packet data holds no marker above FF8F.
            length = data.find(b"\xff\xd9", at + 12) - at
            if length < 0:
                raise TruncatedFrameError("the JPEG 2000 stream has no EOC marker", offset=at)
        if length < 14:
            raise CorruptFrameError("a tile-part is smaller than its header", offset=at)
        if at + length > len(data):
            raise TruncatedFrameError("the JPEG 2000 stream ends in a tile-part", offset=at)
        facts.bare_markers += len(_find_bare_markers(data, at + _SOT_LENGTH, at + length))
        at += length
    if len(parts) < facts.tiles:
        raise TruncatedFrameError(f"{facts.tiles - len(parts)} tiles are missing", offset=at)
    description = _make_description(facts, start, data.startswith(JP2_START))
    if begins_behind(data, at + 2, "jpeg2000"):
        followed = {**description.details, "followed": 1}
        description = replace(description, details=followed)
    return description, memoryview(data)[start : at + 2]


def _check_parts(facts: _Facts, size: int) -> None:
    """Check the parts of a codestream, for which decoders take memory before they read them.

    Raises:
        TruncatedFrameError: there are fewer bytes than packets, of which each has one (B.10.3).
        LimitExceededError: tiles or code-blocks are too many for the pixels.
    """
    if facts.tiles > _MOST_TILES and facts.rows * facts.columns < facts.tiles * _TILE_AREA:
        raise LimitExceededError(
            f"the JPEG 2000 stream has {facts.tiles} tiles for {facts.rows} x {facts.columns} "
            f"pixels; more than {_MOST_TILES} have {_TILE_AREA} pixels each",
            hint=_FIXED,
        )
    precincts, blocks = _count_parts(facts)
    # Of three tiles in a row the outer ones may be of one pixel, and in a column as well.
    least = precincts if facts.tiles == 1 else precincts // 9
    if least > size:
        raise TruncatedFrameError(
            f"{size} bytes of JPEG 2000 cannot hold the packets of {least} precincts"
        )
    layers = int.from_bytes(facts.style[1:3])
    for count, most, kind in (
        (precincts, _MOST_PRECINCTS, "precincts"),
        (precincts * layers, _MOST_PACKETS, "packets"),
        (blocks, _MOST_BLOCKS, "code-blocks"),
    ):
        if count > most + size // 16:
            raise LimitExceededError(
                f"the JPEG 2000 stream has {count} {kind}, more than the limit of {most}",
                hint=_FIXED,
            )


def _count_parts(facts: _Facts) -> tuple[int, int]:
    """Return about how many precincts and code-blocks there are (B.5 to B.7).

    Precincts of a tile are counted as if it began at one, tiles and code-blocks as if all were
    whole.
    """
    style = facts.style  # SGcod and SPcod, A.6.1
    levels = style[4]
    width, height = facts.tile_size
    width, height = min(width, facts.columns), min(height, facts.rows)
    sizes = style[9:]
    # Code-blocks are never larger than a precinct of their subband.
    block = (style[5] & 15) + 2, (style[6] & 15) + 2
    precincts = blocks = 0
    for level in range(min(levels, _MOST_LEVELS) + 1):  # from the full size down
        index = levels - level
        size = sizes[index] if index < len(sizes) else 0xFF
        across, down = size & 15, size >> 4
        columns, rows = -(-width // (1 << level)), -(-height // (1 << level))
        precincts += -(-columns // (1 << across)) * -(-rows // (1 << down))
        half = 0 if level == levels else 1
        block_across = min(block[0], max(across - half, 0))
        block_down = min(block[1], max(down - half, 0))
        bands = 3 if half else 1
        columns, rows = -(-columns // (1 << half)), -(-rows // (1 << half))
        blocks += bands * -(-columns // (1 << block_across)) * -(-rows // (1 << block_down))
    count = facts.tiles * len(facts.depths)
    return precincts * count, blocks * count


def remove_bare_markers(codestream: memoryview) -> memoryview:
    """Return a codestream without markers that have no segment, and no meaning (A.1.4).

    OpenJPEG refuses them in the headers of tile-parts. Psot follows.

    Args:
        codestream: from SOC to EOC, as `check_whole` returns it.
    """
    data = bytes(codestream)
    end_of_header = _read_main_header(data, 0).end
    parts = [_cut(data, 0, end_of_header, _find_bare_markers(data, 2, end_of_header))]
    at = end_of_header
    while int.from_bytes(data[at : at + 2]) == SOT:
        stated = int.from_bytes(data[at + 6 : at + 10])
        end = at + stated if stated else len(data) - 2
        bare = _find_bare_markers(data, at + _SOT_LENGTH, end)
        length = stated - 2 * len(bare) if stated else 0
        part = _cut(data, at, end, bare)
        parts.append(part[:6] + length.to_bytes(4) + part[10:])
        at = end
    return memoryview(b"".join([*parts, data[at:]]))


def leave_part_counts_open(codestream: memoryview) -> memoryview:
    """Return a codestream that does not state how many tile-parts a tile has (TNsot, A.4.2).

    OpenJPEG leaves out those beyond a number that is too low, without a word.

    Args:
        codestream: from SOC to EOC, as `check_whole` returns it.
    """
    data = bytearray(codestream)
    at = _read_main_header(bytes(codestream), 0).end
    while int.from_bytes(data[at : at + 2]) == SOT:
        data[at + 11] = 0
        at += int.from_bytes(data[at + 6 : at + 10]) or len(data)
    return memoryview(data)


def _find_bare_markers(data: bytes, at: int, end: int) -> list[int]:
    """Return the places of markers without a segment, up to SOD or `end`."""
    found = []
    while at + 2 <= end:
        marker = int.from_bytes(data[at : at + 2])
        if marker in BARE_MARKERS:
            found.append(at)
            at += 2
        elif marker == SOD or marker < 0xFF00:
            break
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return found


def _cut(data: bytes, start: int, end: int, markers: list[int]) -> bytes:
    """Return a part of the data without the markers at some places."""
    borders = [start, *(place for marker in markers for place in (marker, marker + 2)), end]
    pairs = zip(borders[::2], borders[1::2], strict=True)
    return b"".join(data[first:last] for first, last in pairs)


def has_all_announced_tile_parts(stream: Buffer) -> bool:
    """Return whether each tile states its number of tile-parts, and all of them are there.

    Args:
        stream: a stream that `check_whole` takes.
    """
    data = bytes(stream)
    start, _ = find_codestream(data)
    at = _read_main_header(data, start).end
    seen: dict[int, int] = {}
    announced: dict[int, int] = {}
    while int.from_bytes(data[at : at + 2]) == SOT:
        tile, length = int.from_bytes(data[at + 4 : at + 6]), int.from_bytes(data[at + 6 : at + 10])
        seen[tile] = seen.get(tile, 0) + 1
        announced[tile] = max(announced.get(tile, 0), data[at + 11])  # TNsot; 0 leaves it open
        if not length:
            return False
        at += length
    return seen == announced


def _read_main_header(data: bytes, start: int) -> _Facts:
    """Read marker segments from SOC up to the first SOT."""
    facts = _Facts()
    at = start + 2
    while True:
        if at + 4 > len(data):
            raise TruncatedFrameError("the JPEG 2000 stream ends in its main header", offset=at)
        marker = int.from_bytes(data[at : at + 2])
        if marker == SOT:
            break
        if marker in BARE_MARKERS:
            facts.bare_markers += 1
            at += 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4])
        if marker < 0xFF00 or length < 2 or marker == EOC:
            raise CorruptFrameError("expected a marker segment", offset=at)
        if at + 2 + length > len(data):
            raise TruncatedFrameError("the JPEG 2000 stream ends in its main header", offset=at)
        _note(facts, marker, data[at + 4 : at + 2 + length])
        at += 2 + length
    if not facts.depths or not facts.style:
        raise CorruptFrameError("the JPEG 2000 main header lacks SIZ or COD", offset=start)
    facts.end = at
    return facts


def _note(facts: _Facts, marker: int, body: bytes) -> None:
    if marker == SIZ:
        _note_size(facts, body)
    elif marker == COD:
        if len(body) < 10:
            raise CorruptFrameError("malformed COD marker segment")
        facts.style = body[1:]
    elif marker == CAP:
        facts.capabilities = int.from_bytes(body[:4])
    elif marker == TLM:
        facts.tlm = True
    elif marker in MCT_PART_2:
        facts.part_2 = True


def _note_size(facts: _Facts, body: bytes) -> None:
    """Take in SIZ (A.5.1): Rsiz, Xsiz, Ysiz, offsets, tile size and offsets, components."""
    if len(body) < 36:
        raise CorruptFrameError("malformed SIZ marker segment")
    x1, y1, x0, y0, tile_x, tile_y, tile_x0, tile_y0 = (
        int.from_bytes(body[2 + 4 * index : 6 + 4 * index]) for index in range(8)
    )
    count = int.from_bytes(body[34:36])
    if len(body) < 36 + 3 * count or not count or not tile_x or not tile_y:
        raise CorruptFrameError("malformed SIZ marker segment")
    if x1 <= x0 or y1 <= y0 or tile_x0 > x0 or tile_y0 > y0:
        raise CorruptFrameError("the SIZ marker segment describes an empty image")
    components = [body[36 + 3 * index : 39 + 3 * index] for index in range(count)]
    facts.columns, facts.rows = x1 - x0, y1 - y0
    facts.tiles = math.ceil((x1 - tile_x0) / tile_x) * math.ceil((y1 - tile_y0) / tile_y)
    facts.tile_size = tile_x, tile_y
    facts.depths = tuple(component[0] for component in components)
    facts.subsampling = tuple((component[1], component[2]) for component in components)
    if facts.tiles > MAX_TILES:
        raise CorruptFrameError(f"the SIZ marker segment describes {facts.tiles} tiles")
    if (tile_x0 + tile_x, tile_y0 + tile_y) != (x1, y1):
        facts.details["tile_size"] = f"{tile_x}x{tile_y}"
    if x0 or y0:
        facts.details["image_offset"] = f"{x0},{y0}"


def _make_description(facts: _Facts, start: int, boxed: bool) -> StreamDescription:
    # SGcod: progression, layers (2 bytes), MCT; SPcod: levels, code-block size (2), style, wavelet
    style = facts.style
    high_throughput = bool(facts.capabilities & CAPABILITY_PART_15 or style[7] & HT_CODE_BLOCKS)
    reversible = style[8] == 1
    details = facts.details | {
        "tiles": facts.tiles,
        "layers": int.from_bytes(style[1:3]),
        "decomposition_levels": style[4],
        "progression": PROGRESSIONS.get(style[0], "unknown"),
        "tlm": int(facts.tlm),
        "mct": style[3],
    }
    if boxed:
        details["boxed"] = 1
    elif start:
        details["junk_before_start"] = start
    if facts.part_2:
        details["part_2"] = 1
    if facts.bare_markers:
        details["bare_markers"] = facts.bare_markers
    if facts.surplus_parts:
        details["surplus_parts"] = 1
    if len(set(facts.depths)) > 1:
        details["mixed_depths"] = 1
    wavelet = "5-3 reversible" if reversible else "9-7 irreversible"
    return StreamDescription(
        kind="htj2k" if high_throughput else "jpeg2000",
        process=wavelet,
        rows=facts.rows,
        columns=facts.columns,
        components=len(facts.depths),
        precision=max(depth & 0x7F for depth in facts.depths) + 1,
        signed=bool(facts.depths[0] & 0x80),
        lossless=reversible,
        component_transform=style[3] == 1 and len(facts.depths) >= 3,
        subsampling=facts.subsampling,
        details=details,
    )
