"""The state folder is lost: what is at the sites is found by its mark, deleted on request or taken up again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from chiops import progress
from chiops.cloud import sites
from chiops.cloud.base import Attachment, Bucket, Mark, Server
from chiops.errors import Auth, CloudError, Declined, NoCredentials, NotFound, Timeout, Transient, UsageError
from chiops.lab import adopt, release, status, sweep, teardown, up
from chiops.lab.journal import Journal
from chiops.lab.lock import lab_lock
from chiops.lab.release import Release
from chiops.lab.survey import Purge, Teardown
from chiops.lab.volumes import InUse
from chiops.ops.desk import NO_LAB
from tests.support.memory import ME, SITE, Memory
from tests.unit.lab.labs import ALL, DATA, LAB, bring_up, nobody, stay_listed, take_down, write

TEMPLATE = """\
parameters:
  net_id: {default: nobody}
  bucket: {default: "data-{{ net_id }}"}
  duration: {default: 4h}
---
version: 1
name: lab
lease: {name: "lease-{{ net_id }}", duration: "{{ duration }}"}
servers: [{name: "node-{{ net_id }}", flavor: m1.tiny}]
buckets: [{name: "{{ bucket }}"}]
"""
EVERYTHING = Purge(bucket=True, volume=True)


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "_answering", lambda _: [])


@pytest.fixture
def lost(memory: Memory, tmp_path: Path, state: Path) -> str:
    """A lab that is up, and of which this machine knows nothing any more."""
    path = write(tmp_path)
    bring_up(path)
    (state / "chiops.db").unlink()
    shutil.rmtree(state / "locks")
    return path


def look(*labs: str, purge: Purge = EVERYTHING) -> dict[str, set[str]]:
    with sweep.swept([SITE], labs, purge) as found:
        return {left.lab: {one.key.name for one in left.teardown.go} for left in found.leftovers}


def delete(purge: Purge, problem: str = "") -> tuple[set[str], set[str]]:
    """What of the one lab that there is went, and what did not, by kind; and whether that is for ``problem``."""
    with sweep.swept([SITE], (), purge) as found:
        (done,) = sweep.take_each(found.leftovers, nobody, purge)
    assert done.problem == problem
    gone, undone = ({one.key.kind for one in ones} for ones in (done.teardown.go, done.undone))
    return gone, undone


def test_what_is_forgotten_is_shown_and_nothing_else(lost: str, memory: Memory) -> None:
    memory.of("server")["a"] = Server(id="a", name="unmarked")
    memory.of("server")["b"] = Server(id="b", name="theirs", mark=Mark("lab", "somebody"))
    memory.of("server")["c"] = Server(id="c", name="single", mark=Mark(NO_LAB, "me"))
    before = memory.count()
    (found,) = look().values()
    assert {"node-1", "node-2", "lease-x", "data", "bucket-x"} < found
    assert not {"unmarked", "theirs", "single"} & found
    assert look("none") == {"none": {"single"}}
    assert memory.count() == before


def test_it_goes_on_request_and_data_only_by_flag(lost: str, memory: Memory) -> None:
    memory.of("server")["a"] = Server(id="a", name="unmarked")
    delete(Purge())
    assert memory.count() == {**DATA, "server": 1}
    delete(EVERYTHING)
    assert memory.count() == {"server": 1}
    assert look() == {}


WITHOUT_DATA = {"server", "attachment", "floating_ip", "security_group", "keypair", "lease", "credential"}


@pytest.mark.parametrize(
    ("request_", "undone"),
    [
        ("compute.delete_keypair", {"keypair"}),
        ("network.delete_floating_ip", {"floating_ip", "lease"}),
        ("compute.delete", {"server", "attachment", "floating_ip", "security_group", "keypair", "lease", "credential"}),
    ],
)
def test_what_went_is_told_though_something_failed(lost: str, memory: Memory, request_: str, undone: set[str]) -> None:
    def refuse(request: str) -> None:
        if request == request_:
            raise Transient("busy")

    memory.hook = refuse
    assert delete(Purge(), "busy.") == (WITHOUT_DATA - undone, undone)
    left = {kind for kind in memory.count() if kind not in DATA}
    assert left == undone - {"attachment"}


def test_what_is_listed_still_is_not_counted_as_gone(
    lost: str, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teardown, "LISTED_TIMEOUT_S", 0.0)
    stay_listed(memory)
    again = "chiops sweep lab --site memory --delete --purge-volume"
    problem = f"deleted, and still there: key pair chiops-lab. Run `{again}` again."
    assert delete(Purge(volume=True), problem) == (WITHOUT_DATA - {"keypair"} | {"volume"}, {"keypair"})


def say_no(_: object) -> None:
    raise Declined("nothing was changed")


@pytest.fixture
def in_use(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Of three forgotten labs with a server each, those whose volumes are in use, so that it is asked whether that may end."""
    labs: set[str] = set()

    def let_go(teardown: Teardown, _: str, ask: Release) -> list[Attachment]:
        if teardown.lab in labs:
            ask([InUse("data", f"node-{teardown.lab}", ("python3 (process 12)",))])
        return []

    for lab in "abc":
        memory.of("server")[lab] = Server(id=lab, name=f"node-{lab}", mark=Mark(lab, ME.user_id))
    monkeypatch.setattr(sweep, "let_go", let_go)
    return labs


