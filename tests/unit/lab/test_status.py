"""What a person is told of labs: health, the lease's end and what it deletes, cost, drift; and that one odd part hides nothing."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from chiops.cli import status as shown
from chiops.cloud import sites
from chiops.cloud.base import Mark, Node, Server, State, Volume
from chiops.errors import Auth, RemoteFailed, UsageError
from chiops.lab import health, release, status
from chiops.lab.ending import Ending
from chiops.lab.health import Health, NodeFacts
from chiops.lab.journal import Journal
from chiops.lab.status import LabStatus
from tests.support.memory import SITE, Memory
from tests.unit.lab.labs import bring_up, take_down, write


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What nodes and buckets answer; a test may change it."""
    well = NodeFacts(1 << 40, "active", "", True, "", {"/mnt/block": ""})
    said: dict[str, object] = {"node-1": well, "node-2": well, "bucket-x": Health(True)}

    def ask(node: Node, *_: object) -> NodeFacts:
        told = said[node.name]
        if isinstance(told, Exception):
            raise told
        assert isinstance(told, NodeFacts)
        return told

    monkeypatch.setattr(health, "ask", ask)
    monkeypatch.setattr(health, "of_bucket", lambda name, *_: said[name])
    return said


@pytest.fixture
def lab(memory: Memory, tmp_path: Path) -> str:
    """The lab, up."""
    path = write(tmp_path)
    bring_up(path)
    return path


def text(labs: list[LabStatus]) -> str:
    out = io.StringIO()
    Console(file=out, width=200, soft_wrap=True, highlight=False).print(shown.screen(labs))
    return out.getvalue()


def test_a_lab_that_is_well(lab: str) -> None:
    (one,) = status.status()
    assert {part.kind: part.health for part in one.parts} == {"lease": "", "server": "ok", "volume": "", "bucket": "ok"}
    assert one.drift == ()
    told = text([one])
    assert "lab at memory: up" in told
    assert "node-1 and node-2 go; /mnt/block is safe, /home/cc is not." in told
    # Two m1.tiny at half a unit an hour, for four hours, of which none has passed
    assert "0.00 service units used, 4.00 to come" in told


def test_a_part_that_is_not_well_is_told_with_why(lab: str, answers: dict[str, object]) -> None:
    answers |= {
        "node-1": NodeFacts(1, "active", "", True, "", {"/mnt/block": "can't be read"}),
        "node-2": RemoteFailed("node-2 cannot be reached by ssh", why="nothing listens"),
        "bucket-x": Health(False, "the S3 key is not allowed to do that"),
    }
    (one,) = status.status()
    bad = {part.name: part.detail for part in one.parts if part.health == "failed"}
    assert "/mnt/block can't be read" in bad["node-1"]
    assert "nothing listens" in bad["node-2"]
    assert "the S3 key is not allowed to do that" in bad["bucket-x"]


def test_an_odd_failure_of_one_part_hides_no_other(lab: str, answers: dict[str, object]) -> None:
    answers["node-1"] = ZeroDivisionError("odd")
    (one,) = status.status()
    assert [part.health for part in one.parts if part.kind == "server"] == ["failed", "ok"]


def test_drift_is_told_with_what_mends_it(lab: str, memory: Memory) -> None:
    memory.change("security_group", "ssh", rules=())
    memory.change("server", "node-1", flavor="m1.large")
    told = text(status.status())
    assert "security group ssh: tcp 22 from 0.0.0.0/0 is closed, the lab says open." in told
    assert "server node-1: flavor is m1.large, the lab says m1.tiny (not mended by `up`)." in told
    assert "`chiops up lab` puts that right." in told


@pytest.mark.parametrize("others", [0, 30])
def test_the_number_of_requests_does_not_grow_with_the_project(lab: str, memory: Memory, others: int) -> None:
    for number in range(others):
        name = f"other-{number}"
        memory.of("server")[name] = Server(id=name, name=name)
        memory.of("volume")[name] = Volume(id=name, name=name, size_gib=1)
    before = len(memory.requests)
    status.status()
    assert len(memory.requests) - before == 12  # eleven lists, and the one bucket counted


