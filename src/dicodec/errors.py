"""The errors that dicodec raises: one tree, each with a stable code and a location in the file.

    DicodecError
    ├── ReadError                      the source could not be read or understood
    │   ├── SourceUnavailableError     not there, a folder, no permission
    │   ├── SourceChangedError         written to or replaced while it was read
    │   ├── EmptyFileError
    │   ├── NotDicomError
    │   ├── TruncatedFileError         the data set ends before it should
    │   ├── MalformedFileError         the data set contradicts PS3.5
    │   ├── UnknownTransferSyntaxError
    │   ├── LimitExceededError         a claimed size or depth is past a limit
    │   └── FrameError                 one frame of Pixel Data
    │       ├── TruncatedFrameError
    │       ├── CorruptFrameError
    │       ├── FrameMismatchError     the stream contradicts the data set
    │       └── MissingFrameError
    ├── ConversionError                the source is understood, the conversion is not possible
    │   ├── InvalidOptionError
    │   ├── RequestError               a message is not a request, or not one that can be met
    │   │   └── UnsupportedVersionError
    │   ├── PathNotAllowedError        a job names a path that jobs may not use
    │   ├── UnsupportedSourceError     a source whose pixels we cannot decode
    │   ├── UnsupportedTargetError     a target that we never write
    │   ├── UnsupportedImageError      a target that cannot hold this image
    │   ├── LossyNotAllowedError
    │   ├── ContradictionError         strict: the source is not as it says
    │   ├── SampleRangeError           samples outside Bits Stored
    │   ├── EncodeError
    │   ├── VerificationError          the result, read again, differs from the plan
    │   ├── NoWitnessError             no other decoder can check the result
    │   ├── EngineError                the engine asked for failed, or is not installed
    │   │   └── EngineCrashedError
    │   ├── WorkerCrashedError         in a batch: the process that converted it ended
    │   ├── TimeoutExceededError       in a batch: it took too long
    │   └── MemoryExceededError        in a batch: it took too much memory
    ├── WriteError                     the result could not be put in place
    │   ├── TargetExistsError
    │   ├── TargetUnavailableError
    │   ├── OutputLimitError
    │   ├── DiskFullError
    │   ├── PeerUnavailableError       a peer of the gateway does not answer
    │   └── PeerRefusedError
    └── InternalError                  a fault of this package

Programs go by an error's `code`, people by its message and hint.
"""

from __future__ import annotations

from collections.abc import Callable

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import ClassVar, Self


class DicodecError(Exception):
    """Base of all errors of this package.

    Attributes:
        code: stable, for programs: lower case words joined by hyphens.
        message: one sentence for people, without the path.
        path: the file at fault, as the caller named it.
        frame: the frame at fault, counted from 0.
        attribute: keyword or tag of the attribute at fault.
        offset: byte offset in the source.
        hint: the way out.

    Message and hint name options as calls have them, between backquotes: `overwrite=True`. Other
    entrances word them with `dicodec.model.wording`.
    """

    code: ClassVar[str] = "error"

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        frame: int | None = None,
        attribute: str | None = None,
        offset: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.frame = frame
        self.attribute = attribute
        self.offset = offset
        self.hint = hint

    def __str__(self) -> str:
        where = [
            f"frame {self.frame}" if self.frame is not None else "",
            self.attribute or "",
            f"at byte {self.offset}" if self.offset is not None else "",
        ]
        text = self.message
        if place := ", ".join(part for part in where if part):
            text += f" ({place})"
        if self.path is not None:
            text = f"{self.path}: {text}"
        if self.hint:
            text += f"; {self.hint}"
        return text

    def with_location(
        self,
        *,
        path: str | None = None,
        frame: int | None = None,
        attribute: str | None = None,
        offset: int | None = None,
    ) -> Self:
        """Fill in the fields of the location that are not known yet, and return the error.

        Args:
            path: the file at fault, as the caller named it.
            frame: the frame at fault, counted from 0.
            attribute: keyword or tag of the attribute at fault.
            offset: byte offset in the source.
        """
        self.path = path if self.path is None else self.path
        self.frame = frame if self.frame is None else self.frame
        self.attribute = attribute if self.attribute is None else self.attribute
        self.offset = offset if self.offset is None else self.offset
        return self

    def with_hint(self, hint: str | None) -> Self:
        """Set the hint if there is none yet, and return the error."""
        self.hint = self.hint or hint
        return self

    def with_path(self, path: str, *, instead_of: str | None) -> Self:
        """Name the file, also if the error names its temporary copy, and return the error."""
        self.path = path if self.path in (None, instead_of) else self.path
        return self

    def with_offset(self, offset: int | None) -> Self:
        """Replace an offset that counts from a stream or a value, and return the error."""
        self.offset = offset
        return self

    def with_context(self, context: str) -> Self:
        """Put the part of a larger text at fault before the message, and return the error."""
        self.message = f"{context}: {self.message}"
        return self

    def reword(self, word: Callable[[str], str]) -> None:
        """Put message and hint in other words: those of the entrance that shows them."""
        self.message = word(self.message)
        if self.hint is not None:
            self.hint = word(self.hint)

    def as_dict(self) -> dict[str, str | int]:
        """Return the fields that are not empty, in a form that JSON can hold."""
        fields: dict[str, str | int | None] = {
            "code": self.code,
            "kind": find_kind(self),
            "message": self.message,
            "path": self.path,
            "frame": self.frame,
            "attribute": self.attribute,
            "offset": self.offset,
            "hint": self.hint,
        }
        return {name: value for name, value in fields.items() if value is not None}


class ReadError(DicodecError):
    """The source could not be read or understood."""

    code = "read-error"


class SourceUnavailableError(ReadError):
    """The source is not there, is a folder, or may not be read."""

    code = "source-unavailable"


