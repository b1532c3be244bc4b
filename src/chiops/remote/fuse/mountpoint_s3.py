"""mountpoint-s3: nothing is cached but by ``--cache={cache}`` and ``--metadata-ttl``. Its counters go to the journal only."""

from __future__ import annotations

from chiops.remote.fuse.base import Backend

BACKEND = Backend("mountpoint-s3", "mount-s3", ("mount-s3", "--version"))
