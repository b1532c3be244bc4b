"""What should be under a prefix of a bucket and what is, compared on disk: an upload's or a check's scratch paper.

SQLite rather than a merge of two sorted streams: servers do not agree on the order of a listing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from .listing import Listed
from .manifest import File

_TABLES = """
    CREATE TABLE wanted (name TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE known (name TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE listed (name TEXT PRIMARY KEY, size INTEGER, md5 TEXT) WITHOUT ROWID;
    CREATE TABLE files (name TEXT PRIMARY KEY, size INTEGER, md5 TEXT, sha256 TEXT) WITHOUT ROWID;
"""


class Ledger:
    """Names below a prefix: those to be there (``wanted``), those of an earlier manifest (``known``), those that are there
    (``listed``), and the content of those that are ours (``files``). Closed by ``with``; use it in one thread only."""

    def __init__(self, path: Path | str = "") -> None:
        """In the file ``path``, in place of what is there; without one, in a temporary file that SQLite removes."""
        if path:
            Path(path).unlink(missing_ok=True)
        self._path = path
        self._base = sqlite3.connect(path, isolation_level=None)
        self._base.execute("PRAGMA journal_mode = OFF")
        self._base.execute("PRAGMA synchronous = OFF")
        self._base.executescript(_TABLES)
        self._base.execute("BEGIN")  # one transaction, never committed: its end is the end of the ledger

    def want(self, names: Iterable[str]) -> int:
        """These are to be there; how many they are."""
        self._base.executemany("INSERT INTO wanted VALUES (?)", ((name,) for name in names))
        return self._count("wanted")

    def know(self, names: Iterable[str]) -> None:
        """These were in an earlier manifest."""
        self._base.executemany("INSERT OR IGNORE INTO known VALUES (?)", ((name,) for name in names))

    def list(self, found: Iterable[tuple[str, Listed]]) -> None:
        """These are there, in place of what was said before."""
        self._base.execute("DELETE FROM listed")
        rows = ((name, one.size, one.md5) for name, one in found)
        self._base.executemany("INSERT OR REPLACE INTO listed VALUES (?, ?, ?)", rows)

    def put(self, name: str, file: File) -> None:
        """This is ours, with that content."""
        self._base.execute("INSERT INTO files VALUES (?, ?, ?, ?)", (name, file.size, file.md5, file.sha256))

    def knows(self, name: str) -> bool:
        """Whether an earlier manifest has it."""
        return self._base.execute("SELECT 1 FROM known WHERE name = ?", (name,)).fetchone() is not None

    def plan(self) -> Iterator[tuple[str, Listed | None]]:
        """What is wanted, sorted, and what is there under its name."""
        rows = self._base.execute("SELECT name, size, md5 FROM wanted LEFT JOIN listed USING (name) ORDER BY name")
        return ((name, None if size is None else Listed(size, md5)) for name, size, md5 in rows)

    def stale(self) -> Iterator[str]:
        """What is there and not wanted."""
        rows = self._base.execute("SELECT name FROM listed WHERE name NOT IN wanted ORDER BY name")
        return (name for (name,) in rows)

    def files(self) -> Iterator[tuple[str, File]]:
        """What is ours, sorted."""
        return ((name, File(*rest)) for name, *rest in self._base.execute("SELECT * FROM files ORDER BY name"))

    def totals(self) -> tuple[int, int]:
        """How many files are ours, and their bytes."""
        row = self._base.execute("SELECT count(*), coalesce(sum(size), 0) FROM files").fetchone()
        return int(row[0]), int(row[1])

    def missing(self) -> Iterator[str]:
        """Ours, and not there."""
        rows = self._base.execute("SELECT name FROM files WHERE name NOT IN (SELECT name FROM listed) ORDER BY name")
        return (name for (name,) in rows)

    def extra(self) -> Iterator[str]:
        """There, and not ours."""
        rows = self._base.execute("SELECT name FROM listed WHERE name NOT IN (SELECT name FROM files) ORDER BY name")
        return (name for (name,) in rows)

    def damaged(self) -> Iterator[str]:
        """There with another size or checksum."""
        rows = self._base.execute(
            "SELECT name FROM files f JOIN listed l USING (name)"
            " WHERE l.size != f.size OR (l.md5 != '' AND l.md5 != f.md5) ORDER BY name"
        )
        return (name for (name,) in rows)

    def unsure(self) -> Iterator[tuple[str, File]]:
        """There with the right size, and without a checksum in the listing: sent in parts."""
        rows = self._base.execute(
            "SELECT f.* FROM files f JOIN listed l USING (name) WHERE l.size = f.size AND l.md5 = '' ORDER BY name"
        )
        return ((name, File(*rest)) for name, *rest in rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._base.close()
        if self._path:
            Path(self._path).unlink(missing_ok=True)

    def _count(self, table: str) -> int:
        return int(self._base.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608
