"""Trees of images for tests: their samples in a list, their inventories, small JPEGs and folders full of them."""

from __future__ import annotations

import functools
import io
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from chiops.etl import tree
from chiops.etl.inventory import Inventory, Sample
from tests.unit.etl.events import Heard


def take_stock(root: Path, file: Path) -> dict[str, Any]:
    """Make the tree's inventory in ``file``, and give the report."""
    with Inventory.create(file) as made:
        return tree.inspect(root, made, Heard())


def samples(root: Path) -> list[Sample]:
    """All images of a tree, by path."""
    with tempfile.TemporaryDirectory() as folder:
        take_stock(root, Path(folder) / "tree.sqlite")
        with Inventory(Path(folder) / "tree.sqlite") as images:
            return sorted(sample for split in images.splits() for sample in images.in_order(split))


@functools.cache
def jpeg(number: int = 0) -> bytes:
    """A whole JPEG of a few hundred bytes, another for each number."""
    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (number % 256, number // 256 % 256, number // 65536 % 256)).save(stream, "JPEG")
    return stream.getvalue() + number.to_bytes(4, "big") + b"\xff\xd9"


def plant(root: Path, paths: Iterable[str]) -> Path:
    """A JPEG at each path below ``root``, all different."""
    for number, path in enumerate(paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(jpeg(number))
    return root
