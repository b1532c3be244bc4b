"""What a format is to the pipeline, and what sharded formats share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from ..protocol import Events
from ..tree import Sample

_SHARDS = 16
_SMALLEST, _LARGEST = 4 * 2**20, 64 * 2**20


class Format(Protocol):
    """A way of laying the images of a tree out in files."""

    @property
    def prefix(self) -> str:
        """The folder's name in staging, and what comes before the names in the bucket."""

    @property
    def parameters(self) -> Mapping[str, object]:
        """What decides the files besides the images, JSON values only."""

    @property
    def is_tree(self) -> bool:
        """The tree itself is what is loaded; there is nothing to build."""

    def build(self, tree: Path, samples: list[Sample], target: Path, events: Events) -> None:
        """Fill ``target``, an empty folder, from the images of ``tree``."""


def storage_order(samples: Iterable[Sample]) -> list[Sample]:
    """The order in which every sharded format stores a split: by hash of the key (``class_00/0_12.jpg``).

    So every shard holds a fair mix of the classes, equal data gives equal shards, and the first n samples are the same in all
    formats, which is what the benchmark reads.
    """
    return sorted(samples, key=lambda sample: hashlib.sha256(sample.path.partition("/")[2].encode()).digest())


def shard_bytes(asked: int, split_bytes: int) -> int:
    """Size of a shard in bytes: as asked, or else so that a split makes about 16, between 4 and 64 MiB each.

    With fewer shards than that the workers of a loader have nothing to share; with smaller ones latency rules again.
    """
    return asked or max(_SMALLEST, min(_LARGEST, split_bytes // _SHARDS))
