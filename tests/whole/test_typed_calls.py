"""Type checkers find misspelt and mistyped options of the calls; right forms of them work."""

from __future__ import annotations

import asyncio
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from dicodec import TransferSyntax, convert, convert_async, convert_bytes, convert_dataset
from dicodec.errors import InvalidOptionError, UnsupportedTargetError
from dicodec.model.transfer_syntax import find_by_name
from helpers.made import IMAGE_KINDS

ROOT = Path(__file__).parents[2]
CONTENT = IMAGE_KINDS["gray-8"].make()[0]

SNIPPET = """
import dicodec
from dicodec import Inspection, Limits, Source, Target, TransferSyntax
from pydicom.dataset import Dataset

def right(source: Source, target: Target, syntax: TransferSyntax, limits: Limits) -> None:
    dicodec.convert(source, target, to="rle", quality=85, set_attributes={"PatientID": "A"})
    dicodec.convert(source, None, to=[syntax, "rle"], remove_attributes=("PatientName",))
    dicodec.convert_bytes(b"", to=syntax, set_attributes=[("PatientID", "A")], limits=limits)
    found: Inspection = dicodec.inspect(source)
    print(found.transfer_syntax)
    with dicodec.open_image(source, workers=2) as image:
        print(image.read_frame(3, window=(40, 400)).shape, len(image), image.description.rows)
        print([samples.mean() for samples in image.read_frames([0, 1], photometric="RGB")])
        encoded = dicodec.encode_frame(image.read_frame(0), to=syntax, bits_stored=12, verify=True)
    print(encoded.stream.hex(), encoded.description.bits_stored)
    for result in dicodec.convert_many(["a", "b"], "out", to="rle", progress=print, lossy=True):
        print(result.source.upper(), result.state)

async def wrong(source: Source, target: Target, dataset: Dataset) -> None:
    dicodec.convert(source, target, to="rle", qualty=85)  # call-arg
    dicodec.convert(source, target, to="rle", quality="85")  # arg-type
    dicodec.convert(source, target, to=85)  # arg-type
    dicodec.convert_bytes(b"", to="rle", overwritten=True)  # call-arg
    dicodec.convert_bytes(b"", to="rle", set_attributes={"PatientID": 3})  # arg-type
    await dicodec.convert_async(source, target, to="rle", veryfy=True)  # call-arg
    await dicodec.convert_async(source, target, to="rle", lossy="yes")  # arg-type
    dicodec.open_image(source, worker=2)  # call-arg
    dicodec.open_image(dataset).read_frame(0, window=40)  # arg-type
    dicodec.encode_frame([[1]], to="rle", qualty=3)  # call-arg
    dicodec.convert_many(["a"], "out", to="rle", near="3")  # arg-type
    dicodec.convert_dataset(dataset, to="rle", ner=3)  # call-arg
    dicodec.convert_dataset(dataset, to="rle", near=3.5)  # arg-type
"""


def test_mypy_finds_what_is_misspelt_and_mistyped(tmp_path: Path) -> None:
    snippet = tmp_path / "snippet.py"
    snippet.write_text(SNIPPET, encoding="utf-8")
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), str(snippet)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    found = {
        (int(line), code)
        for line, code in re.findall(r"snippet\.py:(\d+): error: .*\[([\w-]+)\]", checked.stdout)
    }
    wanted = {
        (number, line.partition("  # ")[2])
        for number, line in enumerate(SNIPPET.splitlines(), 1)
        if "  # " in line
    }
    assert found == wanted, checked.stdout


RULES = {"call-arg": "reportCallIssue", "arg-type": "reportArgumentType"}
"""Of pyright, by the codes of mypy."""


