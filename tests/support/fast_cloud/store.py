"""The file: what the cloud knows, in transactions that a kill leaves whole."""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chiops.cloud.base import Mark

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
  number INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, user TEXT NOT NULL, lab TEXT,
  owner TEXT, created TEXT NOT NULL, status TEXT NOT NULL, looks INTEGER NOT NULL, then_ TEXT NOT NULL, body TEXT NOT NULL,
  UNIQUE (kind, id)
) STRICT;
CREATE TABLE IF NOT EXISTS objects (
  number INTEGER PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL, version TEXT NOT NULL, marker INTEGER NOT NULL,
  data BLOB NOT NULL, modified TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE INDEX IF NOT EXISTS objects_by_key ON objects (bucket, key);
CREATE TABLE IF NOT EXISTS uploads (id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS parts (
  upload TEXT NOT NULL, number INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (upload, number)
) STRICT;
"""


@dataclass
class Row:
    """A resource. After ``looks`` more looks its ``status`` becomes ``then``; ``gone`` ends it."""

    kind: str
    name: str
    user: str
    mark: Mark | None = None
    status: str = ""
    looks: int = 0
    then: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created: datetime = field(default_factory=lambda: datetime.now(UTC))


class Store:
    """The sqlite file. Safe from several threads and processes; open it anew after a fork."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self.db = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=OFF")  # what was written outlives the process, if not the machine
        self.db.executescript(_SCHEMA)

    @contextmanager
    def change(self) -> Iterator[None]:
        """All of the body or nothing, one body at a time; bodies may nest."""
        with self._lock:
            if self._depth == 0:
                self.db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                if self._depth == 1:
                    self.db.execute("ROLLBACK")
                raise
            else:
                if self._depth == 1:
                    self.db.execute("COMMIT")
            finally:
                self._depth -= 1

    def rows(self, kind: str) -> list[Row]:
        """All resources of a kind, oldest first."""
        with self._lock:
            found = self.db.execute("SELECT * FROM resources WHERE kind = ? ORDER BY number", (kind,)).fetchall()
        return [_row(one) for one in found]

    def row(self, kind: str, id_: str) -> Row | None:
        """One resource."""
        with self._lock:
            found = self.db.execute("SELECT * FROM resources WHERE kind = ? AND id = ?", (kind, id_)).fetchone()
        return _row(found) if found else None

    def add(self, row: Row) -> Row:
        """Keep a new resource."""
        self.db.execute(
            "INSERT INTO resources (kind, id, name, user, lab, owner, created, status, looks, then_, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(row.kind, row.id, row.name, row.user, row.mark and row.mark.lab, row.mark and row.mark.owner),
                *(row.created.isoformat(), row.status, row.looks, row.then, json.dumps(row.body)),
            ),
        )
        return row

    def save(self, row: Row) -> Row:
        """Keep what has changed of a resource: status and body."""
        self.db.execute(
            "UPDATE resources SET status = ?, looks = ?, then_ = ?, body = ? WHERE kind = ? AND id = ?",
            (row.status, row.looks, row.then, json.dumps(row.body), row.kind, row.id),
        )
        return row

    def remove(self, row: Row) -> None:
        """Forget a resource."""
        self.db.execute("DELETE FROM resources WHERE kind = ? AND id = ?", (row.kind, row.id))

    def close(self) -> None:
        self.db.close()


def _row(found: sqlite3.Row) -> Row:
    return Row(
        kind=found["kind"],
        id=found["id"],
        name=found["name"],
        user=found["user"],
        mark=Mark(found["lab"], found["owner"]) if found["lab"] else None,
        created=datetime.fromisoformat(found["created"]),
        status=found["status"],
        looks=found["looks"],
        then=found["then_"],
        body=json.loads(found["body"]),
    )
