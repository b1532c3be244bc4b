"""The journal: noted before, noted after, and still readable when the process in between was killed."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from chiops.errors import ChiopsError
from chiops.lab.journal import Journal
from chiops.lab.loader import load


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "chiops.db")


def test_a_lab_is_remembered_until_forgotten(journal: Journal) -> None:
    journal.remember("object-lab", site="local", source="object-lab", settings={"net_id": "ff524", "n": 3})
    journal.remember("object-lab", site="local", source="object-lab", settings={"net_id": "xy"})
    (record,) = journal.labs()
    assert (record.name, record.site, record.settings, record.phase) == ("object-lab", "local", {"net_id": "xy"}, "up")
    journal.kept("object-lab")
    assert journal.labs()[0].phase == "kept"
    journal.forget("object-lab")
    assert journal.labs() == []


def test_an_entry_is_there_before_and_done_after(journal: Journal) -> None:
    with journal.entry(lab="l", site="local", op="create", kind="server", name="n") as entry:
        assert [one.phase for one in journal.operations("l")] == ["intent"]
        entry.resource = "id-1"
    (operation,) = journal.operations("l")
    assert (operation.phase, operation.resource) == ("done", "id-1")


def test_a_failure_is_noted_and_comes_through(journal: Journal) -> None:
    with pytest.raises(ChiopsError, match="no room"), journal.entry(lab="l", site="s", op="create", kind="k", name="n"):
        raise ChiopsError("no room")
    assert journal.operations("l")[0].phase == "failed"


def test_an_intent_outlives_the_process(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from chiops.lab.journal import Journal\n"
        "with Journal(Path(sys.argv[1])).entry(lab='l', site='s', op='create', kind='server', name='n'): os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "j.db")], check=False)
    assert done.returncode == -9
    assert [one.phase for one in Journal(tmp_path / "j.db").operations("l")] == ["intent"]


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    Journal(tmp_path / "j.db")
    assert stat.S_IMODE((tmp_path / "j.db").stat().st_mode) == 0o600


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """What happens in the next pauses, of which none takes time; in those after them, nothing."""
    planned: list[Callable[[], None]] = []
    clock = iter(range(10_000))
    monkeypatch.setattr(time, "sleep", lambda _: planned.pop(0)() if planned else None)
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    return planned


def test_a_new_file_that_another_process_is_just_making_is_waited_for(
    tmp_path: Path, sleeps: list[Callable[[], None]]
) -> None:
    with closing(sqlite3.connect(tmp_path / "j.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        sleeps += [lambda: None, lambda: other.execute("COMMIT") and None]
        with closing(Journal(tmp_path / "j.db")) as journal:
            journal.remember("l", site="local", source="l", settings={})
            assert [record.name for record in journal.labs()] == ["l"]
    assert sleeps == []
    with closing(sqlite3.connect(tmp_path / "j.db")) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_new_file_that_stays_taken_is_told(tmp_path: Path, sleeps: list[Callable[[], None]]) -> None:
    with closing(sqlite3.connect(tmp_path / "j.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        sleeps += [lambda: None] * 5
        with pytest.raises(ChiopsError, match=r"database is locked\. Wait until the other process"):
            Journal(tmp_path / "j.db")
    assert sleeps == []


def test_a_file_that_is_there_is_opened_while_another_process_writes(tmp_path: Path) -> None:
    Journal(tmp_path / "j.db").close()
    with closing(sqlite3.connect(tmp_path / "j.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert Journal(tmp_path / "j.db").labs() == []


def test_a_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "j.db").write_bytes(b"not sqlite" * 1000)
    with pytest.raises(ChiopsError, match="finds its resources by their mark"):
        Journal(tmp_path / "j.db")


def test_a_newer_file_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "j.db") as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(ChiopsError, match="newer chiops"):
        Journal(tmp_path / "j.db")


@pytest.mark.parametrize(
    "row", [("settings", "{"), ("settings", "[1]"), ("settings", b"\xff"), ("created", "yesterday")]
)
def test_a_row_that_can_not_be_read_hides_no_other_and_can_be_taken_down(
    tmp_path: Path, row: tuple[str, str | bytes]
) -> None:
    journal = Journal(tmp_path / "j.db")
    for name in ("odd", "well"):
        journal.remember(name, site="local", source="object-lab", settings={"n": 3})
    column, value = row
    with closing(sqlite3.connect(tmp_path / "j.db")) as db, db:
        db.execute(f"UPDATE labs SET {column} = CAST(? AS TEXT) WHERE name = 'odd'", (value,))  # noqa: S608 - a name of ours
    odd, well = sorted(journal.labs(), key=lambda record: record.name)
    assert dict(well.settings) == {"n": 3}
    assert (odd.name, odd.site, odd.phase) == ("odd", "local", "up")
    with pytest.raises(ChiopsError, match="what the state file says of the lab odd can't be read"):
        dict(odd.settings)
    with pytest.raises(ChiopsError):
        load(odd.source, odd.settings)
