"""Tests that lack a program: skipped and counted, or failing if none may be left out."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from helpers import installed


def test_what_is_missing_is_counted_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(installed.MUST_RUN, raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    reasons = ["Skipped: for another reason"]
    for name in ("dcmconv", "dcmdump", "no-such-server"):
        monkeypatch.setattr(installed, "find_program", lambda _: None)
        with pytest.raises(pytest.skip.Exception) as raised:
            installed.program(name)
        reasons.append(f"Skipped: {raised.value}")

    line = installed.summary_of(reasons)

    assert line == "skipped tests: 3; this machine lacks: dcmtk (2), no-such-server (1)"
    assert installed.summary_of(reasons[:1]) == ""


def test_where_all_have_to_run_what_is_missing_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(installed.MUST_RUN, "1")
    with pytest.raises(pytest.fail.Exception, match="no-such-server"):
        installed.program("no-such-server")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_programs_that_tests_start_can_be_interrupted(number: signal.Signals) -> None:
    told = f"import signal; print(signal.getsignal({int(number)}) is signal.SIG_IGN)"
    run = subprocess.run([sys.executable, "-c", told], capture_output=True, check=True, text=True)
    assert run.stdout.strip() == "False"


def test_a_tenth_depends_on_the_seed_alone(pytestconfig: pytest.Config) -> None:
    def collected(*options: str) -> list[str]:
        command = [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider"]
        run = subprocess.run(
            [*command, *options, "tests/part10/test_native_frames.py"],
            cwd=pytestconfig.rootpath, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return [line for line in run.stdout.splitlines() if "::" in line]

    every, tenth, other = collected(), collected("--tenth", "1"), collected("--tenth", "2")

    assert tenth == collected("--tenth", "1")
    assert tenth != other
    assert set(tenth) | set(other) < set(every)
    assert 0.05 < len(tenth) / len(every) < 0.2
