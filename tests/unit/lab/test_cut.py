"""Stopped dead before or after any request: the same command again comes right, without a duplicate and with nothing left."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from chiops.errors import ChiopsError, Conflict, Interrupted
from chiops.lab import release
from chiops.lab.journal import Journal
from chiops.resources import waiting
from tests.support.memory import Memory, nothing
from tests.unit.lab.labs import ALL, bring_up, take_down, write


class Killed(BaseException):
    """The process ends here."""


def cut(run: Callable[[], object], memory: Memory, number: int, after: bool, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Run until the so-manyth request, which and all after it come to nothing; whether it came so far."""
    left, cut_ = [number], [False]

    def count(request: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            cut_[0] = True
            raise Killed(request)

    memory.hook, memory.after = (nothing, count) if after else (count, nothing)
    try:
        run()
    except (Killed, ChiopsError):
        assert cut_[0]
    memory.hook = memory.after = nothing
    monkeypatch.setattr(waiting, "cancel", threading.Event())
    return cut_[0]


def everything_down() -> None:
    if Journal().labs():
        take_down(volume=True, bucket=True)


@pytest.fixture
def path(memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(release, "_answering", lambda _: [])
    return write(tmp_path)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_up_again_completes_without_a_duplicate(
    after: bool, path: str, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = itertools.count()
    while cut(lambda: bring_up(path), memory, number := next(numbers), after, monkeypatch):
        bring_up(path)
        assert memory.count() == ALL, number
        assert bring_up(path).changed == 0
        everything_down()
        assert memory.count() == {}, number
    assert number >= 20


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_down_after_a_cut_up_leaves_nothing(
    after: bool, path: str, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = itertools.count(11)  # what is before are the lists
    while cut(lambda: bring_up(path), memory, number := next(numbers), after, monkeypatch):
        everything_down()
        assert memory.count() == {}, number
    assert number >= 20


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_cut_down_goes_on_where_it_was(
    after: bool, path: str, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring_up(path)
    numbers = itertools.count()
    while cut(everything_down, memory, number := next(numbers), after, monkeypatch):
        everything_down()
        assert memory.count() == {}, number
        bring_up(path)
    assert number >= 20


def test_ctrl_c_lets_the_request_end_and_names_the_command_that_goes_on(
    path: str, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(request: str) -> None:
        if request == "compute.create":
            raise KeyboardInterrupt

    memory.after = press
    with pytest.raises(Interrupted, match=f"`chiops up {path}` goes on, `chiops down lab` takes it back"):
        bring_up(path)
    assert len(memory.of("server")) >= 1  # made, marked, and found again
    assert waiting.cancel.is_set()
    memory.after = nothing
    monkeypatch.setattr(waiting, "cancel", threading.Event())
    bring_up(path)
    assert memory.count() == ALL


def test_a_second_command_meanwhile_is_told_who_works(path: str, memory: Memory) -> None:
    told: list[str] = []

    def meanwhile(request: str) -> None:
        if request == "compute.create" and not told:
            with pytest.raises(Conflict) as caught:
                bring_up(path)
            told.append(caught.value.what)

    memory.hook = meanwhile
    bring_up(path)
    assert f"`chiops up {path}` (process {os.getpid()} on " in told[0]
    assert memory.count() == ALL
