"""Parse the headers of JPEG and JPEG-LS streams (ISO/IEC 10918-1 Annex B, ISO/IEC 14495-1)."""

from __future__ import annotations

from dicodec.codecs.streams.jpeg_markers import (
    DNL,
    DRI,
    EOI,
    LSE,
    SOF55,
    SOF_MARKERS,
    SOS,
    Buffer,
    Segment,
    find_start,
    walk,
)  # fmt: skip
from dicodec.errors import CorruptFrameError, TruncatedFrameError
from dicodec.model.records import NamedTuple, dataclass, field
from dicodec.model.stream import StreamDescription, begins_behind

# ISO/IEC 10918-1 Table B.1
PROCESSES = {
    0xC0: "baseline sequential DCT",
    0xC1: "extended sequential DCT",
    0xC2: "progressive DCT",
    0xC3: "lossless",
    0xC5: "hierarchical sequential DCT",
    0xC6: "hierarchical progressive DCT",
    0xC7: "hierarchical lossless",
    0xC9: "extended sequential DCT, arithmetic coding",
    0xCA: "progressive DCT, arithmetic coding",
    0xCB: "lossless, arithmetic coding",
    0xCD: "hierarchical sequential DCT, arithmetic coding",
    0xCE: "hierarchical progressive DCT, arithmetic coding",
    0xCF: "hierarchical lossless, arithmetic coding",
    SOF55: "JPEG-LS",
}
LOSSLESS_PROCESSES = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
INTERLEAVE_MODES = {0: "none", 1: "line", 2: "sample"}  # ISO/IEC 14495-1 Table C.6


class _Scan(NamedTuple):
    """A scan header: number of components, Ss (or NEAR), Se (or ILV), Ah and Al."""

    components: int
    first: int
    last: int
    approximation: int


@dataclass(slots=True)
class _Facts:
    """The facts gathered so far."""

    sof: int = 0
    precision: int = 0
    rows: int = 0
    columns: int = 0
    ids: tuple[int, ...] = ()
    subsampling: tuple[tuple[int, int], ...] = ()
    jfif: bool = False
    adobe_transform: int | None = None
    restart_interval: int = 0
    mapping_tables: int = 0
    color_transform: int = 0
    lines_apart: bool = False
    preset: bool = False
    mapped: bool = False
    mapping_width: int = 0
    followed: bool = False
    scans: list[_Scan] = field(default_factory=list)

    @property
    def says_all(self) -> bool:
        """Whether no later scan can say more about the process than the scans read so far.

        Each component of a lossless process and of JPEG-LS may be in a scan of its own, which has
        its own predictor, point transform and NEAR.
        """
        coded = sum(scan.components for scan in self.scans)
        by_scan = self.sof in LOSSLESS_PROCESSES or self.sof == SOF55
        return bool(self.scans) and (not by_scan or coded >= len(self.ids))


def describe(stream: Buffer) -> StreamDescription:
    """Describe a JPEG or JPEG-LS stream by its headers; only they need be there.

    Raises:
        TruncatedFrameError: the stream ends before its first scan.
        CorruptFrameError: the headers do not parse.
    """
    data = bytes(stream)
    start = find_start(data)
    facts = _Facts()
    for segment in walk(data, start):
        _note(facts, data, segment)
        # Lines may be given after the first scan only: B.2.5
        if facts.says_all and (facts.rows or segment.marker == DNL):
            break
    return _make_description(facts, start)


def check_whole(stream: Buffer) -> tuple[StreamDescription, memoryview]:
    """Return the description, and the stream from SOI to EOI without the bytes around it.

    Raises:
        TruncatedFrameError: the stream does not reach its EOI marker.
        CorruptFrameError: the marker segments do not parse.
    """
    data = bytes(stream)
    start = find_start(data)
    facts = _Facts()
    end = len(data)
    for segment in walk(data, start):
        _note(facts, data, segment)
        end = segment.end
    facts.followed = begins_behind(data, end, "jpeg")
    return _make_description(facts, start), memoryview(data)[start:end]


