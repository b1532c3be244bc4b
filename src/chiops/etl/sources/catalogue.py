"""All files of a source, on disk: they are listed once, and read again without being held in memory."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import EtlError
from .base import Entry


class Catalogue:
    """A source's files in an SQLite file, closed by ``with``. Use it in one thread only."""

    def __init__(self, path: Path) -> None:
        """Open what is there, to read.

        Raises:
            sqlite3.Error: there is none, or it is torn.
        """
        self._base = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new one in place of whatever is there, to be filled."""
        path.unlink(missing_ok=True)
        made = cls.__new__(cls)
        made._base = sqlite3.connect(path)
        made._base.execute("PRAGMA journal_mode = OFF")
        made._base.execute("PRAGMA synchronous = OFF")
        made._base.execute("CREATE TABLE entries (path TEXT PRIMARY KEY, size INTEGER, modified INTEGER, tag TEXT)")
        return made

    def add(self, entry: Entry) -> None:
        """Take note of a file.

        Raises:
            EtlError: it is there already.
        """
        try:
            row = (entry.path, entry.size, entry.modified, entry.tag)
            self._base.execute("INSERT INTO entries VALUES (?, ?, ?, ?)", row)
        except sqlite3.IntegrityError:
            raise EtlError(f"{entry.path!r} is listed twice", todo="remove one of the two") from None

    def finish(self, place: Callable[[str], str]) -> None:
        """Put it on disk; ``place`` tells where each file goes.

        Raises:
            EtlError: two files would go to one place.
        """
        self._base.create_function("place", 1, place, deterministic=True)
        twice = "SELECT place(path), min(path), max(path) FROM entries GROUP BY 1 HAVING count(*) > 1 LIMIT 1"
        if row := self._base.execute(twice).fetchone():
            raise EtlError(f"{row[1]!r} and {row[2]!r} would be one image, {row[0]}", todo="leave one of them out")
        self._base.commit()

    def count(self) -> int:
        """How many files."""
        return int(self._base.execute("SELECT count(*) FROM entries").fetchone()[0])

    def size(self) -> int:
        """Bytes of all files whose size is known."""
        return int(self._base.execute("SELECT coalesce(sum(max(size, 0)), 0) FROM entries").fetchone()[0])

    def __iter__(self) -> Iterator[Entry]:
        """All files in the order in which they were listed."""
        return (
            Entry(*row) for row in self._base.execute("SELECT path, size, modified, tag FROM entries ORDER BY rowid")
        )

    def digest(self) -> str:
        """A hash of all that is known of all files."""
        total = hashlib.sha256()
        for row in self._base.execute("SELECT path, size, modified, tag FROM entries ORDER BY path"):
            total.update(repr(row).encode())
        return total.hexdigest()

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
