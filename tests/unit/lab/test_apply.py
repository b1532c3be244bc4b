"""Carrying out: order is kept, what is independent is not stopped by a failure, an interrupt comes through."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiops.errors import Quota, Timeout
from chiops.lab import apply
from chiops.lab.apply import PARALLEL, in_order, raise_first
from chiops.lab.wanted import Key
from chiops.resources import waiting


def key(name: str) -> Key:
    return Key("thing", name)


@given(st.data())
def test_each_runs_once_and_after_what_it_needs(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 8))
    needs = {
        key(str(i)): [key(str(j)) for j in data.draw(st.sets(st.integers(0, i - 1)) if i else st.just(set()))]
        for i in range(size)
    }
    order: list[Key] = []
    lock = threading.Lock()

    def run(one: Key) -> None:
        with lock:
            order.append(one)

    assert in_order({one: (lambda one=one: run(one)) for one in needs}, needs) == {}
    assert sorted(order) == sorted(needs)
    for one, before in needs.items():
        assert all(order.index(need) < order.index(one) for need in before)


def test_what_is_independent_runs_at_once() -> None:
    meet = threading.Barrier(3, timeout=10)
    assert in_order({key(name): lambda: meet.wait() and None for name in "abc"}, {}) == {}


def test_a_failure_stops_only_what_needs_it() -> None:
    ran: list[str] = []

    def fail() -> None:
        raise Quota("no more")

    work = {key("a"): fail, key("b"): lambda: ran.append("b"), key("c"): lambda: ran.append("c")}
    failed = in_order(work, {key("b"): [key("a")]})
    assert list(failed) == [key("a")]
    assert ran == ["c"]
    with pytest.raises(Quota):
        raise_first(failed)


def test_an_interrupt_ends_the_waits_and_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "cancel", threading.Event())

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        in_order({key("a"): interrupt}, {})
    assert waiting.cancel.is_set()


class Pressed:
    """Twenty pieces that can begin at once; Ctrl-C is pressed when as many run as may, and they end a while after their waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: list[Key] = []
        self.late: list[bool] = []
        self.returned = threading.Event()
        self._full = threading.Barrier(PARALLEL + 1, timeout=10)
        monkeypatch.setattr(waiting, "cancel", threading.Event())
        monkeypatch.setattr(apply, "wait", self._press)

    def run(self, *, again: bool = False) -> None:
        with pytest.raises(KeyboardInterrupt):
            in_order({one: (lambda one=one: self._piece(one, again)) for one in map(key, map(str, range(20)))}, {})
        self.returned.set()

    def _piece(self, one: Key, again: bool) -> None:
        self.begun.append(one)
        self._full.wait()
        assert waiting.cancel.wait(10)
        if again:
            os.kill(os.getpid(), signal.SIGINT)
        self.late.append(self.returned.wait(0.1))

    def _press(self, *_: object, **__: object) -> None:
        self._full.wait()
        raise KeyboardInterrupt


def test_an_interrupt_starts_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    pressed = Pressed(monkeypatch)
    pressed.run()
    assert len(pressed.begun) == PARALLEL
    assert pressed.late == [False] * PARALLEL


@pytest.fixture
def heard() -> Iterator[None]:
    """SIGINT as Python has it; what a shell has run in the background ignores it."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.signal(signal.SIGINT, former) is signal.default_int_handler


@pytest.mark.usefixtures("heard")
def test_pressed_again_it_still_waits_for_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    pressed = Pressed(monkeypatch)
    pressed.run(again=True)
    assert pressed.late == [False] * PARALLEL


def test_pressed_while_a_thread_starts_it_waits_for_that_too(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, returned, late = threading.Event(), threading.Event(), list[bool]()

    class Pool(ThreadPoolExecutor):
        def submit(self, *args: Any, **options: Any) -> Any:
            super().submit(*args, **options)
            assert begun.wait(10)
            self._threads.clear()  # it is noted once it has started
            raise KeyboardInterrupt

    def piece() -> None:
        begun.set()
        late.append(returned.wait(0.1))

    monkeypatch.setattr(waiting, "cancel", threading.Event())
    monkeypatch.setattr(apply, "ThreadPoolExecutor", Pool)
    with pytest.raises(KeyboardInterrupt):
        in_order({key("a"): piece}, {})
    returned.set()
    assert late == [False]


def test_what_its_thread_takes_up_after_an_interrupt_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "cancel", threading.Event())
    waiting.cancel.set()
    ran: list[str] = []
    failed = in_order({key("a"): lambda: ran.append("a")}, {})
    assert ran == []
    assert isinstance(failed[key("a")], Timeout)