def _note(facts: _Facts, data: bytes, segment: Segment) -> None:
    """Take in one marker segment."""
    marker, body = segment.marker, data[segment.start : segment.end]
    if marker in SOF_MARKERS:
        _note_frame_header(facts, marker, body)
    elif marker == SOS:
        if not facts.sof:
            raise CorruptFrameError("a JPEG scan without a frame header", offset=segment.start)
        if len(body) < 4 or len(body) != 4 + 2 * body[0]:
            raise CorruptFrameError("malformed JPEG scan header", offset=segment.start)
        facts.scans.append(_Scan(body[0], *body[-3:]))
        facts.mapped = facts.mapped or (facts.sof == SOF55 and any(body[2:-3:2]))
    elif marker == DNL and 2 <= len(body) <= 4:
        facts.lines_apart = True
        facts.rows = facts.rows or int.from_bytes(body)
    elif marker == LSE and body[:1] == b"\1":
        facts.preset = True
    elif marker == DRI and 2 <= len(body) <= 4:
        facts.restart_interval = int.from_bytes(body)
    elif marker == 0xE0 and body.startswith(b"JFIF\0"):
        facts.jfif = True
    elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
        facts.adobe_transform = body[11]
    elif marker == 0xE8 and body.startswith(b"mrfx") and len(body) >= 5:
        facts.color_transform = body[4]  # a JPEG-LS extension of Hewlett-Packard
    elif marker == LSE and body[:1] in {b"\2", b"\3"}:
        facts.mapping_tables += 1
        facts.mapping_width = body[2] if len(body) > 2 else 0
    elif marker == LSE and body[:1] == b"\4":
        _note_oversize(facts, body)
    elif marker == EOI and not facts.scans:
        raise CorruptFrameError("the JPEG stream ends without a scan", offset=segment.start)


def _note_frame_header(facts: _Facts, marker: int, body: bytes) -> None:
    """Take in SOFn: P, Y, X, Nf and for each component C, HV, Tq (B.2.2)."""
    if facts.sof:
        # Hierarchical streams have several; the first, DHP aside, is the smallest. No decoder.
        return
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise CorruptFrameError("malformed JPEG frame header")
    components = [body[6 + 3 * index : 9 + 3 * index] for index in range(body[5])]
    facts.sof = marker
    facts.precision = body[0]
    facts.rows = facts.rows or int.from_bytes(body[1:3])
    facts.columns = facts.columns or int.from_bytes(body[3:5])
    facts.ids = tuple(component[0] for component in components)
    facts.subsampling = tuple((component[1] >> 4, component[1] & 15) for component in components)


def _note_oversize(facts: _Facts, body: bytes) -> None:
    """Take in an LSE segment of type 4: Wxy, Ye, Xe (ISO/IEC 14495-1 C.2.4.1.4)."""
    size = body[1] if len(body) > 1 else 0
    if size in {2, 3, 4} and len(body) == 2 + 2 * size:
        facts.rows = int.from_bytes(body[2 : 2 + size])
        facts.columns = int.from_bytes(body[2 + size :])


def _make_description(facts: _Facts, start: int) -> StreamDescription:
    if not facts.scans:
        raise TruncatedFrameError("the JPEG stream ends before its first scan")
    details: dict[str, str | int] = {"scans": len(facts.scans)}
    if start:
        details["junk_before_start"] = start
    if facts.followed:
        details["followed"] = 1
    if facts.restart_interval:
        details["restart_interval"] = facts.restart_interval
    if facts.lines_apart:
        details["lines_apart"] = 1
    near = predictor = None
    process = PROCESSES[facts.sof]
    lossless = facts.sof in LOSSLESS_PROCESSES or facts.sof == SOF55
    point_transform = max(scan.approximation & 15 for scan in facts.scans) if lossless else 0
    if point_transform:
        details["point_transform"] = point_transform  # the lowest bits were dropped, A.4
    if facts.sof == SOF55:
        near = max(scan.first for scan in facts.scans)
        lossless = near == point_transform == 0
        details["interleave"] = INTERLEAVE_MODES.get(facts.scans[0].last, "unknown")
        if facts.mapping_tables:
            details["mapping_tables"] = facts.mapping_tables
        if facts.mapped:
            details["mapped"] = 1
            details["coded_bits"] = facts.precision
            facts.precision = 8 * facts.mapping_width  # of the values of decoded samples
        if facts.preset:
            details["preset"] = 1
        if facts.color_transform:
            details["color_transform"] = facts.color_transform
        process += " lossless" if lossless else f" near-lossless, NEAR {near}"
    elif lossless:
        predictors = sorted({scan.first for scan in facts.scans})
        predictor = predictors[-1]
        lossless = not point_transform
        if end := max(scan.last for scan in facts.scans):
            details["spectral_end"] = end
        process += f", selection value {', '.join(map(str, predictors))}"
    return StreamDescription(
        kind="jpeg-ls" if facts.sof == SOF55 else "jpeg",
        process=process,
        rows=facts.rows or None,
        columns=facts.columns or None,
        components=len(facts.ids),
        precision=facts.precision,
        lossless=lossless,
        component_transform=bool(facts.color_transform),
        subsampling=facts.subsampling,
        component_ids=facts.ids,
        jfif=facts.jfif,
        adobe_transform=facts.adobe_transform,
        near=near,
        predictor=predictor,
        details=details,
    )
