"""Progress that any layer can report without knowing who watches.

A layer opens a task, the command line decides how it looks: a live tree on a terminal, plain lines off it, silence in tests.

    with progress.task("Build base image") as task:
        task.note("unpacking")          # what it does now
        task.advance(17, total=100)     # counted work, any unit
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Task(Protocol):
    """One line that a person watches."""

    def note(self, text: str) -> None:
        """Say what happens now."""

    def advance(self, done: float, *, total: float | None = None, unit: str = "") -> None:
        """Say how far counted work has come: ``done`` of ``total``, both absolute."""

    def finish(self, text: str = "") -> None:
        """Say how it ended; without it the task ends as plainly done."""


class Reporter(Protocol):
    """Shows tasks. Thread-safe: tasks of parallel work interleave."""

    def open(self, title: str, *, parent: Task | None = None) -> Task:
        """Begin a task, optionally below another."""

    def close(self, task: Task, *, failed: str = "") -> None:
        """End a task; ``failed`` is one clause on what went wrong."""

    def say(self, text: str) -> None:
        """One line for the person, outside any task."""


class _Silent:
    def note(self, text: str) -> None: ...
    def advance(self, done: float, *, total: float | None = None, unit: str = "") -> None: ...
    def finish(self, text: str = "") -> None: ...
    def open(self, title: str, *, parent: Task | None = None) -> Task:  # noqa: ARG002
        return self

    def close(self, task: Task, *, failed: str = "") -> None: ...
    def say(self, text: str) -> None: ...


_reporter: Reporter = _Silent()


def install(reporter: Reporter) -> None:
    """Make ``reporter`` the one that shows every task of this process."""
    global _reporter
    _reporter = reporter


@contextmanager
def task(title: str, *, parent: Task | None = None) -> Iterator[Task]:
    """Open a task for the body; an exception marks it failed with the error's first clause."""
    reporter = _reporter
    opened = reporter.open(title, parent=parent)
    try:
        yield opened
    except BaseException as error:
        reporter.close(opened, failed=getattr(error, "what", "") or type(error).__name__)
        raise
    reporter.close(opened)


def say(text: str) -> None:
    """One line for the person, on stderr, outside any task."""
    _reporter.say(text)
