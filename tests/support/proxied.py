"""Has a process reach its clouds through a proxy, and whatever it forks."""

from __future__ import annotations

import os
from pathlib import Path


def install(folder: Path, *, proxy: str = "") -> None:
    """All HTTP of this process goes through ``proxy``; straight where that is empty."""
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        os.environ.pop(name, None)
    if proxy:
        os.environ["http_proxy"] = proxy
