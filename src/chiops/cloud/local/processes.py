"""Processes of this machine, as /proc shows them."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_KILL_S = 5.0
"""How long a killed process may take to be gone; one that waits for a disk takes longest."""


def alive(pid: int) -> bool:
    """Whether there is such a process that has not ended; one that nobody has reaped yet has."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


def naming(text: str) -> list[int]:
    """Processes other than this one whose command line has ``text`` in it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                if text.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found


def end(pid: int, patience_s: float) -> bool:
    """Ask a process to end, and kill it if it does not within ``patience_s`` seconds; whether it is gone."""
    for number, seconds in ((signal.SIGTERM, patience_s), (signal.SIGKILL, _KILL_S)):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.02)
    return not alive(pid)
