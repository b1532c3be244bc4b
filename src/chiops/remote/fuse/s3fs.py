"""s3fs-fuse: attributes in memory; whole objects on disk if ``-ouse_cache={cache}`` says so. It keeps no counters."""

from __future__ import annotations

from chiops.remote.fuse.base import Backend

BACKEND = Backend("s3fs", "s3fs", ("s3fs", "--version"))
