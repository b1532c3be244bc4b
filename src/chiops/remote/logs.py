"""Logs of what ran on nodes: one file per run, the latest kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from chiops import paths

_KEPT = 100


def new_log(name: str) -> Path:
    """An empty log file that only we can read; the oldest beyond the last hundred go."""
    folder = paths.private_dir(paths.state_dir() / "logs")
    # The time comes first, so that names sort by age.
    log = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{name}.log"
    log.touch(mode=0o600)
    for old in sorted(folder.glob("*T*-*.log"))[:-_KEPT]:
        old.unlink(missing_ok=True)
    return log
