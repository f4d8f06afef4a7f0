"""Archives of any kind, made of names and bytes."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path


def make_archive(path: Path, files: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        method = zipfile.ZIP_STORED if path.name == "stored.zip" else zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.mkdir("folder")
            for name, content in files.items():
                archive.writestr(zipfile.ZipInfo(name), content, method)
        return path
    mode = {".tar": "w", ".gz": "w:gz", ".tbz2": "w:bz2", ".xz": "w:xz"}[path.suffix]
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path
