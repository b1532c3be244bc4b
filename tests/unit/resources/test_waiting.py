"""Waiting: adaptive, bounded, and honest about failures."""

from __future__ import annotations

import threading

import pytest

from chiops.cloud.base import Resource, State
from chiops.errors import CloudError, NotFound, ResourceFailed, Timeout, Transient
from chiops.resources import waiting


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_pauses_grow_from_a_quarter_second_to_five(clock: Clock) -> None:
    answers = iter([None] * 12 + ["there"])
    assert waiting.until(lambda: next(answers), what="x", timeout_s=600, sleep=clock.sleep, clock=clock) == "there"
    assert clock.pauses[0] == 0.25
    assert clock.pauses == sorted(clock.pauses)
    assert max(clock.pauses) == 5.0


def test_the_deadline_is_kept(clock: Clock) -> None:
    with pytest.raises(Timeout, match="within 10 s"):
        waiting.until(lambda: None, what="x", timeout_s=10, sleep=clock.sleep, clock=clock)
    assert clock.now == pytest.approx(10)


@pytest.mark.parametrize("failure", [Transient("busy"), Timeout("no answer")])
def test_a_passing_failure_is_a_reason_to_look_again(clock: Clock, failure: CloudError) -> None:
    answers = iter([failure, failure, "there"])

    def look() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert waiting.until(look, what="x", timeout_s=10, sleep=clock.sleep, clock=clock) == "there"


def test_an_interruption_is_none(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    def look() -> None:
        waiting.cancel.set()
        raise Timeout("the wait was interrupted")

    monkeypatch.setattr(waiting, "cancel", threading.Event())
    with pytest.raises(Timeout, match="interrupted"):
        waiting.until(look, what="x", timeout_s=10, sleep=clock.sleep, clock=clock)


def test_any_other_failure_ends_the_wait(clock: Clock) -> None:
    def look() -> None:
        raise NotFound("gone")

    with pytest.raises(NotFound):
        waiting.until(look, what="x", timeout_s=10, sleep=clock.sleep, clock=clock)
    assert clock.pauses == []


def test_a_failed_resource_is_told_with_its_fault() -> None:
    broken = Resource(id="1", name="n", status="ERROR", state=State.FAILED, fault="No valid host was found")
    with pytest.raises(ResourceFailed, match="No valid host was found"):
        waiting.until_ready(lambda _: broken, broken, noun="server", timeout_s=1)


def test_an_interrupt_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting.cancel.set()
    try:
        with pytest.raises(Timeout, match="interrupted"):
            waiting.until(lambda: None, what="x", timeout_s=60)
    finally:
        waiting.cancel.clear()
