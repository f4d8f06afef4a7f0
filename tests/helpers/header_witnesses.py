"""What strict readers say of a file's structure: pydicom, DCMTK, GDCM and dciodvfy.

Errors of content (a date of no form, an attribute that a module asks for) are no matter here: they
are left out, unless they come from how values are written.
"""

from __future__ import annotations

import io
import re
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
from pydicom import config

from helpers.installed import program
from helpers.witnesses import TIMEOUT, iod_errors

_OF_STRUCTURE = re.compile(
    r"read failed|[Pp]arse|out of order|garbage|[Bb]ad (Explicit )?(Value )?Length|"
    r"Value Representation|\bVR of|wrong VR|[Bb]ad VR|[Dd]elimiter|[Dd]uplicate|Group [Ll]ength|"
    r"Length of |not even|odd length|[Uu]nexpected|truncated"
)
_OF_CONTENT = re.compile(
    r"[Vv]alue invalid for this VR|invalid data values|[Mm]issing attribute|[Ee]numerated value"
)


def structural_faults(path: Path) -> list[str]:
    """Return what any of the readers objects to in the structure of a file; none is right."""
    return [*_dcmtk_faults(path), *_gdcm_faults(path), *dciodvfy_faults(path)]


def dciodvfy_faults(path: Path) -> list[str]:
    """Return the errors of structure that dciodvfy finds; on images of 32 bits it ends itself."""
    errors = iod_errors(path) or ()
    return [
        f"dciodvfy: {error}"
        for error in sorted(errors)
        if _OF_STRUCTURE.search(error) and not _OF_CONTENT.search(error)
    ]


def _dcmtk_faults(path: Path) -> list[str]:
    faults = []
    test = subprocess.run(
        [program("dcmftest"), path], capture_output=True, timeout=TIMEOUT, check=False
    )
    if not test.stdout.startswith(b"yes"):
        faults.append(f"dcmftest: {test.stdout.decode()}")
    dump = subprocess.run(
        [program("dcmdump"), "+L", path], capture_output=True, timeout=TIMEOUT, check=False
    )
    lines = dump.stderr.decode("latin-1").splitlines()
    return faults + [f"dcmdump: {line}" for line in lines if line[:2] in {"E:", "W:", "F:"}]


def _gdcm_faults(path: Path) -> list[str]:
    run = subprocess.run(
        [program("gdcmdump"), path], capture_output=True, timeout=TIMEOUT, check=False
    )
    words = run.stderr.decode("latin-1").strip()
    return [f"gdcmdump: {run.returncode} {words}"] if run.returncode or words else []


@contextmanager
def _enforced() -> Iterator[None]:
    settings = config.settings
    reading, writing = settings.reading_validation_mode, settings.writing_validation_mode
    settings.reading_validation_mode = settings.writing_validation_mode = config.RAISE
    try:
        with warnings.catch_warnings(action="error"):
            yield
    finally:
        settings.reading_validation_mode = reading
        settings.writing_validation_mode = writing


def pydicom_fault(content: bytes) -> str:
    """Return why pydicom with enforced validation does not read and write a file; "" if it does."""
    with _enforced():
        try:
            data_set = pydicom.dcmread(io.BytesIO(content))
            for _ in data_set.iterall():
                pass
            data_set.save_as(io.BytesIO(), enforce_file_format=True)
        except Exception as error:
            return f"pydicom: {type(error).__name__}: {error}"
    return ""
