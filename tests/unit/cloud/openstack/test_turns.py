"""A failure is shared by those who waited for it, and by nobody else."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

import pytest

from chiops.cloud.openstack.turns import Turns


class CountedLock:
    """A lock that tells how many have come to it."""

    def __init__(self) -> None:
        self._lock, self.come = threading.Lock(), threading.Semaphore(0)

    def __enter__(self) -> None:
        self.come.release()
        self._lock.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._lock.release()


def test_who_waited_for_a_failure_has_it_and_who_comes_later_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    turns, lock, go = Turns(), CountedLock(), threading.Event()
    monkeypatch.setattr(turns, "_lock", lock)
    tried: list[str] = []

    def fail(who: str) -> None:
        with turns.turn():
            tried.append(who)
            assert go.wait(10)
            raise ValueError(who)

    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(fail, f"{number}") for number in range(3)]
        for _ in calls:
            assert lock.come.acquire(timeout=10)
        go.set()
        failures = {str(call.exception()) for call in calls}
    assert failures == set(tried)
    assert len(tried) == 1
    with turns.turn():
        tried.append("later")
    assert tried[1:] == ["later"]
