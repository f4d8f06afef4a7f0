"""Table of transfer syntaxes (PS3.5 section 10, Annex A; PS3.6 Annex A), and their names.

Every transfer syntax is a row, whether or not its pixels can be decoded here, so that reading a
header never fails because a codec is missing.
"""

from __future__ import annotations

from collections.abc import Iterator

from dicodec.model.records import StrEnum, dataclass


class Storage(StrEnum):
    """The form in which a transfer syntax keeps Pixel Data."""

    NATIVE = "native"
    ENCAPSULATED = "encapsulated"
    VIDEO = "encapsulated video"
    ELSEWHERE = "elsewhere"  # JPIP, SMPTE ST 2110: the data set only refers to its pixels


class Loss(StrEnum):
    """Whether encoding in a transfer syntax loses information."""

    NEVER = "never"
    POSSIBLE = "possible"  # the stream says (JPEG 2000, HTJ2K, JPEG XL, JPEG-LS with NEAR)
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """One transfer syntax.

    Attributes:
        uid: Transfer Syntax UID.
        name: the short name of the command line, such as "jpeg-ls".
        keyword: the keyword of PS3.6.
        title: the name of PS3.6.
        storage: how Pixel Data is stored.
        family: the codec family that serves it; None if no codec does.
        loss: whether encoding may lose information.
        lossy_method: value for Lossy Image Compression Method (PS3.3 C.7.6.1.1.5.1).
        fragments_per_frame: 1 if a frame has exactly one fragment, 0 if it may span several
            (PS3.5 A.4); only for encapsulated syntaxes.
        reads, writes: whether this package decodes from it and encodes to it.
        why_not: the reason if it is not read or written.
        explicit_vr, little_endian, deflated: the encoding of the data set.
        retired: whether PS3.6 marks it retired.
    """

    uid: str
    name: str
    keyword: str
    title: str
    storage: Storage
    family: str | None
    loss: Loss = Loss.NEVER
    lossy_method: str | None = None
    fragments_per_frame: int = 0
    reads: bool = True
    writes: bool = True
    why_not: str = ""
    explicit_vr: bool = True
    little_endian: bool = True
    deflated: bool = False
    retired: bool = False

    @property
    def encapsulated(self) -> bool:
        """Whether Pixel Data is a sequence of fragments."""
        return self.storage in {Storage.ENCAPSULATED, Storage.VIDEO}

    @property
    def pixels_little_endian(self) -> bool:
        """Whether native samples are little endian; those of GE's private syntax are not."""
        return self.little_endian and self.name != "ge-private"

    @property
    def native(self) -> bool:
        """Whether Pixel Data is stored as plain samples."""
        return self.storage is Storage.NATIVE


_ROOT = "1.2.840.10008.1.2"
_NATIVE, _ENCAPSULATED, _VIDEO, _ELSEWHERE = Storage
_NEVER, _POSSIBLE, _ALWAYS = Loss


def _make_still(
    suffix: str,
    name: str,
    keyword: str,
    title: str,
    family: str,
    loss: Loss = _NEVER,
    method: str | None = None,
    fragments_per_frame: int = 0,
) -> TransferSyntax:
    return TransferSyntax(
        _ROOT + suffix, name, keyword, title, _ENCAPSULATED, family, loss, method,
        fragments_per_frame,
    )  # fmt: skip


def _make_retired_jpeg(
    suffix: str, keyword: str, title: str, why_unreadable: str = ""
) -> TransferSyntax:
    lossless = "Lossless" in title
    return TransferSyntax(
        _ROOT + suffix,
        _ROOT + suffix,
        keyword,
        title,
        _ENCAPSULATED,
        None if why_unreadable else "jpeg",
        _NEVER if lossless else _ALWAYS,
        None if lossless else "ISO_10918_1",
        reads=not why_unreadable,
        writes=False,
        why_not=why_unreadable or "retired: read, never written",
        retired=True,
    )


def _make_video(suffix: str, keyword: str, title: str, method: str) -> TransferSyntax:
    return TransferSyntax(
        _ROOT + suffix, _ROOT + suffix, keyword, title, _VIDEO, None, _ALWAYS, method,
        reads=False, writes=False,
        why_not="video: the stream can be passed through, not transcoded",
    )  # fmt: skip


