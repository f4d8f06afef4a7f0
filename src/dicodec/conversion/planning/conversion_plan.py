"""Plans as values: everything that was decided about one conversion."""

from __future__ import annotations

from collections.abc import Mapping

from dicodec.model.edits import Edit
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import NamedTuple, StrEnum, dataclass, field, replace
from dicodec.model.transfer_syntax import TransferSyntax
from dicodec.options import ConversionOptions
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.directory_records import RecordLink
from dicodec.part10.encoding import DataSetEncoding

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:  # frames that are only moved need no codec
    from dicodec.codecs.base import Encoder
    from dicodec.model.stream import StreamDescription
    from dicodec.pixels.photometric import PhotometricStep, Route


class Action(StrEnum):
    """The action on the pixels."""

    NONE = "none"  # there are none
    COPY_FILE = "copied"  # the file is right as it is
    MOVE_VALUE = "moved"  # the value of Pixel Data, at most in another byte order
    MOVE_FRAMES = "reframed"  # each frame's bytes as they are, in another frame of items
    REPACK_JPEG = "repacked"  # JPEG streams into JPEG XL, reversibly
    UNPACK_JPEG = "unpacked"  # and back
    TRANSCODE = "transcoded"  # decoded and encoded


class EmbeddedOverlay(NamedTuple):
    """An overlay in unused bits of Pixel Data (PS3.5 8.1.2).

    Attributes:
        group: 0x6000 to 0x601E.
        bit: of each word, counted from the lowest.
    """

    group: int
    bit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelPlan:
    """The plan of the frames.

    Attributes:
        stated: the image as the data set describes it.
        coded: the image as its frames really are; differs if the data set is wrong.
        decoded: the image that the decoder returns.
        prepared: the image that the encoder is given.
        result: the image that will be stored.
        encoder: of frames that are decoded, or filled.
        steps: changes of photometric interpretation between them.
        stream: description of the first frame's stream; None if it was not read.
        lossy: whether this conversion loses information.
        source_lossy: whether the source's streams have lost information; None if unknown.
        table: offset table of an encapsulated result: "basic", "extended" or "empty".
        bound: largest error of a sample that is promised; None if none is.
        edits: attributes that follow from the steps.
        overlays: those that are taken out of Pixel Data.
        derived: in words, why the result is another image although nothing lossy encoded it.
        own_steps: by a frame's number, steps that bring its samples to `decoded` before the steps
            that all frames take; frames that are in it already are left out.
        psnr: the goal of each lossy frame, in dB; None if the caller asked for none.
    """

    stated: ImagePixelDescription
    coded: ImagePixelDescription
    decoded: ImagePixelDescription
    prepared: ImagePixelDescription
    result: ImagePixelDescription
    encoder: Encoder | None = None
    steps: tuple[PhotometricStep, ...] = ()
    stream: StreamDescription | None = None
    lossy: bool = False
    source_lossy: bool | None = None
    table: str = "basic"
    bound: int | None = 0
    edits: tuple[Edit, ...] = ()
    overlays: tuple[EmbeddedOverlay, ...] = ()
    derived: str = ""
    own_steps: Mapping[int, Route] = field(default_factory=dict)
    psnr: float | None = None

    @classmethod
    def moved(cls, image: ImagePixelDescription, table: str) -> PixelPlan:
        """Return the plan of frames whose bytes stay as they are.

        Args:
            image: as the data set describes it.
            table: offset table of an encapsulated result.
        """
        return cls(
            stated=image, coded=image, decoded=image, prepared=image, result=image, table=table
        )

    @classmethod
    def repacked(
        cls, image: ImagePixelDescription, table: str, stream: StreamDescription
    ) -> PixelPlan:
        """Return the plan of streams that are coded in another way, reversibly and undecoded.

        Args:
            image: as the data set describes it.
            table: offset table of an encapsulated result.
            stream: description of the first frame's stream.
        """
        moved = cls.moved(image, table)
        return replace(moved, stream=stream, source_lossy=not stream.lossless)

    @property
    def frames(self) -> int:
        """The number of frames."""
        return self.stated.number_of_frames


@dataclass(frozen=True, slots=True)
class ConversionPlan:
    """All decisions about one conversion.

    Attributes:
        source, target: transfer syntaxes.
        action: on the pixels.
        pixels: None if the data set has no frames that can be told apart.
        decisions: about the image, each with its reason, for people.
        warnings: for the user.
    """

    source: TransferSyntax
    target: TransferSyntax
    action: Action
    pixels: PixelPlan | None
    decisions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def encoding(self) -> DataSetEncoding:
        """The encoding of the result's elements."""
        return DataSetEncoding.of(self.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """One conversion: the open source, and everything that was decided about it.

    Attributes:
        file: the open source.
        path: of the file; None if it is not a file.
        plan: the plan of the pixels.
        edits: the attributes that change; all others stay as they are.
        options: the caller's options.
        workers: threads for frames; the result does not depend on their number.
        referring: attributes whose references are mapped to other instances.
        links: the relations between the records of a DICOMDIR, which the result states anew.
    """

    file: DicomFile
    path: str | None
    plan: ConversionPlan
    edits: tuple[Edit, ...]
    options: ConversionOptions
    workers: int
    referring: frozenset[int] = frozenset()
    links: tuple[RecordLink, ...] = ()
