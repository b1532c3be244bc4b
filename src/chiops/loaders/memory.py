"""The shared memory that batches in flight take: reckoned on both sides, and asked for before an arm starts."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from .config import ArmConfig
from .protocol import ArmError
from .vision import CROP

# DataLoader's own default, named because the shared memory needed depends on it.
PREFETCH = 2
BATCH_BYTES_PER_SAMPLE = 3 * CROP * CROP * 4
_SHM = "/dev/shm"  # noqa: S108
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def shared_memory_needed(batch_size: int, workers: int) -> int:
    """Bytes of /dev/shm that batches in flight take: by worker those prefetched and one being made, and one consumed."""
    return batch_size * BATCH_BYTES_PER_SAMPLE * (workers * (PREFETCH + 1) + 1) if workers else 0


def need(config: ArmConfig) -> None:
    """Workers hand batches over in /dev/shm; too little of it ends them with a bare "Bus error", too little memory with less.

    Raises:
        ArmError: the arm needs more than there is.
    """
    filesystem = os.statvfs(_SHM)
    needed = shared_memory_needed(config.batch_size, config.workers)
    free = min(filesystem.f_bavail * filesystem.f_frsize, *_memory())
    if needed > free:
        raise ArmError(
            f"{config.workers} workers with batches of {config.batch_size} need {needed >> 20} MiB to hand them over in",
            f"the container may use {free >> 20} MiB",
            "take fewer --workers, a smaller --batch-size or a larger --memory, or a node with more memory",
        )


def _memory() -> Iterable[int]:
    """What of the node's memory is free or can be freed, and the container's limit."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024
    for path in _LIMITS:
        try:
            text = Path(path).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            yield int(text)
