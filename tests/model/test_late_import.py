"""Modules that are imported at their first use, and who may use them before."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import dicodec
from dicodec.model.late_import import LateModule, import_late


def run_alone(script: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


def test_a_module_is_imported_when_an_attribute_is_asked_for() -> None:
    run_alone(
        "import sys\n"
        "from dicodec.model.late_import import import_late\n"
        "late = import_late('colorsys')\n"
        "assert 'colorsys' not in sys.modules, repr(late)\n"
        "assert late.rgb_to_hsv is late.rgb_to_hsv is sys.modules['colorsys'].rgb_to_hsv"
    )


def test_all_have_the_same_object() -> None:
    import numpy as np

    late = import_late("numpy")
    assert import_late("numpy") is late is not np
    assert late.ndarray is np.ndarray
    assert repr(late) == "<late import of numpy>"


def test_threads_may_ask_at_once() -> None:
    with ThreadPoolExecutor(8) as threads:
        for _ in range(20):
            late = LateModule("string")
            found = set(threads.map(lambda _, late=late: late.ascii_letters, range(32)))
            assert len(found) == 1


def test_what_is_not_there_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'none_such'"):
        _ = import_late("numpy").none_such
    with pytest.raises(ModuleNotFoundError):
        _ = import_late("no_such_module").anything


LOADED_TO_TALK_DICOM = (
    "association", "commitment", "commitment_answering", "commitment_asking", "dimse_sender",
    "pdus", "receiving", "shared_server",
)  # fmt: skip
"""Modules of the gateway that import pydicom, which imports NumPy; others import them late."""


def test_no_module_of_the_package_loads_numpy() -> None:
    names = [found.name for found in pkgutil.walk_packages(dicodec.__path__, "dicodec.")]
    names.remove("dicodec.conversion.gdcm.child")  # it loads GDCM, in its own process
    for name in LOADED_TO_TALK_DICOM:
        names.remove(f"dicodec.service.gateway.{name}")
    assert len(names) > 200
    run_alone(
        "import sys, importlib\n"
        f"for name in {names}:\n"
        "    importlib.import_module(name)\n"
        "    loaded = {'numpy', 'imagecodecs'} & sys.modules.keys()\n"
        "    assert not loaded, (name, loaded)"
    )
