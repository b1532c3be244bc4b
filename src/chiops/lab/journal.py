"""What chiops did and means to do: the labs that are up, and every change, noted before and after.

The cloud is the truth and this only a cache of it: all that is needed to go on after a crash is found by our mark. The journal
says what was under way when, which the mark can't, and keeps what no service keeps for us (a lab's parameters).
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from chiops import paths
from chiops.errors import ChiopsError
from chiops.lab.parameters import Value

_SCHEMA = """
CREATE TABLE IF NOT EXISTS labs (
  name TEXT PRIMARY KEY, site TEXT NOT NULL, source TEXT NOT NULL, settings TEXT NOT NULL, phase TEXT NOT NULL,
  created TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS operations (
  id INTEGER PRIMARY KEY, lab TEXT NOT NULL, site TEXT NOT NULL, op TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
  resource TEXT NOT NULL DEFAULT '', phase TEXT NOT NULL, error TEXT NOT NULL DEFAULT '', began TEXT NOT NULL, ended TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS operations_by_lab ON operations (lab, phase);
"""
_VERSION = 1
_BUSY_S = 30.0
"""How long another process may hold the file."""
_PAUSE_S = 0.02
MISSED = ("lease", "server", "volume", "bucket")
"""Kinds whose end by other hands is told; the others are made anew without a loss."""


class _Unreadable(Mapping[str, Value]):
    """Settings that can't be read: whoever needs them is told so, and whoever does not goes on."""

    def __init__(self, error: ChiopsError) -> None:
        self._error = error

    def __getitem__(self, key: str) -> Value:
        raise self._error

    def __iter__(self) -> Iterator[str]:
        raise self._error

    def __len__(self) -> int:
        raise self._error


@dataclass(frozen=True)
class LabRecord:
    """A lab that was brought up; ``phase`` is ``up``, or ``kept`` when only its data stays.

    Where its row can't be read, any use of its ``settings`` raises `ChiopsError`; name and site are enough to take it down.
    """

    name: str
    site: str
    source: str
    settings: Mapping[str, Value] = field(repr=False, compare=False)
    phase: str
    created: datetime


@dataclass(frozen=True)
class Operation:
    """One change; ``phase`` is intent, done or failed."""

    lab: str
    op: str
    kind: str
    name: str
    resource: str
    phase: str


class Entry:
    """An open journal entry; the caller fills in ``resource`` once the cloud has named it."""

    resource: str = ""


class Journal:
    """The sqlite file in the state directory. Safe from several threads and processes."""

    def __init__(self, path: Path | None = None) -> None:
        path = path or paths.state_dir() / "chiops.db"
        self._lock = threading.Lock()
        try:
            # Made with its mode, so that it is never readable by others, not even for a moment.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._db = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False, isolation_level=None)
            # One value that is no text must not keep the others from being read
            self._db.text_factory = lambda raw: raw.decode(errors="replace")
            found = self._db.execute("PRAGMA user_version").fetchone()[0]
            if found > _VERSION:
                raise ChiopsError(f"{path} was written by a newer chiops", todo="upgrade chiops")
            if found < _VERSION:
                self._set_up()
        except (sqlite3.Error, OSError) as error:
            todo = "make room on the disk, or move the file away: chiops finds its resources by their mark"
            raise ChiopsError(
                f"the state file {path} can't be used",
                why=str(error),
                todo="wait until the other process that holds it has ended" if _is_busy(error) else todo,
            ) from error

    def _set_up(self) -> None:
        """Make a new file what it shall be; again while another process does, since sqlite refuses WAL then without waiting."""
        give_up = time.monotonic() + _BUSY_S
        while True:
            try:
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.executescript(_SCHEMA)
                self._db.execute(f"PRAGMA user_version = {_VERSION}")  # last: whoever reads it finds all of it
                return
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() > give_up:
                    raise
            time.sleep(_PAUSE_S)

    def _run(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        try:
            with self._lock:
                return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise ChiopsError(
                "the journal can't be written", why=str(error), todo="make room on the disk and run it again"
            ) from error

    def close(self) -> None:
        self._db.close()

    # Labs

    def labs(self) -> list[LabRecord]:
        """Every lab that is up or whose data was kept, oldest first. One whose row can't be read is there as well."""
        rows = self._run("SELECT name, site, source, settings, phase, created FROM labs ORDER BY created")
        return [_record(*(str(value) for value in row)) for row in rows]

    def remember(self, name: str, *, site: str, source: str, settings: Mapping[str, object]) -> None:
        """Note that a lab is being brought up, before anything of it is made."""
        self._run(
            "INSERT INTO labs VALUES (?, ?, ?, ?, 'up', ?) ON CONFLICT (name) DO UPDATE SET site=excluded.site,"
            " source=excluded.source, settings=excluded.settings, phase='up'",
            name, site, source, json.dumps(dict(settings)), _now(),
        )  # fmt: skip

    def kept(self, name: str) -> None:
        """Note that only data of a lab is left."""
        self._run("UPDATE labs SET phase = 'kept' WHERE name = ?", name)

    def forget(self, name: str) -> None:
        """Note that nothing of a lab is left to take down."""
        self._run("DELETE FROM labs WHERE name = ?", name)

    # Operations

    @contextmanager
    def entry(self, *, lab: str, site: str, op: str, kind: str, name: str) -> Iterator[Entry]:
        """Note the intent now, and at the end of the body that it was done or how it failed."""
        row = self._run(
            "INSERT INTO operations (lab, site, op, kind, name, phase, began) VALUES (?, ?, ?, ?, ?, 'intent', ?) RETURNING id",
            lab, site, op, kind, name, _now(),
        )[0][0]  # fmt: skip
        entry = Entry()
        try:
            yield entry
        except BaseException as error:
            self._finish(row, "failed", entry.resource, str(error)[:500])
            raise
        self._finish(row, "done", entry.resource, "")

    def _finish(self, row: object, phase: str, resource: str, error: str) -> None:
        self._run(
            "UPDATE operations SET phase=?, resource=?, error=?, ended=? WHERE id=?",
            phase,
            resource,
            error,
            _now(),
            row,
        )

    def standing(self, lab: str) -> set[tuple[str, str]]:
        """Kind and name of what was made for a lab and neither deleted nor found gone since, of the kinds that people miss."""
        there: set[tuple[str, str]] = set()
        for one in self.operations(lab):
            if one.kind not in MISSED or one.phase != "done":
                continue
            if one.op in ("create", "replace", "adopt"):
                there.add((one.kind, one.name))
            elif one.op in ("delete", "gone"):
                there.discard((one.kind, one.name))
        return there

    def operations(self, lab: str) -> list[Operation]:
        """All that was done for a lab, in order."""
        rows = self._run("SELECT lab, op, kind, name, resource, phase FROM operations WHERE lab = ? ORDER BY id", lab)
        return [Operation(*(str(value) for value in row)) for row in rows]


def _is_busy(error: Exception) -> bool:
    """Whether another process holds the file."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _record(name: str, site: str, source: str, settings: str, phase: str, created: str) -> LabRecord:
    try:
        values = json.loads(settings)
        if not isinstance(values, dict) or not all(isinstance(value, str | int | float) for value in values.values()):
            raise ValueError("its settings are none")
        return LabRecord(name, site, source, values, phase, datetime.fromisoformat(created))
    except (ValueError, RecursionError) as error:
        unreadable = ChiopsError(
            f"what the state file says of the lab {name} can't be read",
            why=str(error),
            todo=f"move {paths.state_dir() / 'chiops.db'} away: chiops finds its resources by their mark",
        )
        return LabRecord(name, site, source, _Unreadable(unreadable), phase, datetime.fromtimestamp(0, UTC))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
