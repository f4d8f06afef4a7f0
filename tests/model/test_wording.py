"""Errors name options in the words of the entrance that they come through."""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.filesize import decimal

import dicodec
from dicodec import convert
from dicodec.batch.policy.policy import load_policy
from dicodec.cli.main import run
from dicodec.errors import DicodecError, InvalidOptionError, RequestError, TargetExistsError
from dicodec.model.option_table import OPTIONS, REQUEST, Choice, Flag
from dicodec.model.wording import as_field, as_key, as_switch, format_size, reword_text
from dicodec.service.jobs.messages import Request
from helpers.made import IMAGE_KINDS

CONTENT = IMAGE_KINDS["gray-8"].make()[0]
SOURCE_FILES = sorted(Path(dicodec.__path__[0]).rglob("*.py"))


@pytest.mark.parametrize(
    ("text", "switch", "field", "key"),
    [
        ("`overwrite=True`", "--overwrite", '"overwrite": true', "--overwrite"),
        ("`lossy=True`", "--lossy", '"lossy": true', "lossy = true"),
        ('`salvage="fill"`', "--salvage fill", '"salvage": "fill"', 'salvage = "fill"'),
        ('`verify="independent"`', "--verify=independent", '"verify": "independent"',
         'verify = "independent"'),
        ('`set_attributes={"PatientID": "X"}`', "--set PatientID=X",
         '"set_attributes": {"PatientID": "X"}', 'set = {"PatientID": "X"}'),
        ('`remove_attributes=["(0088,0200)"]`', "--remove (0088,0200)",
         '"remove_attributes": ["(0088,0200)"]', 'remove = ["(0088,0200)"]'),
        ("`limits=Limits(frames=NUMBER)`", "--limit frames=NUMBER", "limits",
         "--limit frames=NUMBER"),
        ("`quality` is 0", "--quality is 0", "quality is 0", "quality is 0"),
        ("`to`", "--to", "to", "to"),
        ("`backup`", "--backup", "backup", "--backup"),
        ("`dicodec policy list`, a `b", *["`dicodec policy list`, a `b"] * 3),
    ],
)  # fmt: skip
def test_each_entrance_has_its_words(text: str, switch: str, field: str, key: str) -> None:
    assert reword_text(text, as_switch) == switch
    assert reword_text(text, as_field) == field
    assert reword_text(text, as_key) == key


def test_a_call_speaks_of_parameters_and_the_command_of_switches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "a.dcm", tmp_path / "b.dcm"
    source.write_bytes(CONTENT)
    target.write_bytes(b"there")
    with pytest.raises(TargetExistsError) as raised:
        convert(source, target, to="rle")
    assert raised.value.hint == "`overwrite=True` replaces it"

    command = ["convert", str(source), "--to", "rle", "-o", str(target)]
    for more in ([], ["--jobs", "1"]):  # in this process; in a batch
        assert run([*command, *more]) == 1
        assert "the target exists; --overwrite replaces it" in capsys.readouterr().err
        assert run([*command, *more, "--json"]) == 1
        printed = capsys.readouterr().out.splitlines()[0]
        assert json.loads(printed)["error"]["hint"].startswith("--overwrite replaces it")


def test_a_request_and_a_rule_have_words_of_their_own(tmp_path: Path) -> None:
    least = {"id": "1", "source": "/a.dcm", "target": "/b.dcm", "to": "rle"}
    both = {"engine": "gdcm", "salvage": "fill"}
    with pytest.raises(RequestError) as refused:
        Request.from_fields({**least, "options": both})
    assert refused.value.hint == 'leave out "engine": "gdcm" and "verify": "independent"'

    rule = tmp_path / "policy.toml"
    rule.write_text('[[rule]]\nto = "rle"\nengine = "gdcm"\nsalvage = "fill"\n')
    with pytest.raises(InvalidOptionError) as wrong:
        load_policy(str(rule))
    assert wrong.value.hint == 'leave out engine = "gdcm" and verify = "independent"'


def texts_of(path: Path) -> list[str]:
    """Return the texts of a module but its docstrings; what is put into them is `VALUE`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    alone = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
    inside = {
        id(part) for one in ast.walk(tree) if isinstance(one, ast.JoinedStr) for part in one.values
    }
    found = []
    for one in ast.walk(tree):
        if id(one) in alone | inside:
            continue
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            found.append(one.value)
        elif isinstance(one, ast.JoinedStr):
            found.append(
                "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "VALUE"
                    for part in one.values
                )
            )
    return found


SWITCHES = re.compile(
    rf"(?<![\w-])({'|'.join(option.switch for option in OPTIONS.values())})(?![\w-])"
)
OF_THE_COMMAND = ("cli", "model/option_table.py", "repair/catalogue.py")
"""Where switches are the subject: the command; the pages in docs that are made from tables."""


def test_no_error_speaks_of_switches_of_its_own_accord() -> None:
    root = Path(dicodec.__path__[0])
    for path in SOURCE_FILES:
        if str(path.relative_to(root)).startswith(OF_THE_COMMAND):
            continue
        assert [text for text in texts_of(path) if SWITCHES.search(text)] == [], path


def test_what_errors_name_is_an_option_with_a_value_that_it_takes() -> None:
    named = [
        match
        for path in SOURCE_FILES
        for text in texts_of(path)
        for match in re.findall(r"`(\w+)=([^`]*)`", text)
    ]
    assert len(named) > 10
    for name, value in named:
        option = OPTIONS[name]
        if isinstance(option.kind, Flag | Choice) and "VALUE" not in value:
            assert option.kind.fits(ast.literal_eval(value)), (name, value)
        # Requests cannot have these, and no error that they may meet names them.
        assert REQUEST in option.taken_by or name in {"limits", "durability"}


def test_an_error_is_worded_once() -> None:
    error: DicodecError = InvalidOptionError("`ratio` is 0", hint="`lossy=True`")
    for _ in range(2):
        error.reword(lambda text: reword_text(text, as_switch))
        assert str(error) == "--ratio is 0; --lossy"
    with pytest.raises(InvalidOptionError) as raised:
        convert(CONTENT, io.BytesIO(), to="rle", qualty=3)  # type: ignore[call-arg]
    assert raised.value.hint == "did you mean `quality`?"


@given(st.integers(0, 10**18 - 1) | st.integers(0, 2000))
def test_sizes_are_as_rich_shows_them(size: int) -> None:
    assert format_size(size) == decimal(size)


def test_the_end_of_a_batch_loads_nothing_of_rich(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.dcm").write_bytes(CONTENT)
    batch = (
        f"run(['convert', {str(tmp_path / 'in')!r}, '--to', 'rle', '-o', {str(tmp_path / 'o')!r}])"
    )
    code = f"import sys; from dicodec.cli.main import run; {batch}; print(*sys.modules)"

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "bytes before" in ended.stderr or "kB before" in ended.stderr
    assert not {"rich", "typing"} & {*ended.stdout.split()}
