"""What a format is to the pipeline, and what sharded formats share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from ..inventory import Inventory

Advance = Callable[[int], None]
"""Told how many bytes of a split's images are done."""

_SHARDS = 16
_SMALLEST, _LARGEST = 4 * 2**20, 64 * 2**20


class Format(Protocol):
    """A way of laying the images of a tree out in files."""

    @property
    def name(self) -> str:
        """As it is asked for."""

    @property
    def suffix(self) -> str:
        """What follows the dataset's root in the folder's name and in keys, such as ``-litdata``."""

    @property
    def parameters(self) -> Mapping[str, object]:
        """What decides the files besides the images, JSON values only."""

    @property
    def is_tree(self) -> bool:
        """The tree itself is what is loaded; there is nothing to build."""

    @property
    def continues(self) -> bool:
        """`build` goes on with what a killed run left in ``target``; else it wants an empty folder."""

    def build(self, tree: Path, images: Inventory, split: str, target: Path, advance: Advance) -> None:
        """Fill the folder ``target`` with a split's images, in the order of `Inventory.in_order`."""


def shard_bytes(asked: int, split_bytes: int) -> int:
    """Size of a shard in bytes: as asked, or else so that a split makes about 16, between 4 and 64 MiB each.

    With fewer shards than that the workers of a loader have nothing to share; with smaller ones latency rules again.
    """
    return asked or max(_SMALLEST, min(_LARGEST, split_bytes // _SHARDS))
