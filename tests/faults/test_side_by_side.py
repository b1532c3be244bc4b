"""Two commands at once, each a process of its own: at one lab the second is told who has it; two labs mix nothing."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from chiops.cloud.base import Mark
from tests.support.fast_lab import LAB, MINE, NAME, assert_down, assert_up, assert_whole, labs, ours, rows
from tests.support.held import Held
from tests.support.runs import PURGE, UP, Runs

pytestmark = pytest.mark.timeout(900)

SECOND = Mark(NAME.replace("cut", "two"), MINE.owner)
UP_SECOND = tuple(word.replace("lab.yaml", "two.yaml") for word in UP)
PURGE_SECOND = tuple(word.replace(NAME, SECOND.lab) for word in PURGE)


def at_once(folder: Path, *commands: tuple[str, tuple[str, ...]]) -> None:
    """Run two commands, the one beginning a request while the other is at one, too; both must succeed."""
    (first_at, first), (second_at, second) = commands
    with Held(folder, first_at, *first) as one, Held(folder, second_at, *second) as other:
        for held in (one, other):
            held.reached()
        for held in (one, other):
            held.go()
        for held in (one, other):
            done = held.end()
            assert done.code == 0, str(done)


@pytest.mark.parametrize("argv", [UP, PURGE], ids=["up", "down"])
def test_the_second_at_one_lab_is_told_who_has_it(runs: Runs, argv: tuple[str, ...]) -> None:
    def trial(folder: Path, _: str) -> None:
        with Held(folder, "compute.create", *UP) as first:
            first.reached()
            refused = runs.run(folder, *argv, codes=(1,))
            who = f"`chiops up lab.yaml` (process {first.pid} on {socket.gethostname()}, since "
            (line,) = [line for line in refused.err.splitlines() if line.startswith("Error: ")]
            assert line.startswith(f"Error: {who}"), line
            assert line.endswith(f") works on the lab {NAME}. Wait for it to end, then run this again."), line
            done = first.go().end()
            assert done.code == 0, str(done)
        assert_up(folder)

    runs.at_each([f"one-{argv[0]}"], runs.fresh, trial)


def test_two_that_begin_at_once_double_nothing(runs: Runs) -> None:
    def trial(folder: Path, _: str) -> None:
        with Held(folder, "", *UP) as one, Held(folder, "", *UP) as other:
            # The later one finds it taken, or has come when all is done.
            codes = sorted((one.end().code, other.end().code))
        assert codes in ([0, 1], [0, 0])
        assert_up(folder)

    runs.at_each(["race"], runs.fresh, trial)


def test_two_labs_come_up_and_go_at_once(runs: Runs) -> None:
    folder = runs.root / "two"
    shutil.copytree(runs.fresh, folder)
    (folder / "two.yaml").write_text(LAB.replace("cut", "two"))
    at_once(folder, ("compute.create", UP), ("compute.create", UP_SECOND))
    for mark in (MINE, SECOND):
        assert_whole(folder, mark)
    assert not {row.id for row in ours(folder).values()} & {row.id for row in ours(folder, SECOND).values()}
    assert sorted(labs(folder)) == [(NAME, "up"), (SECOND.lab, "up")]
    at_once(folder, ("compute.delete", PURGE), ("compute.delete", PURGE_SECOND))
    assert_down(folder)
    assert not [row for row in rows(folder) if row.mark == SECOND]


def test_one_lab_goes_while_another_comes(runs: Runs) -> None:
    folder = runs.root / "goes"
    shutil.copytree(runs.brought_up(), folder)
    (folder / "two.yaml").write_text(LAB.replace("cut", "two"))
    at_once(folder, ("compute.delete", PURGE), ("compute.create", UP_SECOND))
    assert_whole(folder, SECOND)
    assert ours(folder) == {}
    assert labs(folder) == [(SECOND.lab, "up")]