class SourceChangedError(ReadError):
    """The source was written to, replaced or removed while it was read."""

    code = "source-changed"


class EmptyFileError(ReadError):
    """The source holds no bytes."""

    code = "empty-file"


class NotDicomError(ReadError):
    """The source is something else than DICOM."""

    code = "not-dicom"


class TruncatedFileError(ReadError):
    """The source ends inside an element."""

    code = "truncated-file"


class MalformedFileError(ReadError):
    """The data set contradicts PS3.5 in a way that leaves no sure reading."""

    code = "malformed-file"


class UnknownTransferSyntaxError(ReadError):
    """The file names a transfer syntax that is in no table."""

    code = "unknown-transfer-syntax"


class LimitExceededError(ReadError):
    """A claimed size, count or depth is past a limit."""

    code = "limit-exceeded"


class FrameError(ReadError):
    """One frame of the Pixel Data cannot be read."""

    code = "frame-error"


class TruncatedFrameError(FrameError):
    """The frame's bytes end too early."""

    code = "truncated-frame"


class CorruptFrameError(FrameError):
    """The frame's stream cannot be decoded."""

    code = "corrupt-frame"


class FrameMismatchError(FrameError):
    """The frame's stream holds another image than the data set describes."""

    code = "frame-mismatch"


class MissingFrameError(FrameError):
    """There are fewer frames than Number of Frames says."""

    code = "missing-frame"


class ConversionError(DicodecError):
    """The source is understood, but cannot be converted as requested."""

    code = "conversion-error"


class InvalidOptionError(ConversionError):
    """An option has a value that has no meaning."""

    code = "invalid-option"


class RequestError(ConversionError):
    """A message that asks for a conversion is not understood, or names something unknown.

    Attributes:
        field: of the message; None if it is not a JSON object.
    """

    code = "invalid-request"

    def __init__(self, message: str, *, field: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.field = field


class UnsupportedVersionError(RequestError):
    """A message has a version whose meaning is not known here."""

    code = "unsupported-version"


class PathNotAllowedError(ConversionError):
    """A job names a path that is in none of the folders that jobs may use."""

    code = "path-not-allowed"


class UnsupportedSourceError(ConversionError):
    """The source's pixels are in an encoding that this package does not decode."""

    code = "unsupported-source"


class UnsupportedTargetError(ConversionError):
    """The transfer syntax asked for is one that this package does not write."""

    code = "unsupported-target"


class UnsupportedImageError(ConversionError):
    """The transfer syntax asked for cannot hold this image."""

    code = "unsupported-image"


class LossyNotAllowedError(ConversionError):
    """The target loses information and nobody allowed that."""

    code = "lossy-not-allowed"


class ContradictionError(ConversionError):
    """Strict conversion: the source contradicts itself or departs from the standard."""

    code = "contradiction"


class SampleRangeError(ConversionError):
    """Samples lie outside the range that the target can hold."""

    code = "sample-range"


class EncodeError(ConversionError):
    """A codec refused to encode a frame."""

    code = "encode-failed"


class VerificationError(ConversionError):
    """The finished result was read again, and differs from the plan."""

    code = "verification-failed"


class NoWitnessError(ConversionError):
    """Independent verification was asked for, and no other decoder can read the result."""

    code = "no-witness"


class EngineError(ConversionError):
    """The engine asked for is not installed or reported a failure."""

    code = "engine-failed"


class EngineCrashedError(EngineError):
    """The engine's process ended without an answer."""

    code = "engine-crashed"


class WorkerCrashedError(ConversionError):
    """The process that converted the file, among others, ended without an answer."""

    code = "worker-crashed"


class TimeoutExceededError(ConversionError):
    """The file took longer than it was allowed to."""

    code = "timeout"


class MemoryExceededError(ConversionError):
    """The file took more memory than it was allowed to, or than there was."""

    code = "out-of-memory"


class WriteError(DicodecError):
    """The result could not be written or put in its place."""

    code = "write-error"


class TargetExistsError(WriteError):
    """Something is there already, and overwriting was not asked for."""

    code = "target-exists"

    @classmethod
    def of_kept_original(cls, path: str, mark: str) -> Self:
        """Return the error for a target that is an original kept by `backup`, or for its source.

        Args:
            path: its path or URL.
            mark: what says that it was kept, for people.
        """
        return cls(
            "an original that `backup` kept is not replaced",
            path=path,
            hint=f"another target; or copy or rename the original, or remove {mark}",
        )

    @classmethod
    def at(cls, target: str, *, hint: str = "`overwrite=True` replaces it") -> Self:
        """Return the error for a target.

        Args:
            target: its path or URL.
            hint: the way out.
        """
        return cls("the target exists", path=target, hint=hint)


class TargetUnavailableError(WriteError):
    """The target's folder is missing, or may not be written to."""

    code = "target-unavailable"


class OutputLimitError(WriteError):
    """The result is larger than the room that a batch has left for results."""

    code = "output-limit"


class DiskFullError(WriteError):
    """The output's file system is full."""

    code = "disk-full"


class PeerUnavailableError(WriteError):
    """A peer does not answer, rejects the association, or lacks resources; it may pass."""

    code = "peer-unavailable"


class PeerRefusedError(WriteError):
    """A peer refuses an object, or accepts no transfer syntax that it can be in."""

    code = "peer-refused"


class InternalError(DicodecError):
    """A fault of this package."""

    code = "internal-error"


def find_kind(error: DicodecError) -> str:
    """Return the kind of an error: "reading", "converting" or "writing"."""
    rows = {ReadError: "reading", ConversionError: "converting", WriteError: "writing"}
    return next((name for kind, name in rows.items() if isinstance(error, kind)), "unknown")
