"""Ansible's events, as people see them."""

from __future__ import annotations

from typing import Any

import pytest

from chiops import progress
from chiops.remote.playbook_events import EventWatcher, HostStats, message, stats, title


class Recorder:
    """A reporter that writes down what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def open(self, title: str, *, parent: progress.Task | None = None) -> progress.Task:
        self.lines.append(f"open {title}")
        return self

    def close(self, task: progress.Task, *, failed: str = "") -> None:
        self.lines.append(f"close {failed}".strip())

    def note(self, text: str) -> None:
        self.lines.append(f"note {text}")

    def advance(self, done: float, *, total: float | None = None, unit: str = "") -> None: ...
    def finish(self, text: str = "") -> None: ...
    def say(self, text: str) -> None: ...


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    recorder = Recorder()
    monkeypatch.setattr(progress, "_reporter", recorder)
    return recorder.lines


def event(kind: str, **data: Any) -> dict[str, Any]:
    return {"event": kind, "event_data": data}


def failed(task: str, why: str, **more: Any) -> dict[str, Any]:
    return event("runner_on_failed", host="n1", role="r", task=task, res={"msg": why}, **more)


def test_plays_are_tasks_and_tasks_are_notes(shown: list[str]) -> None:
    watcher = EventWatcher()
    for each in (
        event("playbook_on_play_start", name="Docker"),
        event("runner_on_start", host="n1", role="docker", task="Validating arguments against arg spec main"),
        event("runner_on_start", host="n1", role="docker", task="docker : Install the engine"),
        event("playbook_on_play_start", name="Rclone"),
    ):
        assert watcher.handle(each) is False
    watcher.close()
    assert shown == ["open Docker", "note docker: Install the engine (n1)", "close", "open Rclone", "close"]


def test_the_last_failure_of_a_node_counts(shown: list[str]) -> None:
    watcher = EventWatcher()
    watcher.handle(failed("Start", "control process exited"))
    watcher.handle(failed("Say why", "the bucket is not there"))
    assert watcher.failures["n1"].message == "the bucket is not there"
    assert watcher.failures["n1"].task == "r: Say why"


def test_failures_that_the_playbook_expects_are_none(shown: list[str]) -> None:
    watcher = EventWatcher()
    watcher.handle(failed("Look", "no such file", ignore_errors=True))
    assert watcher.failures == {}


def test_a_node_that_is_not_reached_is_told_apart(shown: list[str]) -> None:
    watcher = EventWatcher()
    watcher.handle(event("runner_on_unreachable", host="n1", task="t", res={"msg": "Connection refused"}))
    assert watcher.failures["n1"].unreachable


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"msg": "No package matching 'x'"}, "No package matching 'x'"),
        ({"msg": "non-zero return code", "stderr": "AccessDenied\n", "rc": 1}, "AccessDenied"),
        ({"msg": "non-zero return code", "stderr": "", "stdout": "said here"}, "said here"),
        ({"msg": "non-zero return code", "stderr": "", "stdout": ""}, "non-zero return code"),
        ({"msg": "own words", "stderr": "noise"}, "own words"),
        ({"results": [{"failed": False, "msg": "fine"}, {"failed": True, "msg": "bad"}], "msg": "One failed"}, "bad"),
        ({"censored": "the output has been hidden", "changed": False}, "its output holds secrets and is not shown"),
        ({}, ""),
    ],
)
def test_the_message_is_the_one_that_explains(result: dict[str, Any], expected: str) -> None:
    assert message(result) == expected


def test_counts_by_node() -> None:
    told = {"ok": {"a": 3, "b": 1}, "changed": {"a": 2}, "failures": {"b": 1}, "dark": {"c": 1}}
    assert stats(told) == {
        "a": HostStats(ok=3, changed=2),
        "b": HostStats(ok=1, failed=1),
        "c": HostStats(unreachable=1),
    }


def test_titles_have_the_role_once() -> None:
    assert title({"role": "docker", "task": "docker : Install"}) == "docker: Install"
    assert title({"role": "docker", "task": "Install"}) == "docker: Install"
    assert title({"task": "Gather"}) == "Gather"
