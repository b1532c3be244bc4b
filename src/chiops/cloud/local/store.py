"""The site's database: one sqlite file that several chiops processes and the agent share.

Each service owns its tables and creates them with `define`; there is no other schema. Transactions are short and take the
write lock at once, so that what is read inside one still holds when it is written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from chiops.errors import Capacity, CloudError, Transient

BUSY_S = 30.0
"""How long a transaction waits for another process's, in seconds."""

Value = str | int | float | bytes | None


class Store:
    """A connection is opened per transaction, so that a `Store` may be shared by threads and survives a fork."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600, exist_ok=True)

    def define(self, *statements: str) -> None:
        """Create tables; each statement is a ``CREATE … IF NOT EXISTS``."""
        with self.transaction() as db:
            for statement in statements:
                db.execute(statement)

    def add_columns(self, table: str, **declared: str) -> None:
        """Add columns that a table of an earlier version lacks; each declaration has a default."""
        with self.transaction() as db:
            there = {row["name"] for row in db.execute(f"PRAGMA table_info({table})")}
            for name, declaration in declared.items():
                if name not in there:
                    db.execute(f"ALTER TABLE {table} ADD COLUMN {name} {declaration}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Read and write as one: everything in the body happens, or nothing does. Rows are `sqlite3.Row`.

        Raises:
            Transient: another process held the database for longer than `BUSY_S`.
            Capacity: the disk is full.
        """
        try:
            db = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
        except sqlite3.Error as error:
            raise CloudError(f"The local site's database {self.path} cannot be opened", why=str(error)) from error
        try:
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA foreign_keys=ON")
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise _translated(error) from error
        finally:
            db.close()

    def rows(self, query: str, parameters: Sequence[Value] = ()) -> list[sqlite3.Row]:
        """All rows of one query."""
        with self.transaction() as db:
            return db.execute(query, parameters).fetchall()

    def row(self, query: str, parameters: Sequence[Value] = ()) -> sqlite3.Row | None:
        """The first row of one query, if any."""
        with self.transaction() as db:
            found: sqlite3.Row | None = db.execute(query, parameters).fetchone()
            return found

    def execute(self, statement: str, parameters: Sequence[Value] = ()) -> int:
        """One statement in a transaction of its own; the number of rows that it changed."""
        with self.transaction() as db:
            return db.execute(statement, parameters).rowcount


def _translated(error: sqlite3.OperationalError) -> CloudError:
    text = str(error)
    if "locked" in text or "busy" in text:
        return Transient("The local site's database is busy", why=text, todo="try again")
    if "full" in text:
        return Capacity("The local site's database cannot grow", why="the disk is full", todo="free some space")
    return CloudError("The local site's database failed", why=text)
