"""The process that GDCM runs in: one conversion, then it ends. Nothing else here imports `gdcm`.

Run by path or with `python -m dicodec.conversion.gdcm.child`; it needs no other module of this
package. The request is one JSON object on standard input, the answer one on standard output;
GDCM's own output goes to standard error. A missing answer means that GDCM ended the process.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

NOT_INSTALLED = "not-installed"
UNREADABLE = "unreadable"
NO_PIXELS = "no-pixels"
UNCHANGED = "unchanged"
UNWRITTEN = "unwritten"
FAILED = "failed"


class GdcmRefusal(Exception):  # noqa: N818
    """GDCM refused at one of its steps.

    Attributes:
        step: its name, for the parent's words.
    """

    def __init__(self, step: str) -> None:
        super().__init__(step)
        self.step = step


def convert(gdcm: Any, request: dict[str, Any]) -> None:
    """Convert one file; without pixels, only its encoding can change.

    Raises:
        GdcmRefusal: GDCM could not read, transcode or write.
    """
    syntax = gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(request["uid"]))
    reader = gdcm.PixmapReader()
    reader.SetFileName(request["source"])
    if not reader.Read():
        convert_without_pixels(gdcm, request, syntax)
        return
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(syntax)
    change.SetInput(reader.GetPixmap())
    codec = make_codec(gdcm, request)
    if codec is not None:
        change.SetUserCodec(codec)
        change.SetForce(True)
    if not change.Change():
        raise GdcmRefusal(UNCHANGED)
    pixmap = change.GetOutputAsPixmap()
    if request["decode"]:
        # GDCM refuses to write lossy pixels of methods that it has no term for, such as HTJ2K's.
        pixmap.SetLossyFlag(False)
    writer = gdcm.PixmapWriter()
    writer.SetFile(reader.GetFile())
    writer.SetPixmap(pixmap)
    writer.SetFileName(request["target"])
    if not writer.Write():
        raise GdcmRefusal(UNWRITTEN)


def convert_without_pixels(gdcm: Any, request: dict[str, Any], syntax: Any) -> None:
    """Write a data set that holds no image in another native syntax."""
    reader = gdcm.Reader()
    reader.SetFileName(request["source"])
    if not reader.Read() or reader.GetFile().GetDataSet().FindDataElement(gdcm.Tag(0x7FE0, 0x10)):
        raise GdcmRefusal(UNREADABLE)
    if syntax.IsEncapsulated():
        raise GdcmRefusal(NO_PIXELS)
    if syntax.IsExplicit():
        explicit = gdcm.FileExplicitFilter()
        explicit.SetFile(reader.GetFile())
        if not explicit.Change():
            raise GdcmRefusal(UNCHANGED)
    reader.GetFile().GetHeader().SetDataSetTransferSyntax(syntax)
    writer = gdcm.Writer()
    writer.SetFile(reader.GetFile())
    writer.SetFileName(request["target"])
    if not writer.Write():
        raise GdcmRefusal(UNWRITTEN)


def make_nameable(path: str, flags: int) -> str:
    """Return a name of the file that GDCM can take: it takes no name that is not UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return f"/dev/fd/{os.open(path, flags, 0o666)}"
    return path


def make_codec(gdcm: Any, request: dict[str, Any]) -> Any:
    """Return a codec with the settings asked for; None if GDCM's own choice is right."""
    family, lossless = request["family"], request["lossless"]
    if lossless:
        return None
    if family == "jpeg":
        codec = gdcm.JPEGCodec()
        codec.SetLossless(False)
        if request["quality"] is not None:
            codec.SetQuality(request["quality"])
        return codec
    if family == "jpeg-ls":
        codec = gdcm.JPEGLSCodec()
        codec.SetLossless(False)
        codec.SetLossyError(request["near"] or 0)
        return codec
    if family == "jpeg2000":
        codec = gdcm.JPEG2000Codec()
        codec.SetReversible(False)
        if request["ratio"] is not None:
            codec.SetRate(0, request["ratio"])
        if request["psnr"] is not None:
            codec.SetQuality(0, request["psnr"])
        return codec
    return None


def main() -> None:
    """Read the request, convert, answer."""
    with suppress(ImportError):  # Windows has no core dumps
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    request = json.load(sys.stdin)
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        answer: dict[str, Any] = {"step": None, "version": None}
        try:
            import gdcm

            answer["version"] = gdcm.Version.GetVersion()
            gdcm.Trace.WarningOn()
            gdcm.Trace.ErrorOn()
            request["source"] = make_nameable(request["source"], os.O_RDONLY)
            request["target"] = make_nameable(request["target"], os.O_RDWR | os.O_CREAT)
            convert(gdcm, request)
        except ImportError as error:
            answer.update(step=NOT_INSTALLED, words=str(error))
        except GdcmRefusal as refusal:
            answer.update(step=refusal.step)
        except Exception as error:  # the parent gets an answer, whatever GDCM's binding raises
            answer.update(step=FAILED, words=f"{type(error).__name__}: {error}")
        json.dump(answer, answers)


if __name__ == "__main__":
    main()
