"""Ctrl-C, the signal itself, during `up` and `down`: each ends soon, in one sentence that names the command that goes on.

At points all along the way, and where it hurts: in a wait that would take half an hour, and pressed again and again. After each,
`up` completes the lab without a duplicate, and `down` leaves nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.cli import Done
from tests.support.fast_lab import NAME, assert_down, assert_up
from tests.support.held import Held
from tests.support.runs import PURGE, UNKNOWN_LAB, UP, Runs

pytestmark = pytest.mark.timeout(900)

DOWN = (*PURGE, "-o", "json")
INTERRUPTED = 130
EVERY = 3
"""Of the points; tests/faults/test_cut_points.py has them all."""
SOON_S = 30.0
"""On a machine with much to do."""
SORRY = "Interrupted; what was made is noted and marked. "
TOLD = {
    UP: (
        f"{SORRY}`chiops up lab.yaml --site fast --no-configure` goes on.",  # until the lab is noted
        f"{SORRY}`chiops up {NAME} --no-configure` goes on, `chiops down {NAME}` takes it back.",
    ),
    DOWN: (f"{SORRY}`chiops down {NAME} --purge-bucket --purge-volume` goes on, `chiops up {NAME}` brings it back.",),
}


def assert_told(done: Done, argv: tuple[str, ...]) -> None:
    """One sentence, as the last, and nothing else that sounds like a failure."""
    assert done.code == INTERRUPTED, str(done)
    lines = done.err.splitlines()
    assert lines[-1] in TOLD[argv], str(done)
    assert not [line for line in lines if line.startswith("Error: ") or "Interrupted" in line][:-1], str(done)
    assert done.out == "", str(done)


def assert_over(folder: Path) -> None:
    """Nothing that was under way was left in the middle: each note in the journal has its end."""
    with closing(sqlite3.connect(folder / "state/chiops/chiops.db")) as db:
        assert db.execute("SELECT op, kind, name FROM operations WHERE ended IS NULL").fetchall() == []


def test_up_is_interrupted_all_along(runs: Runs, told: Callable[[str], None]) -> None:
    points = runs.points(runs.fresh, *UP)[::EVERY]

    def trial(folder: Path, point: str) -> None:
        assert_told(runs.run(folder, *UP, press=point, codes=(INTERRUPTED,)), UP)
        assert_over(folder)
        runs.comes_right(folder, DOWN)

    runs.at_each(points, runs.fresh, trial)
    told(f"up: interrupted at {len(points)} points; each followed by up, and by down")


def test_down_is_interrupted_all_along(runs: Runs, told: Callable[[str], None]) -> None:
    points = runs.points(runs.brought_up(), *DOWN)[::EVERY]

    def trial(folder: Path, point: str) -> None:
        assert_told(runs.run(folder, *DOWN, press=point, codes=(INTERRUPTED,)), DOWN)
        assert_over(folder)
        runs.run(folder, *DOWN, codes=(0, UNKNOWN_LAB))
        assert_down(folder)

    runs.at_each(points, runs.brought_up(), trial)
    told(f"down: interrupted at {len(points)} points; each followed by the same again")


@pytest.mark.parametrize("argv", [UP, DOWN], ids=["up", "down"])
def test_a_wait_without_end_is_ended(runs: Runs, argv: tuple[str, ...]) -> None:
    def trial(folder: Path, _: str) -> None:
        with Held(folder, "compute.get", *argv, stuck=True) as waits:  # for the server to boot, or to be gone
            waits.reached().press()
            assert_told(waits.end(SOON_S), argv)
        runs.run(folder, *argv)
        (assert_up if argv is UP else assert_down)(folder)

    runs.at_each([f"stuck-{argv[0]}"], runs.fresh if argv is UP else runs.brought_up(), trial)


@pytest.mark.parametrize(("argv", "request_"), [(UP, "compute.create"), (DOWN, "compute.delete")], ids=["up", "down"])
def test_pressed_again_it_keeps_the_lab_until_the_request_has_ended(
    runs: Runs, argv: tuple[str, ...], request_: str
) -> None:
    def trial(folder: Path, _: str) -> None:
        with Held(folder, request_, *argv) as held:
            held.reached()
            for _press in range(3):
                held.press()
                # Another command takes its time, so the signal has come, and finds the lab taken still.
                refused = runs.run(folder, *argv, codes=(1,))
                assert f"(process {held.pid} on " in refused.err, str(refused)
            assert_told(held.go().end(SOON_S), argv)
        assert_over(folder)
        runs.run(folder, *argv)
        (assert_up if argv is UP else assert_down)(folder)

    runs.at_each([f"again-{argv[0]}"], runs.fresh if argv is UP else runs.brought_up(), trial)
