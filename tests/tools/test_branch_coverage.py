"""The floors of branch coverage: what is below one, and what was not measured, is named."""

from __future__ import annotations

import runpy

from helpers.corpus import ROOT

TOOL = runpy.run_path(str(ROOT / "tools" / "branch_coverage.py"))


def test_rooms_below_their_floor_are_named() -> None:
    floors, branches = TOOL["FLOORS"], TOOL["Branches"]
    enough = {room: branches(floor, 100) for room, floor in floors.items()}

    assert TOOL["too_few"](enough) == []
    for room, floor in floors.items():
        assert TOOL["too_few"]({**enough, room: branches(floor - 1, 100)}) == [room]
        assert TOOL["too_few"]({**enough, room: branches(0, 0)}) == [room]


def test_rooms_and_tests_exist() -> None:
    for room in TOOL["FLOORS"]:
        assert (ROOT / TOOL["SOURCE"] / room).exists()
    for test in TOOL["TESTS"]:
        assert (ROOT / test).exists()
