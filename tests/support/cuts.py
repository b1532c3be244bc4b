"""Points at which a process may be cut: before and after every request to the cloud and every write to the journal."""

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
    """Counts the points that a process comes by, each ``name#number before|after``; ends it, and at once, at ``cut``.

    Args:
        notes: where the points are written to, one a line, when nothing is cut.
        cut: the point at which the process ends.
    """

    def __init__(self, notes: Path, cut: str) -> None:
        self._notes, self._cut = notes, cut
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
        if point == self._cut:
            os.kill(os.getpid(), signal.SIGKILL)
        if not self._cut:
            with self._lock, self._notes.open("a") as file:
                file.write(f"{point}\n")


def install(folder: Path, *, cut: str = "", **options: Any) -> None:
    """Have this process use the fast cloud in ``folder`` and end at ``cut``, or note all points in the file ``points``."""
    points = Points(folder / "points", cut)
    fast_chiops.install(folder / "cloud.db", points.watch, **options)
    write = Journal._run

    def watched(self: Journal, sql: str, *values: object) -> list[tuple[object, ...]]:
        if sql.startswith("SELECT"):
            return write(self, sql, *values)
        with points.watch(f"journal.{sql.split()[0].lower()}"):
            return write(self, sql, *values)

    Journal._run = watched  # type: ignore[method-assign]
