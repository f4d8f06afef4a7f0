"""Options from the environment and from a file: all of them, and which goes before which."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec.cli.arguments import make_parser, parse_arguments
from dicodec.cli.main import run
from dicodec.cli.option_sources import OF_ONE_COMMAND, SECRETS
from dicodec.cli.subcommands import SUBCOMMANDS
from dicodec.cli.wrong_usage import WrongUsage

CT = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"
REQUIRED = {
    "convert": ["a.dcm", "--to", "rle"], "compare": ["a", "b"], "inspect": ["a"], "syntaxes": [],
    "doctor": [], "conformance": [], "show": ["a.dcm", "-o", "a.png"],
    "jobs": ["ledger"], "restore": ["ledger"], "audit": ["manifest", "folder"], "policy": ["list"],
    "serve": [], "watch": ["in", "-o", "out"], "worker": [],
    "submit": ["in", "-o", "out"], "gateway": ["run", "gateway.toml"],
}  # fmt: skip
OPTIONS = [
    (command, action)
    for command in SUBCOMMANDS
    for action in make_parser(command).options
    if action.dest not in {"help", "config"}
    and not any("=" in one for one in action.option_strings)
]


def name_of(action: argparse.Action) -> str:
    return next(text for text in action.option_strings if text[:2] == "--").removeprefix("--")


def value_of(action: argparse.Action) -> str:
    """Return a text that the option takes and that is not its default."""
    if action.nargs == 0:
        return "true"
    if action.choices:
        return str(next(one for one in action.choices if one != action.default))
    return " ".join("7" * (action.nargs if isinstance(action.nargs, int) else 1))


def toml(action: argparse.Action) -> str:
    value = value_of(action)
    if " " in value:
        return f"[{', '.join(value.split())}]"
    is_text = action.type is None and value != "true"
    return f'"{value}"' if is_text else value


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("DICODEC_"):
            monkeypatch.delenv(name)


def needs(command: str, action: argparse.Action) -> list[str]:
    """Return the arguments that the command needs beside an option."""
    replaced = {"policy": "--to", "to": "--to", "output": "-o"}.get(action.dest, "")
    needed = REQUIRED[command]
    if replaced not in needed:
        return needed
    start = needed.index(replaced)
    return [*needed[:start], *needed[start + 2 :]]


@pytest.mark.parametrize(
    ("command", "action"), OPTIONS, ids=lambda one: one if isinstance(one, str) else one.dest
)
def test_every_option_comes_from_all_sources(
    command: str, action: argparse.Action, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name, dest, value = name_of(action), action.dest, value_of(action)
    needed = needs(command, action)
    given = [f"--{name}"] if action.nargs == 0 else [f"--{name}={value}"]
    if " " in value:
        given = [f"--{name}", *value.split()]
    wanted = getattr(parse_arguments([command, *needed, *given]), dest)
    assert wanted != action.default
    config = tmp_path / "options.toml"

    config.write_text(f"[{command}]\n{name} = {toml(action)}\n")
    found = parse_arguments([command, *needed, "--config", str(config)])
    assert getattr(found, dest) == wanted
    assert dest in found.preset
    if name not in OF_ONE_COMMAND:
        config.write_text(f"{name} = {toml(action)}\n")
        assert getattr(parse_arguments([command, *needed, f"--config={config}"]), dest) == wanted

    variable = name.upper().replace("-", "_")
    special = f"DICODEC_{command.upper()}_{variable}"
    with monkeypatch.context() as patched:
        patched.setenv(special, value)
        assert getattr(parse_arguments([command, *needed]), dest) == wanted
    with monkeypatch.context() as patched:
        patched.setenv(f"DICODEC_{variable}", value)
        if name in OF_ONE_COMMAND:
            with pytest.raises(WrongUsage, match=special):
                parse_arguments([command, *needed])
        else:
            assert getattr(parse_arguments([command, *needed]), dest) == wanted


def test_an_option_of_several_commands_means_the_same_or_is_of_one_command() -> None:
    kinds: dict[str, set[object]] = {}
    for _, action in OPTIONS:
        kinds.setdefault(name_of(action), set()).add((type(action), action.type))
    assert {name for name, kind in kinds.items() if len(kind) > 1} <= OF_ONE_COMMAND
    assert kinds.keys() >= OF_ONE_COMMAND | SECRETS


def test_no_variable_stands_for_two_options() -> None:
    general = {f"DICODEC_{name_of(action)}" for _, action in OPTIONS}
    special = {f"DICODEC_{command}_{name_of(action)}" for command, action in OPTIONS}
    files = {f"{name}_file" for name in (*general, *special) if name.rpartition("_")[2] in SECRETS}
    taken = [
        {one.upper().replace("-", "_") for one in names} for names in (general, special, files)
    ]
    assert sum(map(len, taken)) == len(set().union(*taken))


def test_options_of_several_values_have_a_list_by_default() -> None:
    for _, action in OPTIONS:
        assert (type(action).__name__ == "_AppendAction") == isinstance(action.default, list)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "options.toml"
    path.write_text(
        'jobs = 1\nlease = 1\nroot = ["/top"]\n[worker]\nlease = 2\nattempts = 2\ndrain = 2\n'
        'root = ["/a", "/b"]\nshow-paths = true\n'
    )
    return path
    return path


def test_the_nearer_source_counts(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICODEC_CONFIG", str(config))
    monkeypatch.setenv("DICODEC_ATTEMPTS", "3")
    monkeypatch.setenv("DICODEC_DRAIN", "3")
    monkeypatch.setenv("DICODEC_WORKER_DRAIN", "4")
    monkeypatch.setenv("DICODEC_SHOW_PATHS", "off")
    monkeypatch.setenv("DICODEC_MEMORY", "")
    found = parse_arguments(["worker", "--timeout", "5", "--drain", "5"])

    assert (found.jobs, found.lease, found.attempts, found.drain) == (1, 2, 3, 5)
    assert found.root == ["/a", "/b"]
    assert not found.show_paths
    assert found.memory is None
    assert found.preset == {"jobs", "lease", "attempts", "root", "show_paths"}
    assert parse_arguments(["worker", "--root", "/own"]).root == ["/own"]
    monkeypatch.setenv("DICODEC_ROOT", '["/x", "/y"]')
    assert parse_arguments(["worker"]).root == ["/x", "/y"]


def test_an_option_silences_those_of_farther_sources_that_it_excludes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "options.toml"
    config.write_text('[convert]\nto = "rle"\nin-place = false\n')
    found = parse_arguments(["convert", "a", "--policy", "web", "-o", "b", "--config", str(config)])
    assert (found.to, found.policy, found.output) == (None, "web", "b")
    monkeypatch.setenv("DICODEC_CONVERT_POLICY", "web")
    found = parse_arguments(["convert", "a", "--config", str(config)])
    assert (found.to, found.policy) == (None, "web")
    assert parse_arguments(["convert", "a", "--to", "jpegxl"]).policy is None
    monkeypatch.setenv("DICODEC_TO", "rle")
    with pytest.raises(WrongUsage, match="not allowed with"):
        parse_arguments(["convert", "a"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("jbos = 3", "there is no option 'jbos'; did you mean jobs?"),
        ("upload-limits = 3", "there is no option 'upload-limits'; did you mean upload-limit?"),
        ("[worker]\nretry_after = 3", r"\[worker\]: .*'retry_after'; did you mean retry-after?"),
        ("[worker]\nhost = 'x'", "there is no option 'host'"),
        ("[worker]\nconfig = 'x'", "there is no option 'config'"),
        ("[wroker]\njobs = 3", "there is no command 'wroker'; did you mean worker?"),
        ("queue = 'x'", "it belongs into a table"),
        ("jobs = 'x'", "jobs: argument --jobs: 'x' is not a whole number from 1 to 100000"),
        ("jobs = 1.5", "jobs: argument --jobs: '1.5' is not a whole number"),
        ("jobs = true", "jobs: true is not a value of --jobs"),
        ("jobs = [1]", "is not a value of --jobs"),
        ("root = [[1]]", "is not a value of --root"),
        ("show-paths = 'x'", "show-paths: it is true, false, not 'x'"),
        ("memory = 'x'", "is not a size"),
        ("[worker]\nevents = 'x'", "invalid choice: 'x'"),
        ("jobs = ", "it cannot be read: Invalid value"),
        ("broker-file = '/no/such'", "broker-file: /no/such cannot be read"),
        ("broker-file = 'x'\nbroker = 'y'", "broker is there too"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_named_with_its_option(text: str, said: str, tmp_path: Path) -> None:
    config = tmp_path / "options.toml"
    config.write_text(text)
    with pytest.raises(WrongUsage, match=said) as raised:
        parse_arguments(["worker", "--config", str(config)])
    assert str(config) in raised.value.message


def test_options_of_other_commands_are_no_error(tmp_path: Path) -> None:
    config = tmp_path / "options.toml"
    config.write_text("upload-limit = '3G'\njobs = 3\n[serve]\nport = 0\n")
    assert parse_arguments(["worker", "--config", str(config)]).jobs == 3


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        (
            "DICODEC_JOBS",
            "x",
            "DICODEC_JOBS: argument --jobs: 'x' is not a whole number from 1 to 100000",
        ),
        ("DICODEC_WORKER_SHOW_PATHS", "maybe", "DICODEC_WORKER_SHOW_PATHS: it is true, false"),
        ("DICODEC_ROOT", '["a"', "DICODEC_ROOT: a list is an array of JSON"),
        ("DICODEC_BROKER_FILE", "/no/such", "DICODEC_BROKER_FILE: /no/such cannot be read"),
        ("DICODEC_CONFIG", "/no/such", "/no/such: it cannot be read"),
        ("DICODEC_CONFIG", "/dev/null/x", "/dev/null/x: it cannot be read"),
    ],
)
def test_a_wrong_variable_is_named(
    variable: str, text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(WrongUsage, match=said):
        parse_arguments(["worker"])


def test_secrets_come_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret, other = tmp_path / "secret", tmp_path / "other"
    secret.write_text("redis://:pass@host\n")
    other.write_text("two\nlines")
    monkeypatch.setenv("DICODEC_BROKER_FILE", str(secret))
    assert parse_arguments(["worker"]).broker == "redis://:pass@host"
    assert parse_arguments(["worker", "--broker", "nats://x"]).broker == "nats://x"
    monkeypatch.setenv("DICODEC_WORKER_BROKER", "nats://y")
    assert parse_arguments(["worker"]).broker == "nats://y"
    monkeypatch.setenv("DICODEC_BROKER", "nats://y")
    with pytest.raises(WrongUsage, match="DICODEC_BROKER_FILE is set too"):
        parse_arguments(["jobs", "retry"])
    monkeypatch.setenv("DICODEC_STORE_FILE", str(other))
    with pytest.raises(WrongUsage, match="one line"):
        parse_arguments(["worker"])
    config = tmp_path / "options.toml"
    config.write_text(f"[watch]\nqueue-file = {str(secret)!r}\n")
    found = parse_arguments(["watch", "in", "-o", "out", "--config", str(config)])
    assert found.queue == "redis://:pass@host"


def test_what_kubernetes_sets_for_a_service_is_no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICODEC_PORT", "tcp://10.0.0.1:8765")
    monkeypatch.setenv("DICODEC_SERVICE_HOST", "10.0.0.1")
    assert parse_arguments(["serve"]).port == 8765
    monkeypatch.setenv("DICODEC_SERVE_PORT", "9")
    assert parse_arguments(["serve"]).port == 9


def test_a_broker_in_the_environment_keeps_no_ledger_from_being_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("DICODEC_BROKER", "redis://127.0.0.1:1")
    assert run(["jobs", str(tmp_path / "none")]) == 2
    assert "there is no ledger" in capsys.readouterr().err
    assert run(["jobs", str(tmp_path / "none"), "--broker", "redis://127.0.0.1:1"]) == 2
    assert "--broker has no meaning" in capsys.readouterr().err


def test_the_command_takes_options_from_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, out = tmp_path / "options.toml", tmp_path / "out.dcm"
    config.write_text('to = "rle"\nset = { PatientID = "A", PatientName = "B" }\nquiet = true\n')
    monkeypatch.setenv("DICODEC_SET", '["PatientID=C"]')
    monkeypatch.setenv("DICODEC_VERIFY", "independent")
    assert run(["convert", str(CT), "-o", str(out), "--conf", str(config), "--no-verify"]) == 0
    made = pydicom.dcmread(out)
    assert made.PatientID == "C"
    assert made.PatientName == "CompressedSamples^CT1"
    assert made.file_meta.TransferSyntaxUID == pydicom.uid.RLELossless


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.sampled_from(["jobs", "lease", "root", "set", "x", "worker"]),
                       st.recursive(st.booleans() | st.integers() | st.text(max_size=5)
                                    | st.datetimes(), st.lists)))  # fmt: skip
def test_whatever_a_file_holds_it_is_read_or_wrong_usage(tables: dict[str, object]) -> None:
    from dicodec.cli.option_sources import _Sources

    sources = _Sources("worker", make_parser, {})
    for name, value in tables.items():
        for table in ({name: value}, {name: [value]}, {name: {"a": value}}):
            with suppress(WrongUsage):
                sources._read_table("file", table, in_table=True)


def test_nothing_is_loaded_for_a_command_without_such_options(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom dicodec.cli.main import run\nassert run(sys.argv[1:]) == 0\n"
        "print(sorted({'dicodec.cli.option_sources', 'tomllib', 'difflib'} & sys.modules.keys()))"
    )
    config = tmp_path / "options.toml"
    config.write_text("jobs = 1\n")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("DICODEC_")
    }

    def loaded(*arguments: str, **more: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", script, "convert", str(CT), "--to", "implicit-le", "-q",
             "--dry-run", *arguments],
            env=environment | more, check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip

    assert loaded() == "[]"
    assert loaded(DICODEC_OVERWRITE="1") == "['dicodec.cli.option_sources']"
    assert loaded("--config", str(config)) == "['dicodec.cli.option_sources', 'tomllib']"