@pytest.mark.parametrize("labs", ["a", "b", "ac"])
def test_a_no_is_about_one_lab(memory: Memory, in_use: set[str], labs: str) -> None:
    in_use |= set(labs)
    with sweep.swept([SITE], (), EVERYTHING) as found:
        done = sweep.take_each(found.leftovers, say_no, EVERYTHING)
    assert {one.lab: one.problem for one in done} == {lab: "you said no." if lab in labs else "" for lab in "abc"}
    assert {one.lab for one in done if one.undone} == set(memory.of("server")) == set(labs)


def test_where_all_is_refused_nothing_was_changed(memory: Memory, in_use: set[str]) -> None:
    in_use |= set("abc")
    with sweep.swept([SITE], (), EVERYTHING) as found, pytest.raises(Declined, match="nothing was changed"):
        sweep.take_each(found.leftovers, say_no, EVERYTHING)
    assert memory.count() == {"server": 3}


def test_a_no_hides_no_failure(memory: Memory, in_use: set[str]) -> None:
    in_use |= set("ab")
    with sweep.swept([SITE], (), EVERYTHING) as found, lab_lock("c", "up"):
        done = sweep.take_each(found.leftovers, say_no, EVERYTHING)
    assert "works on the lab c" in done[2].problem
    assert memory.count() == {"server": 3}


def test_an_address_that_leads_to_a_server_of_others_stays(lost: str, memory: Memory) -> None:
    memory.of("server")["t"] = Server(id="t", name="theirs", mark=Mark("other", "somebody"))
    moved = next(iter(memory.of("floating_ip").values()))
    memory.change("floating_ip", moved.name, server_id="t")
    delete(EVERYTHING)
    assert list(memory.of("floating_ip")) == [moved.id]
    assert memory.count() == {"floating_ip": 1, "server": 1}


def test_a_lab_that_is_known_is_no_leftover(memory: Memory, tmp_path: Path) -> None:
    bring_up(write(tmp_path))
    assert look() == {}
    with pytest.raises(UsageError, match="Use `chiops down lab`"):
        look("lab")
    take_down()
    assert look() == {}


class Unmarked:
    """An object store that lists its buckets without marks, and one that does not let itself be read."""

    def __init__(self, objects: Any, error: CloudError) -> None:
        self.objects, self.error = objects, error

    def list(self) -> list[Bucket]:
        there = [Bucket(id=one.name, name=one.name) for one in self.objects.list()]
        return [*there, Bucket(id="hers", name="hers")]

    def get(self, name: str) -> Bucket:
        if name == "hers":
            raise self.error
        found: Bucket = self.objects.get(name)
        return found

    def __getattr__(self, name: str) -> object:
        return getattr(self.objects, name)


@pytest.fixture
def unmarked(monkeypatch: pytest.MonkeyPatch) -> list[CloudError]:
    """Its object store lists without marks; what is here is raised for the bucket of somebody else."""
    errors: list[CloudError] = [NotFound("gone meanwhile")]
    store = property(lambda self: Unmarked(self.__getattr__("objects"), errors[-1]))
    monkeypatch.setattr(Memory, "objects", store, raising=False)
    return errors


def test_a_bucket_that_is_listed_without_its_mark_is_found(lost: str, unmarked: list[CloudError]) -> None:
    assert "bucket-x" in look()["lab"]