def test_a_site_that_does_not_answer_and_a_file_that_is_gone_hide_nothing(
    lab: str, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    Journal().remember("elsewhere", site="other", source="/gone/lab.yaml", settings={})
    Path(lab).unlink()

    def connect(name: str) -> Memory:
        if name == "other":
            raise Auth("not signed in at other", todo="sign in")
        return memory

    monkeypatch.setattr(sites, "connect", connect)
    monkeypatch.setattr(sites, "site", lambda _: sites.sites()["memory"])
    here, there = status.status()
    assert len(here.parts) == 5
    assert "no lab file" in here.note
    assert there.problem == "not signed in at other. Sign in."
    assert "not signed in at other" in text([here, there])
    assert "node-1" in text([here, there])


def test_nothing_is_asked_of_nodes_when_that_is_not_wanted(lab: str, answers: dict[str, object]) -> None:
    answers.clear()
    (one,) = status.status(check=False)
    assert {part.health for part in one.parts} == {""}


def test_a_lab_that_is_down_is_not_asked_how_it_is(
    lab: str, answers: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "_answering", lambda _: [])
    take_down(keep_lease=True)
    answers.clear()
    (one,) = status.status()
    assert {part.kind: part.health for part in one.parts} == {"lease": "", "volume": "", "bucket": ""}
    assert "lab at memory: down, but for what was kept" in text([one])


def test_a_lease_that_is_over_is_told_as_such(lab: str, memory: Memory) -> None:
    memory.change(
        "lease", "lease-x", state=State.ENDED, status="TERMINATED", end=datetime.now(UTC) - timedelta(hours=1)
    )
    (one,) = status.status()
    (lease,) = [part for part in one.parts if part.kind == "lease"]
    assert (lease.status, lease.health) == ("TERMINATED", "failed")
    assert one.endings == ()
    assert "lab at memory: its lease has ended\n" in text([one])


def test_a_lab_without_its_servers_is_not_called_up(lab: str, memory: Memory) -> None:
    memory.drop("server", "node-1")
    assert status.status()[0].headline == "up"
    memory.drop("server", "node-2")
    assert "lab at memory: none of its servers is there\n" in text(status.status())


def test_an_odd_answer_is_the_problem_of_its_lab_alone(
    lab: str, memory: Memory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Journal().remember("other", site=SITE, source=lab, settings={})
    theirs = replace(memory.find("lease", "lease-x"), id="odd", name=None, mark=Mark("other", "me"))
    memory.of("lease").update({"odd": theirs, "odder": replace(theirs, id="odder", name="x")})
    here, there = status.status(check=False)
    assert (here.problem, len(here.parts)) == ("", 5)
    assert there.problem.startswith("TypeError: ")
    assert "details are in" in text([here, there])
    assert "Traceback" in caplog.text


def test_a_row_that_can_not_be_read_is_a_line(lab: str, memory: Memory, state: Path) -> None:
    Journal().remember("other", site=SITE, source=lab, settings={})
    with closing(sqlite3.connect(state / "chiops.db")) as db, db:
        db.execute("UPDATE labs SET settings = '{' WHERE name = 'lab'")
    here, there = status.status(check=False)
    assert here.note.startswith("what the state file says of the lab lab can't be read: ")
    assert (len(here.parts), here.drift) == (5, ())
    assert there.note == ""


def test_a_bucket_that_nobody_serves_is_neither_asked_nor_counted(
    lab: str, memory: Memory, answers: dict[str, object]
) -> None:
    memory.change("bucket", "bucket-x", status="not served", state=State.STOPPED, fault="the S3 server does not run")
    del answers["bucket-x"]
    before = len(memory.requests)
    (one,) = status.status()
    (bucket,) = [part for part in one.parts if part.kind == "bucket"]
    assert (bucket.status, bucket.detail, bucket.health) == ("not served", "the S3 server does not run", "failed")
    assert not {"objects.get", "objects.endpoint"} & set(memory.requests[before:])


END = Ending("l", datetime.now(UTC), 6600, ("n",), ("/mnt/block",), ("/home/cc",))


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (END, "in 1 h 50 min n goes; /mnt/block is safe, /home/cc is not"),
        (Ending("l", END.end, 60, ("a", "b", "c"), ("/a", "/b"), ()), "in 1 min a, b and c go; /a and /b are safe"),
        (Ending("l", END.end, 60, ("n",), (), ("/home/cc",)), "in 1 min n goes; /home/cc is lost"),
        (Ending("l", END.end, 60, (), (), ()), "in 1 min the lease l ends; no server is on it"),
        (Ending("l", END.end, 60, None, (), ()), "in 1 min the lease l ends; which servers are on it is not known"),
        (Ending("l", END.end, 60, ("n",), (), ()), "in 1 min n goes"),
    ],
)
def test_what_the_end_deletes_is_one_sentence(end: Ending, told: str) -> None:
    assert end.sentence() == told


def test_what_a_node_says_is_read() -> None:
    said = "disk  1024\ndocker active\nfirewalld inactive\nrclone there\nmount /mnt/block\nmount /mnt/x is not mounted, or hangs\n"
    facts = health.read(said)
    assert (facts.disk_free, facts.docker, facts.rclone) == (1024, "active", True)
    assert facts.mounts == {"/mnt/block": "", "/mnt/x": "is not mounted, or hangs"}


@given(st.text())
def test_whatever_a_node_says_is_read_without_a_failure(said: str) -> None:
    assert health.read(said).disk_free >= 0


def test_watching_goes_on_until_it_is_interrupted() -> None:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    looks: list[list[LabStatus]] = []
    shown.follow(list, looks.append, 7.0, sleep)
    assert (len(looks), pauses) == (3, [7.0, 7.0, 7.0])


def test_a_number_behind_watch_is_its_pace() -> None:
    assert shown._pace(["lab", "10"], watch=True) == (["lab"], 10.0)
    assert shown._pace(["lab"], watch=True) == (["lab"], shown.PACE_S)
    assert shown._pace(["10"], watch=False) == (["10"], shown.PACE_S)


def test_an_unknown_lab_is_told(memory: Memory) -> None:
    with pytest.raises(UsageError, match="is not up"):
        status.status(["lab"])
    assert status.status() == []
