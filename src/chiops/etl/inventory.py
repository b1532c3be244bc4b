"""The images of a tree, on disk: however many they are, they are counted, ordered and read without being held in memory."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_TABLES = """
    CREATE TABLE images (path TEXT PRIMARY KEY, split TEXT, label INTEGER, size INTEGER, rank BLOB) WITHOUT ROWID;
    CREATE TABLE faults (path TEXT PRIMARY KEY, why TEXT) WITHOUT ROWID;
"""
_SPLITS = ("training", "validation", "evaluation")


@dataclass(frozen=True, slots=True, order=True)
class Sample:
    """One image of a tree; ``path`` is relative to the tree, ``size`` in bytes."""

    path: str
    split: str
    label: int
    size: int = 0

    @property
    def key(self) -> str:
        """Its name within the split: ``<class>/<file>``."""
        return self.path.partition("/")[2]


def storage_rank(key: str) -> bytes:
    """What every sharded format sorts a split by: the hash of the key.

    So every shard holds a fair mix of the classes, equal data gives equal shards, and the first n samples are the same in all
    formats, which is what the benchmark reads.
    """
    return hashlib.sha256(key.encode()).digest()


class Inventory:
    """A tree's images in an SQLite file, closed by ``with``. Use it in one thread only."""

    def __init__(self, path: Path) -> None:
        """Open what is there, to read.

        Raises:
            sqlite3.Error: there is none, or it is torn.
        """
        self.path = path
        self._base = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new one in place of whatever is there, to be filled."""
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        made = cls.__new__(cls)
        made.path = path
        made._base = sqlite3.connect(path)
        # It is made anew after a crash: no journal.
        made._base.execute("PRAGMA journal_mode = OFF")
        made._base.execute("PRAGMA synchronous = OFF")
        made._base.executescript(_TABLES)
        return made

    def add(self, sample: Sample) -> None:
        """Take note of a whole image."""
        row = (sample.path, sample.split, sample.label, sample.size, storage_rank(sample.key))
        self._base.execute("INSERT INTO images VALUES (?, ?, ?, ?, ?)", row)

    def add_fault(self, path: str, why: str) -> None:
        """Take note of a damaged one."""
        self._base.execute("INSERT INTO faults VALUES (?, ?)", (path, why))

    def finish(self) -> None:
        """Put what was added on disk, ready for `in_order`."""
        self._base.execute("CREATE INDEX stored ON images (split, rank)")
        self._base.commit()

    def splits(self) -> list[str]:
        """The splits that have images, in their usual order."""
        there = {row[0] for row in self._base.execute("SELECT DISTINCT split FROM images")}
        return [split for split in _SPLITS if split in there]

    def count(self, split: str = "") -> int:
        """How many images; of one split, if it is named."""
        return self._number("count(*)", split)

    def size(self, split: str = "") -> int:
        """Bytes of all images; of one split, if it is named."""
        return self._number("coalesce(sum(size), 0)", split)

    def size_of(self, path: str) -> int | None:
        """Bytes of one image; None if there is none of that path."""
        row = self._base.execute("SELECT size FROM images WHERE path = ?", (path,)).fetchone()
        return None if row is None else int(row[0])

    def paths(self) -> Iterator[str]:
        """All paths, sorted."""
        return (row[0] for row in self._base.execute("SELECT path FROM images ORDER BY path"))

    def in_order(self, split: str, *, after: bytes = b"", up_to: bytes = b"\xff" * 33) -> Iterator[Sample]:
        """A split's images in the order in which every sharded format stores them, or those of a range of ranks."""
        rows = self._base.execute(
            "SELECT path, split, label, size FROM images WHERE split = ? AND rank > ? AND rank <= ? ORDER BY rank",
            (split, after, up_to),
        )
        return (Sample(*row) for row in rows)

    def faults(self) -> Iterator[tuple[str, str]]:
        """Damaged images and what is wrong with each, sorted."""
        yield from self._base.execute("SELECT path, why FROM faults ORDER BY path")

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _number(self, what: str, split: str) -> int:
        row = self._base.execute(f"SELECT {what} FROM images WHERE ? IN ('', split)", (split,)).fetchone()  # noqa: S608
        return int(row[0])
