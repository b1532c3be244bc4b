"""Where chiops keeps things: state, cache and configuration, by the XDG rules.

Read at each call, never at import, so that a test or a second account can move everything with ``XDG_STATE_HOME`` and friends.
"""

from __future__ import annotations

import os
from pathlib import Path


def _xdg(variable: str, default: str) -> Path:
    value = os.environ.get(variable, "")
    base = Path(value) if value.startswith("/") else Path.home() / default
    return base / "chiops"


def private_dir(path: Path) -> Path:
    """Make ``path`` (and parents) readable by its owner only, and return it."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def state_dir() -> Path:
    """What must survive: the journal, the local site's volumes and buckets, keys. Owner only."""
    return private_dir(_xdg("XDG_STATE_HOME", ".local/state"))


def cache_dir() -> Path:
    """What can be made again: base images, downloads."""
    return private_dir(_xdg("XDG_CACHE_HOME", ".cache"))


def config_dir() -> Path:
    """What the person writes: sites.yaml. May be absent."""
    return _xdg("XDG_CONFIG_HOME", ".config")


def log_file() -> Path:
    """The log with tracebacks and every external command's outcome."""
    return state_dir() / "chiops.log"
