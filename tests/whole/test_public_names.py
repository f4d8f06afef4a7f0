"""What the package shows to its users, and what importing it costs."""

from __future__ import annotations

import json
import subprocess
import sys
import types

import pytest

import dicodec
from dicodec import errors, options, report
from dicodec.comparison import compare as comparison
from dicodec.conversion import calls, inspection
from dicodec.conversion.output import result_file
from dicodec.images import encode_frame, image
from dicodec.interface import convert_many, inspect, open_image
from dicodec.model import conversion_settings, limits, transfer_syntax
from dicodec.model import image as description
from dicodec.part10 import dicom_file

PUBLIC = {
    "BatchProgress": convert_many.BatchProgress,
    "BatchResult": convert_many.BatchResult,
    "Comparison": comparison.Comparison,
    "ConversionError": errors.ConversionError,
    "ConversionOptions": options.ConversionOptions,
    "ConversionReport": report.ConversionReport,
    "ConversionSettings": conversion_settings.ConversionSettings,
    "DicodecError": errors.DicodecError,
    "EncodedFrame": encode_frame.EncodedFrame,
    "Image": image.Image,
    "ImagePixelDescription": description.ImagePixelDescription,
    "Inspection": inspection.Inspection,
    "Limits": limits.Limits,
    "ReadError": errors.ReadError,
    "Source": dicom_file.Source,
    "Target": result_file.Target,
    "TransferSyntax": transfer_syntax.TransferSyntax,
    "WriteError": errors.WriteError,
    "compare": comparison.compare,
    "convert": calls.convert,
    "convert_async": calls.convert_async,
    "convert_bytes": calls.convert_bytes,
    "convert_dataset": calls.convert_dataset,
    "convert_many": convert_many.convert_many,
    "encode_frame": encode_frame.encode_frame,
    "inspect": inspect.inspect,
    "open_image": open_image.open_image,
}


def test_these_names_are_public_and_no_others() -> None:
    assert sorted(dicodec.__all__) == sorted(PUBLIC)
    for name, value in PUBLIC.items():
        assert getattr(dicodec, name) is value
        assert value.__doc__
    assert {name for name in dir(dicodec) if not name.startswith("_")} >= set(PUBLIC)


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = dicodec.nonsense


def test_what_type_checkers_see_is_what_there_is() -> None:
    import ast
    from pathlib import Path

    tree = ast.parse(Path(str(dicodec.__file__)).read_text(encoding="utf-8"))
    seen = {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    assert seen == set(PUBLIC)


def test_modules_say_what_they_are_for() -> None:
    import importlib
    import pkgutil

    for found in pkgutil.walk_packages(dicodec.__path__, "dicodec."):
        if found.name == "dicodec.conversion.gdcm.child":  # it loads GDCM, in its own process
            continue
        module = importlib.import_module(found.name)
        assert isinstance(module, types.ModuleType)
        assert module.__doc__, found.name


HEAVY = ("numpy", "asyncio", "imagecodecs", "rich", "pydicom", "concurrent.futures", "sqlite3")


COMMAND = """
from dicodec.cli.main import run
try:
    run({})
except SystemExit:
    pass
"""


@pytest.mark.parametrize(
    "program",
    [
        "import dicodec",
        "import dicodec.conversion.calls",
        "from dicodec import convert, inspect, ConversionOptions",
        "from dicodec import open_image, encode_frame, Image",
        COMMAND.format(["show", "--help"]),
        "import dicodec.cli.main",
        COMMAND.format(["--help"]),
        COMMAND.format(["--version"]),
        COMMAND.format(["convert", "--help"]),
        COMMAND.format(["syntaxes", "--json"]),
    ],
)
def test_importing_costs_little(program: str) -> None:
    script = f"{program}\nimport sys, json\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], stdout=subprocess.PIPE, text=True, check=True
    )
    modules = json.loads(run.stdout.splitlines()[-1])

    assert "dicodec" in modules
    assert not {name for name in HEAVY if name in modules}


def test_a_conversion_that_moves_bytes_loads_no_numpy() -> None:
    from helpers.made import IMAGE_KINDS

    script = (
        "import sys, dicodec\n"
        "data = dicodec.convert_bytes(sys.stdin.buffer.read(), to='implicit-le')\n"
        "assert len(data) > 1000\n"
        "assert 'numpy' not in sys.modules and 'asyncio' not in sys.modules"
    )
    content = IMAGE_KINDS["gray-16"].make()[0]
    subprocess.run([sys.executable, "-W", "error", "-c", script], input=content, check=True)
