"""What several threads need of a service at once, and one of them asks for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """One thread at a time. If it fails, it has failed for all that waited: each would wait as long again for a silent service."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures = 0
        self._failure: Exception | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the turn; raises what the thread before us failed with, if it did so while we waited."""
        before = self._failures
        with self._lock:
            if self._failure and self._failures > before:
                raise self._failure
            try:
                yield
            except Exception as failure:
                self._failures, self._failure = self._failures + 1, failure
                raise
