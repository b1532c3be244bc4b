"""Progress off a terminal: plain lines, none too many, none missing."""

from __future__ import annotations

import threading

import pytest

from chiops import console, progress
from chiops.console import PlainLines
from chiops.errors import Quota


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that tasks see; its one element is now, in seconds."""
    now = [100.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    return now


def test_an_ended_task_is_one_line(capsys: pytest.CaptureFixture[str], clock: list[float]) -> None:
    reporter = PlainLines()
    task = reporter.open("create server n")
    clock[0] += 2.5
    task.finish("ACTIVE")
    reporter.close(task)
    assert capsys.readouterr().err == "✓ create server n: ACTIVE (2.5 s)\n"


def test_a_failed_task_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    progress.install(PlainLines())
    with pytest.raises(Quota), progress.task("create volume v"):
        raise Quota("the quota is used up", why="10 of 10")
    assert capsys.readouterr().err == "✗ create volume v: the quota is used up\n"


def test_counted_work_speaks_every_five_seconds(capsys: pytest.CaptureFixture[str], clock: list[float]) -> None:
    reporter = PlainLines()
    task = reporter.open("upload")
    for done in range(11):
        task.advance(done, total=10, unit="objects")
        clock[0] += 1
    reporter.close(task)
    assert capsys.readouterr().err.splitlines() == [
        "… upload: 5 of 10 objects (50%) (5 s)",
        "… upload: 10 of 10 objects (100%) (10 s)",
        "✓ upload (11.0 s)",
    ]


def test_parts_stand_below_their_whole(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = PlainLines()
    whole = reporter.open("configure")
    part = reporter.open("docker", parent=whole)
    reporter.close(part)
    reporter.close(whole)
    assert capsys.readouterr().err == "  ✓ docker\n✓ configure\n"


def test_bytes_are_told_as_sizes(capsys: pytest.CaptureFixture[str], clock: list[float]) -> None:
    reporter = PlainLines()
    task = reporter.open("download")
    clock[0] += 6
    task.advance(3 << 20, total=6 << 20, unit="B")
    reporter.close(task)
    assert capsys.readouterr().err == "… download: 3.0 MiB of 6.0 MiB (6 s)\n✓ download (6.0 s)\n"


def test_what_is_silent_is_told_to_live_until_all_has_ended(
    capsys: pytest.CaptureFixture[str], clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "LINE_EVERY_S", 0.001)
    before = set(threading.enumerate())
    reporter = PlainLines()
    for _ in range(2):
        task = reporter.open("wait")
        clock[0] += console.SILENCE_S
        (pulse,) = set(threading.enumerate()) - before
        while not (said := capsys.readouterr().err):
            pulse.join(0.001)
        assert said == "… wait (15 s)\n"
        reporter.close(task)
        pulse.join(10)
        assert not pulse.is_alive()
        assert capsys.readouterr().err == "✓ wait (15.0 s)\n"