@pytest.mark.parametrize("error", [Auth("not for you", why="HTTP 403"), Transient("busy"), Timeout("no answer")])
def test_a_bucket_that_can_not_be_read_hides_nothing_else(
    lost: str, memory: Memory, unmarked: list[CloudError], error: CloudError
) -> None:
    unmarked.append(error)
    with sweep.swept([SITE], (), EVERYTHING) as found:
        assert found.problems == {}
        assert found.unread == {(SITE, "hers"): error.sentence()}
        assert "bucket-x" in {one.key.name for one in found.leftovers[0].teardown.go}
    delete(EVERYTHING)
    assert memory.count() == {}


def test_a_bucket_that_can_not_be_read_is_told_when_a_lab_is_adopted(
    lost: str, memory: Memory, unmarked: list[CloudError], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(progress, "say", said.append)
    unmarked.append(Auth("not for you"))
    assert adopt.adopt(lost, {}, SITE).drift == ()
    assert said == ["the bucket hers can't be read, so it counts as not made by chiops: not for you."]


def test_a_bucket_that_was_to_go_and_can_not_be_read_is_not_gone(
    lost: str, memory: Memory, unmarked: list[CloudError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stays(request: str) -> None:
        if request == "objects.delete":
            memory.of("bucket")["bucket-x"] = Bucket(id="bucket-x", name="bucket-x")
            memory.hook = refuse

    def refuse(request: str) -> None:
        if request == "objects.get":
            raise Auth("not for you")

    memory.after = stays
    delete(EVERYTHING, "not for you.")


def test_a_site_that_can_not_be_looked_at_is_a_line(lost: str, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(name: str) -> Memory:
        if name == "other":
            raise Auth("not signed in at other")
        if name == "nobody's":
            raise NoCredentials(f"there are no credentials for {name}")
        return memory

    monkeypatch.setattr(sites, "connect", connect)
    with sweep.swept(["other", SITE, "nobody's"], (), EVERYTHING) as found:
        assert found.problems == {"other": "not signed in at other."}
        assert found.not_mine == {"nobody's": "there are no credentials for nobody's."}
        assert [left.lab for left in found.leftovers] == ["lab"]


def test_an_adopted_lab_is_as_it_was(lost: str, memory: Memory) -> None:
    done = adopt.adopt(lost, {}, SITE)
    assert done.drift == ()
    assert memory.count() == ALL
    (known,) = status.status(check=False)
    assert (known.phase, len(known.parts)) == ("up", 5)
    assert bring_up(lost).changed == 0
    take_down(volume=True, bucket=True)
    assert memory.count() == {}


def test_a_lab_of_which_only_data_is_left_is_adopted_as_kept(lost: str, memory: Memory) -> None:
    delete(Purge())
    adopt.adopt(lost, {}, SITE)
    assert Journal().labs()[0].phase == "kept"


def test_settings_are_read_off_the_names(memory: Memory, tmp_path: Path, state: Path) -> None:
    path = write(tmp_path, TEMPLATE)
    up.up(path, {"net_id": "ff524", "bucket": "pictures"}, SITE, lambda _: None, nobody, configured=False)
    (state / "chiops.db").unlink()
    done = adopt.adopt(path, {}, SITE)
    assert done.settings == {"net_id": "ff524", "bucket": "pictures", "duration": "4h"}
    assert done.drift == ()


def test_a_lab_that_is_known_keeps_its_settings(memory: Memory, tmp_path: Path, state: Path) -> None:
    """A bucket made by hand with `--lab` has a name that a parameter could stand for."""
    path = write(tmp_path, TEMPLATE)
    up.up(path, {"net_id": "ff524", "bucket": "pictures"}, SITE, lambda _: None, nobody, configured=False)
    memory.of("bucket").pop("pictures")
    memory.of("bucket")["others"] = Bucket(id="others", name="others", mark=Mark("lab", ME.user_id))
    done = adopt.adopt(path, {}, SITE)
    assert done.settings["bucket"] == "pictures"


def test_nothing_to_adopt_is_an_error(memory: Memory, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nothing of the lab lab is at memory"):
        adopt.adopt(write(tmp_path), {}, SITE)
    assert Journal().labs() == []


def test_what_differs_from_the_file_is_told(lost: str, memory: Memory, tmp_path: Path) -> None:
    write(tmp_path, LAB.replace("size_gib: 2", "size_gib: 3"))
    assert [str(one) for one in adopt.adopt(lost, {}, SITE).drift] == ["volume data: size is 2 GiB, the lab says 3 GiB"]
