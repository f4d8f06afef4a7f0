"""Converts files with python-gdcm, as its users do: peer_gdcm.py SYNTAX FOLDER FILE..."""

from __future__ import annotations

import sys
from pathlib import Path

import gdcm

_KINDS = {
    "explicit-le": gdcm.TransferSyntax.ExplicitVRLittleEndian,
    "implicit-le": gdcm.TransferSyntax.ImplicitVRLittleEndian,
    "deflated": gdcm.TransferSyntax.DeflatedExplicitVRLittleEndian,
    "rle": gdcm.TransferSyntax.RLELossless,
    "jpeg": gdcm.TransferSyntax.JPEGBaselineProcess1,
    "jpeg-extended": gdcm.TransferSyntax.JPEGExtendedProcess2_4,
    "jpeg-lossless": gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    "jpeg-ls": gdcm.TransferSyntax.JPEGLSLossless,
    "jpeg-ls-near": gdcm.TransferSyntax.JPEGLSNearLossless,
    "jpeg2000-lossless": gdcm.TransferSyntax.JPEG2000Lossless,
}


def main(syntax: str, folder: str, *names: str) -> None:
    """Convert each file to one of its name in the folder."""
    for name in names:
        reader = gdcm.ImageReader()
        reader.SetFileName(name)
        if not reader.Read():
            sys.exit(f"python-gdcm does not read {name}")
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(_KINDS[syntax]))
        if codec := _lossy_codec(syntax):
            change.SetUserCodec(codec)
        change.SetInput(reader.GetImage())
        if not change.Change():
            sys.exit(f"python-gdcm does not change {name} to {syntax}")
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(Path(folder, Path(name).name)))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        if not writer.Write():
            sys.exit(f"python-gdcm does not write {name}")


def _lossy_codec(syntax: str) -> object:
    if syntax in {"jpeg", "jpeg-extended"}:
        codec = gdcm.JPEGCodec()
        codec.SetLossless(False)
        codec.SetQuality(90.0)
        return codec
    if syntax == "jpeg-ls-near":
        near = gdcm.JPEGLSCodec()
        near.SetLossless(False)
        near.SetLossyError(2)
        return near
    return None


if __name__ == "__main__":
    main(*sys.argv[1:])
