"""An object site that nobody can sign in at: a lab without buckets lives without it, one with a bucket is not forgotten."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from chiops.cloud import sites
from chiops.cloud.base import Cloud, Mark, SiteFacts
from chiops.errors import ChiopsError, NoCredentials, Transient
from chiops.lab import adopt, doctor, extend, release, session, status, up
from chiops.lab.journal import Journal
from chiops.lab.objects import needs_objects, note_none
from chiops.lab.wanted import CREDENTIAL
from chiops.ops import buckets, credentials
from chiops.ops.desk import Desk
from tests.support.memory import ME, SITE, Memory
from tests.unit.lab.labs import LAB, agree, bring_up, take_down, write

STORE = "store"
PLAIN = LAB.split("buckets:")[0]


class Store:
    """The object site, and whether one can get there."""

    def __init__(self) -> None:
        self.memory, self.known = Memory(site=STORE), False

    def connect(self, compute: Memory, name: str) -> Memory:
        if name == SITE:
            return compute
        if not self.known:
            raise NoCredentials(f"there are no credentials for {name}", todo="add them to clouds.yaml")
        return self.memory


@pytest.fixture
def store(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The site's buckets are at another one, which nobody can sign in at yet."""
    there = Store()
    facts = {
        SITE: SiteFacts(name=SITE, cloud="openstack", object_site=STORE),
        STORE: SiteFacts(name=STORE, cloud="openstack"),
    }
    monkeypatch.setattr(sites, "site", facts.__getitem__)
    monkeypatch.setattr(sites, "connect", lambda name: there.connect(memory, name))
    monkeypatch.setattr(release, "_answering", lambda _: [])
    return there


@pytest.fixture
def had(store: Store, tmp_path: Path) -> str:
    """A lab with a bucket, up; its object site can't be got at any more."""
    store.known = True
    path = write(tmp_path)
    bring_up(path)
    store.known = False
    return path


def known() -> list[str]:
    with closing(Journal()) as journal:
        return [record.name for record in journal.labs()]


def record() -> session.LabRecord:
    with closing(Journal()) as journal:
        return session.pick(journal, "lab", kept=True)


def begin(kind: str, name: str, phase: str) -> None:
    """A create that failed, or whose command was killed, before anything came of it that anybody knows."""
    with closing(Journal()) as journal, suppress(Transient), pytest.MonkeyPatch.context() as patch:
        if phase == "killed":
            patch.setattr(Journal, "_finish", lambda *_: None)
        with journal.entry(lab="lab", site=STORE, op="create", kind=kind, name=name):
            raise Transient("the answer was lost")


def need(text: str) -> bool:
    from chiops.lab.loader import parse

    with closing(Journal()) as journal:
        return needs_objects("lab", parse(text, "lab.yaml", {}).spec, journal)


# Without buckets


def test_a_lab_without_buckets_lives_without_an_object_site(
    store: Store, memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, PLAIN)
    assert len(up.plan(path, {}, SITE).changes) == 9
    bring_up(path)
    assert bring_up(path).changed == 0
    before = memory.find("lease", "lease-x").end
    assert extend.extend(record(), agree, by=timedelta(hours=1)).end == before + timedelta(hours=1)
    with session.opened("lab") as lab:
        assert [node.name for node in lab.nodes()] == ["node-1", "node-2"]
    monkeypatch.setattr(doctor, "diagnose_site", lambda _: [])
    monkeypatch.setattr(doctor, "_nodes", lambda *_: [])
    assert "lab: file" in {check.name for check in doctor.diagnose(None, path) if check.verdict == "ok"}
    assert [one.key.kind for one in take_down(volume=True).stayed] == []
    assert memory.count() == {}
    assert known() == []


def test_status_says_nothing_of_an_object_site_that_the_lab_does_not_need(store: Store, tmp_path: Path) -> None:
    bring_up(write(tmp_path, PLAIN))
    (shown,) = status.status(check=False)
    assert (shown.problem, dict(shown.unread)) == ("", {})


def test_it_is_taken_up_again_without_one(store: Store, tmp_path: Path, state: Path) -> None:
    path = write(tmp_path, PLAIN)
    bring_up(path)
    (state / "chiops.db").unlink()
    assert adopt.adopt(path, {}, SITE).drift == ()
    assert known() == ["lab"]


def test_one_that_does_not_answer_is_none_either(store: Store, memory: Memory, tmp_path: Path) -> None:
    store.known = True

    def dead(request: str) -> None:
        raise Transient(f"{request} failed")

    store.memory.hook = dead
    bring_up(write(tmp_path, PLAIN))
    take_down(volume=True)
    assert (memory.count(), known()) == ({}, [])


def test_what_is_at_the_site_itself_must_be_seen_all_the_same(store: Store, memory: Memory, tmp_path: Path) -> None:
    def dead(request: str) -> None:
        if request == "volumes.list":
            raise Transient("volumes.list failed")

    memory.hook = dead
    with pytest.raises(Transient):
        bring_up(write(tmp_path, PLAIN))
    assert memory.count() == {}


def test_a_bucket_of_it_that_can_be_seen_is_named(store: Store, tmp_path: Path) -> None:
    store.known = True
    store.memory.objects.create("bucket-y", mark=Mark("lab", ME.user_id))  # from another machine
    assert [stray.name for stray in bring_up(write(tmp_path, PLAIN)).strays] == ["bucket-y"]
    assert [one.key.name for one in take_down(volume=True).stayed] == ["bucket-y"]
    assert known() == ["lab"]


# With a bucket, or perhaps


