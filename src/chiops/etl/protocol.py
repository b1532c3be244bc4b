"""The JSON lines that a run speaks on stdout, one event each.

``progress`` counts work, ``note`` says what happens now, ``wanted`` asks for files (`sources.sent`), and a run ends with exactly
one ``result`` or ``error``.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import TextIO

from .errors import EtlError

_INTERVAL_S = 0.2


class Events:
    """Writes events; safe from several threads.

    Args:
        stream: where the lines go, flushed one by one.
        clock: seconds that only rise; progress of one task is written at most every 0.2 s of it, and at its end.
    """

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}

    def progress(self, task: str, done: int, total: int, unit: str, text: str = "") -> None:
        """``done`` of ``total`` so far, both absolute; ``text`` adds a second measure in words, such as bytes."""
        with self._lock:
            now = self._clock()
            if done < total and now - self._last.get(task, float("-inf")) < _INTERVAL_S:
                return
            self._last[task] = now
            event: dict[str, object] = {"event": "progress", "task": task, "done": done, "total": total, "unit": unit}
            self._write(event | {"text": text} if text else event)

    def note(self, text: str) -> None:
        """One line on what happens now."""
        with self._lock:
            self._write({"event": "note", "text": text})

    def wanted(self, bits: bytes) -> None:
        """Which of the files that were listed on stdin are to follow there: the first is the lowest bit of the first byte."""
        with self._lock:
            self._write({"event": "wanted", "bits": base64.b64encode(bits).decode()})

    def error(self, error: EtlError) -> None:
        """The end of a run that failed."""
        with self._lock:
            self._write(
                {"event": "error", "what": error.what, "why": error.why, "todo": error.todo, "kind": error.kind}
            )

    def result(self, result: Mapping[str, object]) -> None:
        """The end of a run that did its work."""
        with self._lock:
            self._write({"event": "result", "result": dict(result)})

    def _write(self, event: Mapping[str, object]) -> None:
        self._stream.write(json.dumps(event, ensure_ascii=False) + "\n")
        self._stream.flush()


def human_bytes(count: float) -> str:
    """Bytes with a binary unit: ``1.5 KiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
