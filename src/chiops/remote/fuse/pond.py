"""pond: a volume of its own making in the bucket, read in chunks that it caches in memory. It keeps no counters."""

from __future__ import annotations

from chiops.remote.fuse.base import Backend

BACKEND = Backend("pond", "pond", ("pond", "--version"))
