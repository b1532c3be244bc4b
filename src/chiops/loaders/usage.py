"""What a pass used of the machine: CPU, memory, network. Read from the kernel before and after."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from dataclasses import dataclass

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
    """

    cpu_s: float
    peak_rss_bytes: int
    peak_rss_worker_bytes: int
    network: Mapping[str, tuple[int, int]]


def snapshot() -> Usage:
    """The counters now."""
    own = os.times()
    return Usage(own.user + own.system + own.children_user + own.children_system, byte_counters())


def spent_since(before: Usage) -> Spent:
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
    )
