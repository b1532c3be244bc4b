"""Points at which a process may be cut or interrupted: before and after every request to the cloud and write to the journal."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chiops.lab.journal import Journal
from tests.support import fast_chiops


class Points:
    """Counts the points that a process comes by, each ``name#number before|after``.

    Args:
        notes: where the points are written to, one a line, when nothing is done at any.
        cut: the point at which the process ends, and at once.
        press: the point at which it gets what Ctrl-C sends.
    """

    def __init__(self, notes: Path, cut: str, press: str) -> None:
        self._notes, self._signals = notes, {cut: signal.SIGKILL, press: signal.SIGINT}
        self._signals.pop("", None)
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def watch(self, name: str) -> Iterator[None]:
        """A request or write of that name."""
        with self._lock:
            self._counts[name] += 1
            label = f"{name}#{self._counts[name]}"
        self._pass(f"{label} before")
        yield
        self._pass(f"{label} after")

    def _pass(self, point: str) -> None:
        if point in self._signals:
            os.kill(os.getpid(), self._signals[point])
        if not self._signals:
            with self._lock, self._notes.open("a") as file:
                file.write(f"{point}\n")


def install(folder: Path, *, cut: str = "", press: str = "", **options: Any) -> None:
    """Have this process use the fast cloud in ``folder``, end at ``cut`` and be interrupted at ``press``.

    With neither, all points are noted in the file ``points``.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by what a shell has run in the background
    points = Points(folder / "points", cut, press)
    fast_chiops.install(folder / "cloud.db", points.watch, **options)
    write = Journal._run

    def watched(self: Journal, sql: str, *values: object) -> list[tuple[object, ...]]:
        if sql.startswith("SELECT"):
            return write(self, sql, *values)
        with points.watch(f"journal.{sql.split()[0].lower()}"):
            return write(self, sql, *values)

    Journal._run = watched  # type: ignore[method-assign]
