"""Where a measurement was made. What cannot be found out says ``unknown``; nothing is guessed."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .network import round_trip_ms

UNKNOWN = "unknown"
_PACKAGES = (
    "torch", "torchvision", "pillow", "numpy", "litdata", "webdataset", "mosaicml-streaming", "obstore", "s3fs", "aiobotocore",
    "boto3", "botocore",
)  # fmt: skip
_NO_LIMIT_ABOVE = 1 << 60  # cgroup v1 writes "no limit" as a very large number


def capture(url: str | None) -> dict[str, Any]:
    """The node as the container sees it; ``url`` is the object store's endpoint."""
    return {
        "kernel": platform.release() or UNKNOWN,
        "architecture": platform.machine() or UNKNOWN,
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "cpu_quota_cores": _cpu_quota(),
        "memory_bytes": _memory_total(),
        "memory_limit_bytes": _memory_limit(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "torch_threads": _torch_threads(),
        "endpoint": url or UNKNOWN,
        "endpoint_rtt_ms": _known(round_trip_ms(url) if url else None),
    }


def _known(value: float | None) -> float | str:
    return UNKNOWN if value is None else value


def _first_line(*paths: str) -> str | None:
    for path in paths:
        try:
            return Path(path).read_text().splitlines()[0].strip()
        except (OSError, IndexError):
            continue
    return None


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return UNKNOWN
    return _field(lines, "model name") or platform.processor() or UNKNOWN


def _field(lines: Iterable[str], name: str) -> str:
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _memory_total() -> int | str:
    kibibytes = _field(Path("/proc/meminfo").read_text().splitlines(), "MemTotal").split()
    return int(kibibytes[0]) * 1024 if kibibytes else UNKNOWN


def _memory_limit() -> int | str:
    """The container's limit; ``none`` if it has none."""
    text = _first_line("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
    if text is None:
        return UNKNOWN
    return int(text) if text.isdigit() and int(text) < _NO_LIMIT_ABOVE else "none"


def _cpu_quota() -> float | str:
    """The container's share of CPU time in cores; ``none`` if it has no quota."""
    unified = _first_line("/sys/fs/cgroup/cpu.max")
    if unified:
        quota, _, period = unified.partition(" ")
    else:
        quota = _first_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") or ""
        period = _first_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us") or ""
    if not quota:
        return UNKNOWN
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else "none"


def version(package: str) -> str:
    """The installed version of a package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return UNKNOWN


def _torch_threads() -> int | str:
    try:
        import torch
    except ImportError:
        return UNKNOWN
    return int(torch.get_num_threads())