def _make_elsewhere(
    suffix: str, keyword: str, title: str, *, deflated: bool = False
) -> TransferSyntax:
    return TransferSyntax(
        _ROOT + suffix, _ROOT + suffix, keyword, title, _ELSEWHERE, None,
        reads=False, writes=False, why_not="the pixels are not in the file", deflated=deflated,
    )  # fmt: skip


_PART_2 = "JPEG 2000 part 2: read if the stream is plain part 1, never written"
_HIERARCHICAL = "hierarchical JPEG: no decoder exists"
_ARITHMETIC = "arithmetic coding of lossless JPEG: no decoder exists"

# fmt: off
TRANSFER_SYNTAXES: tuple[TransferSyntax, ...] = (
    # Native and whole-data-set encodings: PS3.5 A.1 to A.3, A.5
    TransferSyntax(_ROOT, "implicit-le", "ImplicitVRLittleEndian", "Implicit VR Little Endian", _NATIVE, "native", explicit_vr=False),
    TransferSyntax(_ROOT + ".1", "explicit-le", "ExplicitVRLittleEndian", "Explicit VR Little Endian", _NATIVE, "native"),
    TransferSyntax(_ROOT + ".2", "explicit-be", "ExplicitVRBigEndian", "Explicit VR Big Endian", _NATIVE, "native", little_endian=False, retired=True),
    TransferSyntax(_ROOT + ".1.99", "deflated", "DeflatedExplicitVRLittleEndian", "Deflated Explicit VR Little Endian", _NATIVE, "native", deflated=True),
    # Encapsulated without an image codec: PS3.5 A.4.11, A.4.13
    _make_still(".1.98", "encapsulated-uncompressed", "EncapsulatedUncompressedExplicitVRLittleEndian", "Encapsulated Uncompressed Explicit VR Little Endian", "encapsulated-uncompressed", fragments_per_frame=1),
    _make_still(".8.1", "deflated-frame", "DeflatedImageFrameCompression", "Deflated Image Frame Compression", "deflated-frame", fragments_per_frame=1),
    _make_still(".5", "rle", "RLELossless", "RLE Lossless", "rle", fragments_per_frame=1),
    # JPEG: PS3.5 A.4.1
    _make_still(".4.50", "jpeg", "JPEGBaseline8Bit", "JPEG Baseline (Process 1)", "jpeg", _ALWAYS, "ISO_10918_1"),
    _make_still(".4.51", "jpeg-extended", "JPEGExtended12Bit", "JPEG Extended (Process 2 and 4)", "jpeg", _ALWAYS, "ISO_10918_1"),
    _make_still(".4.57", "jpeg-lossless-p14", "JPEGLossless", "JPEG Lossless, Non-Hierarchical (Process 14)", "jpeg"),
    _make_still(".4.70", "jpeg-lossless", "JPEGLosslessSV1", "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])", "jpeg"),
    _make_retired_jpeg(".4.52", "JPEGExtended35", "JPEG Extended (Process 3 and 5)"),
    _make_retired_jpeg(".4.53", "JPEGSpectralSelectionNonHierarchical68", "JPEG Spectral Selection, Non-Hierarchical (Process 6 and 8)"),
    _make_retired_jpeg(".4.54", "JPEGSpectralSelectionNonHierarchical79", "JPEG Spectral Selection, Non-Hierarchical (Process 7 and 9)"),
    _make_retired_jpeg(".4.55", "JPEGFullProgressionNonHierarchical1012", "JPEG Full Progression, Non-Hierarchical (Process 10 and 12)"),
    _make_retired_jpeg(".4.56", "JPEGFullProgressionNonHierarchical1113", "JPEG Full Progression, Non-Hierarchical (Process 11 and 13)"),
    _make_retired_jpeg(".4.58", "JPEGLosslessNonHierarchical15", "JPEG Lossless, Non-Hierarchical (Process 15)", _ARITHMETIC),
    _make_retired_jpeg(".4.59", "JPEGExtendedHierarchical1618", "JPEG Extended, Hierarchical (Process 16 and 18)", _HIERARCHICAL),
    _make_retired_jpeg(".4.60", "JPEGExtendedHierarchical1719", "JPEG Extended, Hierarchical (Process 17 and 19)", _HIERARCHICAL),
    _make_retired_jpeg(".4.61", "JPEGSpectralSelectionHierarchical2022", "JPEG Spectral Selection, Hierarchical (Process 20 and 22)", _HIERARCHICAL),
    _make_retired_jpeg(".4.62", "JPEGSpectralSelectionHierarchical2123", "JPEG Spectral Selection, Hierarchical (Process 21 and 23)", _HIERARCHICAL),
    _make_retired_jpeg(".4.63", "JPEGFullProgressionHierarchical2426", "JPEG Full Progression, Hierarchical (Process 24 and 26)", _HIERARCHICAL),
    _make_retired_jpeg(".4.64", "JPEGFullProgressionHierarchical2527", "JPEG Full Progression, Hierarchical (Process 25 and 27)", _HIERARCHICAL),
    _make_retired_jpeg(".4.65", "JPEGLosslessHierarchical28", "JPEG Lossless, Hierarchical (Process 28)", _HIERARCHICAL),
    _make_retired_jpeg(".4.66", "JPEGLosslessHierarchical29", "JPEG Lossless, Hierarchical (Process 29)", _HIERARCHICAL),
    # JPEG-LS: PS3.5 A.4.3
    _make_still(".4.80", "jpeg-ls", "JPEGLSLossless", "JPEG-LS Lossless Image Compression", "jpeg-ls"),
    _make_still(".4.81", "jpeg-ls-near", "JPEGLSNearLossless", "JPEG-LS Lossy (Near-Lossless) Image Compression", "jpeg-ls", _POSSIBLE, "ISO_14495_1"),
    # JPEG 2000: PS3.5 A.4.4
    _make_still(".4.90", "jpeg2000-lossless", "JPEG2000Lossless", "JPEG 2000 Image Compression (Lossless Only)", "jpeg2000"),
    _make_still(".4.91", "jpeg2000", "JPEG2000", "JPEG 2000 Image Compression", "jpeg2000", _POSSIBLE, "ISO_15444_1"),
    TransferSyntax(_ROOT + ".4.92", "jpeg2000-mc-lossless", "JPEG2000MCLossless", "JPEG 2000 Part 2 Multi-component Image Compression (Lossless Only)", _ENCAPSULATED, "jpeg2000", writes=False, why_not=_PART_2),
    TransferSyntax(_ROOT + ".4.93", "jpeg2000-mc", "JPEG2000MC", "JPEG 2000 Part 2 Multi-component Image Compression", _ENCAPSULATED, "jpeg2000", _POSSIBLE, "ISO_15444_2", writes=False, why_not=_PART_2),
    # JPEG XL: PS3.5 A.4.12
    _make_still(".4.110", "jpegxl-lossless", "JPEGXLLossless", "JPEG XL Lossless", "jpegxl", fragments_per_frame=1),
    _make_still(".4.111", "jpegxl-jpeg", "JPEGXLJPEGRecompression", "JPEG XL JPEG Recompression", "jpegxl", _ALWAYS, "ISO_10918_1", fragments_per_frame=1),
    _make_still(".4.112", "jpegxl", "JPEGXL", "JPEG XL", "jpegxl", _POSSIBLE, "ISO_18181_1", fragments_per_frame=1),
    # High-Throughput JPEG 2000: PS3.5 A.4.4
    _make_still(".4.201", "htj2k-lossless", "HTJ2KLossless", "High-Throughput JPEG 2000 Image Compression (Lossless Only)", "htj2k"),
    _make_still(".4.202", "htj2k-rpcl", "HTJ2KLosslessRPCL", "High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only)", "htj2k"),
    _make_still(".4.203", "htj2k", "HTJ2K", "High-Throughput JPEG 2000 Image Compression", "htj2k", _POSSIBLE, "ISO_15444_15"),
    # Video: PS3.5 A.4.5 to A.4.10
    _make_video(".4.100", "MPEG2MPML", "MPEG2 Main Profile / Main Level", "ISO_13818_2"),
    _make_video(".4.100.1", "MPEG2MPMLF", "Fragmentable MPEG2 Main Profile / Main Level", "ISO_13818_2"),
    _make_video(".4.101", "MPEG2MPHL", "MPEG2 Main Profile / High Level", "ISO_13818_2"),
    _make_video(".4.101.1", "MPEG2MPHLF", "Fragmentable MPEG2 Main Profile / High Level", "ISO_13818_2"),
    _make_video(".4.102", "MPEG4HP41", "MPEG-4 AVC/H.264 High Profile / Level 4.1", "ISO_14496_10"),
    _make_video(".4.102.1", "MPEG4HP41F", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1", "ISO_14496_10"),
    _make_video(".4.103", "MPEG4HP41BD", "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1", "ISO_14496_10"),
    _make_video(".4.103.1", "MPEG4HP41BDF", "Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1", "ISO_14496_10"),
    _make_video(".4.104", "MPEG4HP422D", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video", "ISO_14496_10"),
    _make_video(".4.104.1", "MPEG4HP422DF", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video", "ISO_14496_10"),
    _make_video(".4.105", "MPEG4HP423D", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video", "ISO_14496_10"),
    _make_video(".4.105.1", "MPEG4HP423DF", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video", "ISO_14496_10"),
    _make_video(".4.106", "MPEG4HP42STEREO", "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2", "ISO_14496_10"),
    _make_video(".4.106.1", "MPEG4HP42STEREOF", "Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2", "ISO_14496_10"),
    _make_video(".4.107", "HEVCMP51", "HEVC/H.265 Main Profile / Level 5.1", "ISO_23008_2"),
    _make_video(".4.108", "HEVCM10P51", "HEVC/H.265 Main 10 Profile / Level 5.1", "ISO_23008_2"),
    # Pixels elsewhere: PS3.5 A.6, A.7
    _make_elsewhere(".4.94", "JPIPReferenced", "JPIP Referenced"),
    _make_elsewhere(".4.95", "JPIPReferencedDeflate", "JPIP Referenced Deflate", deflated=True),
    _make_elsewhere(".4.204", "JPIPHTJ2KReferenced", "JPIP HTJ2K Referenced"),
    _make_elsewhere(".4.205", "JPIPHTJ2KReferencedDeflate", "JPIP HTJ2K Referenced Deflate", deflated=True),
    _make_elsewhere(".7.1", "SMPTEST211020UncompressedProgressiveActiveVideo", "SMPTE ST 2110-20 Uncompressed Progressive Active Video"),
    _make_elsewhere(".7.2", "SMPTEST211020UncompressedInterlacedActiveVideo", "SMPTE ST 2110-20 Uncompressed Interlaced Active Video"),
    _make_elsewhere(".7.3", "SMPTEST211030PCMDigitalAudio", "SMPTE ST 2110-30 PCM Digital Audio"),
    # Private, and outside PS3.5
    TransferSyntax("1.2.840.113619.5.2", "ge-private", "PrivateGELittleEndianImplicitBigEndianPixelData", "GE Private Implicit VR Little Endian with Big Endian Pixel Data", _NATIVE, "native", writes=False, why_not="private: read, never written", explicit_vr=False),
    TransferSyntax("1.2.840.10008.1.20", "papyrus", "Papyrus3ImplicitVRLittleEndian", "Papyrus 3 Implicit VR Little Endian", _NATIVE, "native", writes=False, why_not="retired: read, never written", explicit_vr=False, retired=True),
)
# fmt: on

_ALIASES = {
    "explicit-le": ("raw", "explicit"),
    "implicit-le": ("implicit",),
    "explicit-be": ("big-endian",),
    "jpeg": ("jpeg-baseline",),
    "jpeg-ls": ("jls",),
    "jpeg2000-lossless": ("j2k",),
    "jpegxl-lossless": ("jxl",),
}
"""What people type. The name of a family means its lossless form: nothing is lost by it."""

_BY_UID = {syntax.uid: syntax for syntax in TRANSFER_SYNTAXES}
_BY_ANY_NAME = {
    name.lower(): syntax
    for syntax in TRANSFER_SYNTAXES
    for name in (syntax.uid, syntax.name, syntax.keyword, *_ALIASES.get(syntax.name, ()))
}


def find_by_uid(uid: str) -> TransferSyntax | None:
    """Return the transfer syntax of a UID, or None if the table has no such row."""
    return _BY_UID.get(uid)


def find_by_name(name: str) -> TransferSyntax | None:
    """Return the transfer syntax of a short name, alias, keyword or UID, in any case of letters."""
    return _BY_ANY_NAME.get(name.strip().lower())


def list_aliases(syntax: TransferSyntax) -> tuple[str, ...]:
    """Return the other short names of a transfer syntax."""
    return _ALIASES.get(syntax.name, ())


def list_writable() -> Iterator[TransferSyntax]:
    """Yield the transfer syntaxes that can be a target, in the table's order."""
    return (syntax for syntax in TRANSFER_SYNTAXES if syntax.writes)


IMPLICIT_LE = _BY_UID[_ROOT]
EXPLICIT_LE = _BY_UID[_ROOT + ".1"]
EXPLICIT_BE = _BY_UID[_ROOT + ".2"]