def test_a_lab_with_a_bucket_needs_its_object_site(store: Store, memory: Memory, tmp_path: Path) -> None:
    path = write(tmp_path)
    for ask in (lambda: bring_up(path), lambda: up.plan(path, {}, SITE)):
        with pytest.raises(NoCredentials, match="there are no credentials for store"):
            ask()
    assert memory.count() == {}


def test_a_shell_and_more_time_need_no_bucket_and_a_bucket_needs_its_site(had: str, memory: Memory) -> None:
    before = memory.find("lease", "lease-x").end
    assert extend.extend(record(), agree, by=timedelta(hours=1)).end > before
    with session.opened("lab") as lab:
        assert lab.node("node-1").name == "node-1"
        with pytest.raises(NoCredentials, match="there are no credentials for store"):
            lab.bucket()


@pytest.mark.parametrize("now", [LAB, PLAIN, "nothing: of use", LAB.replace("name: lab\n", "name: other\n"), ""])
def test_a_bucket_that_can_not_be_looked_at_is_not_forgotten(had: str, store: Store, memory: Memory, now: str) -> None:
    """Whatever has become of the lab's file."""
    Path(had).write_text(now) if now else Path(had).unlink()
    with pytest.raises(ChiopsError, match="buckets could not be looked at: there are no credentials for store"):
        take_down(volume=True)
    assert memory.count() == {}
    assert known() == ["lab"]
    store.known = True
    assert [one.key.name for one in take_down().stayed] == ["bucket-x"]
    assert known() == ["lab"]
    store.known = False
    with pytest.raises(ChiopsError, match="buckets could not be looked at"):
        take_down()
    store.known = True
    take_down(bucket=True)
    assert (store.memory.count(), known()) == ({}, [])


@pytest.mark.parametrize("text", ["nothing: of use", PLAIN.replace("name: lab\n", "name: other\n"), ""])
def test_a_file_that_does_not_tell_may_have_wanted_one(store: Store, tmp_path: Path, text: str) -> None:
    path = Path(write(tmp_path, PLAIN))
    bring_up(str(path))
    path.write_text(text) if text else path.unlink()
    with pytest.raises(ChiopsError, match="buckets could not be looked at"):
        take_down(volume=True)
    assert known() == ["lab"]


def test_a_bucket_that_was_taken_out_of_the_file_counts_until_it_is_gone(had: str, store: Store) -> None:
    write(Path(had).parent, PLAIN)
    with pytest.raises(NoCredentials):
        bring_up(had)
    store.known = True
    take_down(volume=True, bucket=True)
    store.known = False
    bring_up(had)
    take_down(volume=True)
    assert known() == []


@pytest.mark.parametrize(
    ("make", "take"),
    [
        (lambda desk: buckets.create(desk, "b"), lambda desk: buckets.delete(desk, "b", agree, purge_first=False)),
        (
            lambda desk: credentials.create(desk),
            lambda desk: credentials.revoke(desk, next(iter(desk.cloud.identity.ec2_credentials())).access, agree),
        ),
    ],
    ids=["bucket", "key"],
)
def test_what_single_commands_made_for_it_counts_until_it_is_gone(
    store: Store, make: Callable[[Desk], object], take: Callable[[Desk], object]
) -> None:
    desk = Desk(cast(Cloud, store.memory), sites.site(STORE), "lab")
    assert not need(PLAIN)
    make(desk)
    assert need(PLAIN)
    take(desk)
    assert not need(PLAIN)


def test_what_may_have_been_made_counts(state: Path) -> None:
    with closing(Journal()) as journal:
        with (
            pytest.raises(Transient),
            journal.entry(lab="lab", site=STORE, op="create", kind="bucket", name="b"),
        ):
            raise Transient("the answer was lost")
        assert need(PLAIN)
        with (
            pytest.raises(Transient),
            journal.entry(lab="lab", site=STORE, op="delete", kind="bucket", name="b"),
        ):
            raise Transient("the answer was lost")
        assert need(PLAIN)


@pytest.mark.parametrize("phase", ["failed", "killed"])
@pytest.mark.parametrize(("kind", "name"), [CREDENTIAL, ("EC2_credential", "")])
def test_a_key_whose_making_failed_counts_until_one_is_made(state: Path, phase: str, kind: str, name: str) -> None:
    begin(kind, name, phase)
    begin("bucket", "b", phase)
    assert need(PLAIN)
    with closing(Journal()) as journal:
        with journal.entry(lab="lab", site=STORE, op="create", kind=kind, name=name) as entry:
            entry.resource = "AK"
        note_none("lab", {"bucket"}, journal, STORE)
        assert need(PLAIN)
        with journal.entry(lab="lab", site=STORE, op="delete", kind="credential", name="AK"):
            pass
    assert not need(PLAIN)


@pytest.mark.parametrize("phase", ["failed", "killed"])
def test_a_key_whose_making_failed_counts_until_down_sees_that_none_is_there(
    store: Store, tmp_path: Path, phase: str
) -> None:
    path = write(tmp_path, PLAIN)
    bring_up(path)
    begin(*CREDENTIAL, phase)
    with pytest.raises(ChiopsError, match="could not be looked at"):
        take_down(volume=True)
    store.known = True
    take_down(volume=True)
    assert not need(PLAIN)
    store.known = False
    bring_up(path)


def test_down_that_keeps_the_bucket_notes_that_no_key_is_there(had: str, store: Store) -> None:
    begin(*CREDENTIAL, "failed")
    store.known = True
    assert [one.key.name for one in take_down(volume=True).stayed] == ["bucket-x"]
    desk = Desk(cast(Cloud, store.memory), sites.site(STORE), "lab")
    assert need(PLAIN)
    buckets.delete(desk, "bucket-x", agree, purge_first=False)
    assert not need(PLAIN)
