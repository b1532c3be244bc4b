"""Memory stays flat however many images there are: four times as many take hardly more."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chiops.etl import tree
from chiops.etl.datasets.image_tree import ImageTree
from chiops.etl.formats.webdataset import WebDataset
from chiops.etl.inventory import Inventory, Sample
from chiops.etl.ledger import Ledger
from chiops.etl.listing import Listed, list_prefix
from chiops.etl.manifest import File, write_files
from chiops.etl.sources.base import Entry
from chiops.etl.sources.catalogue import Catalogue
from tests.unit.etl.events import Heard
from tests.unit.etl.trees import jpeg

FEW, MANY = 1500, 6000
NAME = "training/class {0:02d}/a photograph with an ordinary name, number {1:08d}.jpg"


def names(count: int) -> Iterator[str]:
    return (NAME.format(number % 11, number) for number in range(count))


def peak(work: Callable[[int, Path], None], count: int, folder: Path) -> int:
    """Bytes of Python's own that ``work`` holds at most."""
    folder.mkdir()
    gc.collect()
    tracemalloc.start()
    try:
        work(count, folder)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class _Pages:
    """An S3 client that lists objects without end."""

    def __init__(self, count: int) -> None:
        self._count = count

    def get_paginator(self, _: str) -> _Pages:
        return self

    def paginate(self, **_: str) -> Iterator[dict[str, Any]]:
        pending = names(self._count)
        for _start in range(0, self._count, 100):
            yield {"Contents": [{"Key": f"p/{next(pending)}", "Size": 1, "ETag": f'"{"a" * 32}"'} for _ in range(100)]}


def compare(count: int, folder: Path) -> None:
    """What an upload and a check do with names."""
    with Ledger(folder / "ledger.sqlite") as ledger:
        assert ledger.want(names(count)) == count
        ledger.list(list_prefix(_Pages(count), "bucket", "p"))
        for name, there in ledger.plan():
            assert there == Listed(1, "a" * 32)
            ledger.put(name, File(1, "a" * 32, "b" * 64))
        assert not list(ledger.stale()) + list(ledger.missing()) + list(ledger.damaged()) + list(ledger.extra())
        write_files(folder / "files.jsonl", ledger.files())


def shard(count: int, folder: Path) -> None:
    """What building a format does with the images, but for their bytes."""
    image = folder / "one.jpg"
    image.write_bytes(jpeg())
    with Inventory.create(folder / "tree.sqlite") as images:
        for name in names(count):
            images.add(Sample(name, "training", 1, 30_000))
        images.finish()

    class Tree(type(Path())):  # type: ignore[misc]
        def __truediv__(self, _: str) -> Path:
            return image

    (folder / "shards").mkdir()
    with Inventory(folder / "tree.sqlite") as images:
        WebDataset(15 * 2**20).build(Tree(folder), images, "training", folder / "shards", lambda _: None)


def stage(count: int, folder: Path) -> None:
    """A folder made into a tree and read, with a source that lists without end."""
    (folder / "raw").mkdir()
    (folder / "raw/one.jpg").write_bytes(jpeg())

    class Endless:
        where = "nowhere"

        def list(self, work: Path, events: Any) -> Iterator[Entry]:
            return (Entry(name.partition("/")[2], 600) for name in names(count))

        def fetch(self, entries: Catalogue, raw: Path, events: Any) -> None:
            for entry in entries:
                (raw / entry.path).parent.mkdir(parents=True, exist_ok=True)
                (raw / entry.path).hardlink_to(folder / "raw/one.jpg")

        def raw(self, work: Path) -> Path:
            return work / "source"

    class Silent(Heard):
        def progress(self, task: str, done: int, total: int, unit: str, text: str = "") -> None:
            pass

    dataset = ImageTree("mine", Endless(), "")
    dataset.look(folder, Silent())
    dataset.extract(folder, Silent())
    dataset.transform(folder, folder / "tree", Silent())
    with Inventory.create(folder / "tree.sqlite") as images:
        assert tree.inspect(folder / "tree", images, Silent())["splits"]["training"]["images"] == count
    assert tree.intact(folder / "tree", folder / "tree.sqlite")


@pytest.mark.parametrize("work", [compare, shard, stage])
def test_memory_is_flat(work: Callable[[int, Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # pathlib interns every part of every path, and the table of such texts is copied now and then, a megabyte at once.
    monkeypatch.setattr(sys, "intern", lambda text: text)
    peak(work, FEW, tmp_path / "warm")  # what is imported and compiled on first use is not counted
    few, many = peak(work, FEW, tmp_path / "few"), peak(work, MANY, tmp_path / "many")
    assert many < 1.5 * few, (few, many)