def test_pyright_finds_the_same_lines(tmp_path: Path) -> None:
    snippet = tmp_path / "snippet.py"
    snippet.write_text(SNIPPET, encoding="utf-8")
    settings = {
        "typeCheckingMode": "standard", "extraPaths": [str(ROOT / "src")],
        "reportMissingModuleSource": False, "include": [str(snippet)],
    }  # fmt: skip
    config = tmp_path / "pyrightconfig.json"
    config.write_text(json.dumps(settings), encoding="utf-8")
    checked = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--outputjson", "--project", str(config),
         "--pythonpath", sys.executable],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    told = json.loads(checked.stdout)["generalDiagnostics"]
    errors = {
        (one["range"]["start"]["line"] + 1, one["rule"])
        for one in told
        if one["severity"] == "error"
    }
    lines = enumerate(SNIPPET.splitlines(), 1)
    wanted = {(number, line.partition("  # ")[2]) for number, line in lines if "  # " in line}
    assert errors == {(number, RULES[code]) for number, code in wanted}, checked.stdout


COMPLETED = (
    ("dicodec.op", {"open_image"}),
    ("dicodec.conv", {"convert", "convert_async", "convert_bytes", "convert_dataset",
                      "convert_many"}),
    ("dicodec.open_image('a').read", {"read_frame", "read_frames"}),
    ("dicodec.open_image('a').description.bits", {"bits_allocated", "bits_stored"}),
    ("dicodec.open_image('a').transfer_syntax.na", {"name", "native"}),
    ("dicodec.open_image('a', trust", {"trust_table="}),
    ("dicodec.inspect('a').odd", {"oddities"}),
    ("dicodec.convert('a', 'b', to='rle').targ", {"target_size", "target_syntax"}),
    ("next(dicodec.convert_many('a', 'b', to='rle')).st", {"state"}),
)  # fmt: skip


@pytest.mark.parametrize(("code", "names"), COMPLETED)
def test_jedi_completes_names(code: str, names: set[str]) -> None:
    import jedi

    project = jedi.Project(ROOT, added_sys_path=[str(ROOT / "src")], smart_sys_path=False)
    script = jedi.Script(f"import dicodec\n{code}", project=project)

    found = {one.name_with_symbols for one in script.complete()}

    assert names <= found, found


def test_jedi_shows_what_a_call_takes() -> None:
    import jedi

    script = jedi.Script("import dicodec\ndicodec.convert(", path=ROOT / "snippet.py")
    (signature,) = script.get_signatures()
    assert [one.name for one in signature.params][:3] == ["source", "target", "to"]
    assert "Args:" in signature.docstring()


def test_a_target_is_a_name_or_a_transfer_syntax_or_several() -> None:
    rle = find_by_name("rle")
    assert isinstance(rle, TransferSyntax)
    expected = convert_bytes(CONTENT, to="rle")
    for to in (rle, [rle], ("rle", rle), "rle,jpeg-ls", ["rle , jpeg-ls"]):
        assert convert_bytes(CONTENT, to=to) == expected
    with pytest.raises(InvalidOptionError, match="no target transfer syntax"):
        convert_bytes(CONTENT, to=[])
    with pytest.raises(InvalidOptionError, match=r"`to` is .*; it has to be a list of texts"):
        convert_bytes(CONTENT, to=3)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedTargetError, match="morse"):
        convert_bytes(CONTENT, to=[rle, "morse"])


def test_attributes_are_set_by_a_mapping_or_pairs_in_every_call(tmp_path: Path) -> None:
    expected = convert_bytes(CONTENT, to="rle", set_attributes=(("PatientID", "A"),))
    assert expected != convert_bytes(CONTENT, to="rle")
    mapping = {"PatientID": "A"}
    assert convert_bytes(CONTENT, to="rle", set_attributes=mapping) == expected
    out = io.BytesIO()
    asyncio.run(convert_async(CONTENT, out, to="rle", set_attributes=mapping))
    assert out.getvalue() == expected
    convert(CONTENT, tmp_path / "out.dcm", to="rle", set_attributes=mapping)
    assert (tmp_path / "out.dcm").read_bytes() == expected
    dataset = pydicom.dcmread(io.BytesIO(CONTENT))
    assert convert_dataset(dataset, to="rle", set_attributes=mapping).PatientID == "A"
