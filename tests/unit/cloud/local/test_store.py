"""The site's database."""

from __future__ import annotations

import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chiops.cloud.local.store import Store

TABLE = "CREATE TABLE IF NOT EXISTS things (name TEXT PRIMARY KEY, count INTEGER NOT NULL)"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "deep" / "site.db")
    made.define(TABLE)
    return made


def test_only_the_owner_reads_it(store: Store) -> None:
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_tables_of_an_earlier_version_get_what_they_lack(store: Store) -> None:
    store.execute("INSERT INTO things VALUES ('old', 1)")
    for _ in range(2):
        store.add_columns("things", colour="TEXT NOT NULL DEFAULT 'grey'", count="INTEGER")
    assert [tuple(row) for row in store.rows("SELECT * FROM things")] == [("old", 1, "grey")]


def test_a_failed_transaction_changes_nothing(store: Store) -> None:
    def insert_and_fail() -> None:
        with store.transaction() as db:
            db.execute("INSERT INTO things VALUES ('a', 1)")
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        insert_and_fail()
    assert store.rows("SELECT * FROM things") == []


def test_a_broken_rule_reaches_the_caller(store: Store) -> None:
    store.execute("INSERT INTO things VALUES ('a', 1)")
    with pytest.raises(sqlite3.IntegrityError):
        store.execute("INSERT INTO things VALUES ('a', 2)")
    assert [tuple(row) for row in store.rows("SELECT * FROM things")] == [("a", 1)]


def test_what_is_read_still_holds_when_it_is_written(store: Store) -> None:
    store.execute("INSERT INTO things VALUES ('a', 0)")

    def add_one(_: int) -> None:
        with store.transaction() as db:
            count = db.execute("SELECT count FROM things").fetchone()["count"]
            db.execute("UPDATE things SET count = ?", (count + 1,))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add_one, range(40)))
    found = store.row("SELECT count FROM things")
    assert found is not None
    assert found["count"] == 40


def test_execute_counts_the_rows_it_changed(store: Store) -> None:
    store.execute("INSERT INTO things VALUES ('a', 1)")
    assert store.execute("DELETE FROM things WHERE name = 'a'") == 1
    assert store.execute("DELETE FROM things WHERE name = 'a'") == 0
