"""``chiops data``: datasets, prepared on a node and loaded into the lab's bucket."""

from __future__ import annotations

from chiops.cli.common import app as group

app = group("data", "Datasets: prepared on a node, loaded into the lab's bucket.")
