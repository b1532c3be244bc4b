"""``chiops bench``: input pipelines, measured on a node."""

from __future__ import annotations

from chiops.cli.common import app as group

app = group("bench", "Input pipelines, measured in containers on a node.")
