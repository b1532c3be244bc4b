"""What the control machine hears: one JSON object per line on stdout, the configuration on stdin.

Libraries print to stdout as they please, so the real stdout is set aside first and everything else goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any, TextIO

_PROGRESS_EVERY_S = 0.25


class ArmError(Exception):
    """An expected failure: what happened, why, and what the person can do."""

    def __init__(self, what: str, why: str = "", todo: str = "") -> None:
        super().__init__(what, why, todo)
        self.what, self.why, self.todo = what, why, todo

    def __str__(self) -> str:
        return f"{self.what}: {self.why}" if self.why else self.what


class Channel:
    """The event stream to the control machine."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last_progress = 0.0

    @classmethod
    def on_stdout(cls) -> Channel:
        """Take stdout for events alone; whatever else is printed from now on goes to stderr, from C code too."""
        kept = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        return cls(kept)

    def _send(self, event: str, **fields: Any) -> None:
        self._stream.write(json.dumps({"event": event, **fields}, allow_nan=False) + "\n")
        self._stream.flush()

    def progress(self, task: str, done: float, total: float | None = None, unit: str = "") -> None:
        """Counted work, at most four times a second but for the last."""
        now = time.monotonic()
        if done != total and now - self._last_progress < _PROGRESS_EVERY_S:
            return
        self._last_progress = now
        self._send("progress", task=task, done=done, total=total, unit=unit)

    def note(self, text: str) -> None:
        """What happens now."""
        self._send("note", text=text)

    def error(self, failure: ArmError) -> None:
        """The end, badly."""
        self._send("error", what=failure.what, why=failure.why, todo=failure.todo)

    def result(self, result: dict[str, Any]) -> None:
        """The end, well."""
        self._send("result", result=result)
