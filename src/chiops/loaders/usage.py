"""What a pass used of the machine: CPU, memory, network. Read from the kernel before and after."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from .network import byte_counters


@dataclass(frozen=True, slots=True)
class Usage:
    """Counters at one moment. ``cpu_s`` counts this process and those children that have ended and been waited for."""

    cpu_s: float
    network: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Spent:
    """The difference of two moments.

    Args:
        cpu_s: user and system time of the main process and the workers that ended in between.
        peak_rss_bytes: the main process's highest resident size since it began.
        peak_rss_worker_bytes: the highest resident size of any one worker; pages shared by fork count in each.
        network: bytes received and sent by interface.
        peak_memory_bytes: see `MemoryWatch`; None if it did not run.
    """

    cpu_s: float
    peak_rss_bytes: int
    peak_rss_worker_bytes: int
    network: Mapping[str, tuple[int, int]]
    peak_memory_bytes: int | None = None


def snapshot() -> Usage:
    """The counters now."""
    own = os.times()
    return Usage(own.user + own.system + own.children_user + own.children_system, byte_counters())


def spent_since(before: Usage, peak_memory_bytes: int | None = None) -> Spent:
    """What was used since ``before``. Call when the workers are gone: a live child's CPU is not counted yet."""
    now = snapshot()
    network = {}
    for name, (received, sent) in now.network.items():
        received_before, sent_before = before.network.get(name, (0, 0))
        network[name] = (received - received_before, sent - sent_before)
    return Spent(
        cpu_s=now.cpu_s - before.cpu_s,
        peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        peak_rss_worker_bytes=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
        network=network,
        peak_memory_bytes=peak_memory_bytes,
    )


class MemoryWatch:
    """The memory of this process and its children together, looked at once a second: the highest that was seen.

    Pages that processes share count once, by their proportional sizes; sums of resident sizes would count them in each.
    """

    _EVERY_S = 1.0

    def __init__(self) -> None:
        self.peak_bytes: int | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            over = self._over.wait(self._EVERY_S)
            if found := family_bytes():
                self.peak_bytes = max(self.peak_bytes or 0, found)
            if over:
                return


def family_bytes() -> int:
    """Proportional size of this process and its children now, in bytes; 0 where the kernel does not tell."""
    return sum(map(_proportional_bytes, [os.getpid(), *_children()]))


def _children() -> list[int]:
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():  # a child belongs to the thread that forked it
        try:
            found += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return found


def _proportional_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
