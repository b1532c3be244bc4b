"""Waiting for a node, on a clock of our own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from chiops.cloud.base import Node
from chiops.errors import Timeout
from chiops.remote import ready
from chiops.remote.connection import ConnectionFailed, Fault


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(ready, "time", made)
    monkeypatch.setattr(ready, "_knock", lambda _node, _timeout: None)
    return made


def logins(*faults: Fault | None) -> Callable[[float], Fault | None]:
    """A login that meets ``faults`` one after the other, the last for ever."""

    def feed() -> Iterator[Fault | None]:
        yield from faults
        while True:
            yield faults[-1]

    source = feed()
    return lambda _timeout: next(source)


def test_a_node_that_boots_is_waited_for(node: Node, clock: Clock) -> None:
    ready.wait_ready(node, logins(Fault.REFUSED, Fault.DROPPED, Fault.BOOTING, Fault.KEY_REJECTED, None), 60)
    assert len(clock.pauses) == 4
    assert clock.pauses[0] == pytest.approx(0.1)
    assert clock.pauses == sorted(clock.pauses)


def test_pauses_grow_no_longer_than_two_seconds(node: Node, clock: Clock) -> None:
    with pytest.raises(ConnectionFailed):
        ready.wait_ready(node, logins(Fault.TIMEOUT), 120)
    assert max(clock.pauses) == 2.0
    assert clock.now <= 1120


def test_the_last_reason_is_told(node: Node, clock: Clock) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        ready.wait_ready(node, logins(Fault.REFUSED, Fault.TIMEOUT), 5)
    assert caught.value.fault is Fault.TIMEOUT


def test_a_pause_that_is_interrupted_ends_the_wait(node: Node, clock: Clock) -> None:
    def pause(_: float) -> None:
        raise Timeout("the wait was interrupted")

    with pytest.raises(Timeout):
        ready.wait_ready(node, logins(Fault.REFUSED), 600, pause)
    assert clock.pauses == []


@pytest.mark.parametrize("fault", [Fault.HOST_KEY_CHANGED, Fault.KEY_UNUSABLE, Fault.UNKNOWN_HOST])
def test_what_waiting_cannot_mend_is_told_at_once(node: Node, clock: Clock, fault: Fault) -> None:
    with pytest.raises(ConnectionFailed):
        ready.wait_ready(node, logins(fault), 600)
    assert clock.pauses == []


def test_a_refused_key_is_the_wrong_key_after_a_while(node: Node, clock: Clock) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        ready.wait_ready(node, logins(Fault.REFUSED, Fault.KEY_REJECTED), 3600)
    assert caught.value.fault is Fault.KEY_REJECTED
    assert 85 < clock.now - 1000 < 100
