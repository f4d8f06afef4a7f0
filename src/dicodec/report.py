"""The report of a conversion: a value for programs, lines for people."""

from __future__ import annotations

from operator import attrgetter

from dicodec.model.findings import DamagedFrame, Oddity
from dicodec.model.records import StrEnum, asdict, dataclass, field, fields

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

LEFT_ALONE = "left alone"
"""The action of a file that was to be replaced in place and was right already."""


class WarningKind(StrEnum):
    """The warnings that a batch counts."""

    SIGNATURE = "signature"  # a Digital Signature no longer holds
    CONCATENATION = "concatenation"  # one part of a concatenation became another image
    FILE_SET = "file-set"  # a DICOMDIR names its old UID or transfer syntax


@dataclass(frozen=True, slots=True)
class SizeEstimate:
    """The size that a result would have.

    Attributes:
        size: bytes.
        deviation: standard error of it, in bytes; 0 if all frames were coded, or none has to be.
        frames: how many frames were coded to find it out.
    """

    size: int
    deviation: float
    frames: int


@dataclass(slots=True, kw_only=True)
class ConversionReport:
    """The account of one conversion.

    Attributes:
        source, target: as the caller named them; None for buffers.
        source_syntax, target_syntax: short names of the transfer syntaxes.
        engine: "dicodec" or "gdcm".
        decoder, encoder: behind the codecs of "dicodec", if frames are transcoded: "dicodec
            kernels", or a library, which also takes streams that the kernels do not know.
        action: done to the pixels: "copied", "moved", "repacked", "unpacked", "transcoded", or
            "none" if the data set has none; "left alone" if the file was to be replaced in place
            and is right already.
        frames: number of frames; 0 without pixels.
        photometric_interpretation: of source and result.
        lossy: whether this conversion lost information.
        compression_ratio: size of the native frames to that of the result's, if it has streams.
        decisions: about the image, each with its reason.
        changes: the attributes that were changed, one line each.
        oddities: departures from the standard that were found in the source.
        repairs: corrections made by `--standardize`, beside the oddities.
        warnings: for the user.
        warning_kinds: those of them that a batch counts; see `WarningKind`.
        salvaged_frames: of a damaged source, the frames that could not be read, from 0, and why.
        salvaged: in words, how a damaged source was converted; empty if it was whole.
        source_size, target_size: bytes.
        native_size: bytes, about, that the result has if its pixels are native.
        replaced_digest: SHA-256, in hexadecimal, of the file that the result replaced in place;
            empty if it replaced none.
        instance_uids: SOP Instance UIDs of the source and the result, if they differ.
        seconds: wall time, by stage: "open", "plan", "convert", "verify", "total".
        verified: whether the result was decoded again and compared.
        witness: the other decoder and the files it decoded: "GDCM 3.2.6: the result and the
            source"; empty without one.
        largest_error: of any sample, if a lossy result was verified.
        psnr: peak signal-to-noise ratio in dB, if a lossy result was verified.
        rule: of the policy that decided; empty without a policy.
        modality: of the source, as (0008,0060) states it; empty if it does not.
        dry_run: True if nothing was written.
        estimate: in a dry run, the size that the result would have; None if nobody asked.
    """

    source: str | None = None
    target: str | None = None
    source_syntax: str = ""
    target_syntax: str = ""
    engine: str = "dicodec"
    decoder: str = ""
    encoder: str = ""
    action: str = "none"
    frames: int = 0
    photometric_interpretation: tuple[str, str] | None = None
    lossy: bool = False
    compression_ratio: float | None = None
    decisions: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    oddities: tuple[Oddity, ...] = ()
    repairs: tuple[Oddity, ...] = ()
    warnings: list[str] = field(default_factory=list)
    warning_kinds: list[str] = field(default_factory=list)
    salvaged_frames: tuple[DamagedFrame, ...] = ()
    salvaged: str = ""
    source_size: int = 0
    target_size: int = 0
    native_size: int = 0
    replaced_digest: str = ""
    instance_uids: tuple[str, str] | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    verified: bool = False
    witness: str = ""
    largest_error: int | None = None
    psnr: float | None = None
    rule: str = ""
    modality: str = ""
    dry_run: bool = False
    estimate: SizeEstimate | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the report in a form that JSON can hold."""
        values: dict[str, Any] = dict(zip(_FIELDS, _READ_FIELDS(self), strict=True))
        for name in ("oddities", "repairs", "salvaged_frames"):
            values[name] = [asdict(one) for one in values[name]]
        if self.estimate is not None:
            values["estimate"] = asdict(self.estimate)
        return values


_FIELDS = tuple(one.name for one in fields(ConversionReport))
_READ_FIELDS = attrgetter(*_FIELDS)
