"""The state folder is lost: what is at the sites is found by its mark, deleted on request or taken up again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from chiops.cloud import sites
from chiops.cloud.base import Bucket, Mark, Server
from chiops.errors import Auth, NotFound, UsageError
from chiops.lab import adopt, release, status, sweep, up
from chiops.lab.journal import Journal
from chiops.lab.survey import Purge
from chiops.ops.desk import NO_LAB
from tests.support.memory import SITE, Memory
from tests.unit.lab.labs import ALL, DATA, LAB, bring_up, nobody, take_down, write

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


def delete(purge: Purge) -> None:
    with sweep.swept([SITE], (), purge) as found:
        for left in found.leftovers:
            sweep.take(left, nobody, purge)


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


def test_a_lab_that_is_known_is_no_leftover(memory: Memory, tmp_path: Path) -> None:
    bring_up(write(tmp_path))
    assert look() == {}
    with pytest.raises(UsageError, match="Use `chiops down lab`"):
        look("lab")
    take_down()
    assert look() == {}


def test_a_bucket_that_is_listed_without_its_mark_is_found(
    lost: str, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unmarked:
        def __init__(self, objects: object) -> None:
            self.objects = objects

        def list(self) -> list[Bucket]:
            return [Bucket(id="bucket-x", name="bucket-x")]

        def __getattr__(self, name: str) -> object:
            return getattr(self.objects, name)

    monkeypatch.setattr(Memory, "objects", property(lambda self: Unmarked(self.__getattr__("objects"))), raising=False)
    assert "bucket-x" in look()["lab"]


def test_a_site_that_can_not_be_looked_at_is_a_line(lost: str, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(name: str) -> Memory:
        if name == "other":
            raise Auth("not signed in at other")
        return memory

    monkeypatch.setattr(sites, "connect", connect)
    with sweep.swept(["other", SITE], (), EVERYTHING) as found:
        assert found.problems == {"other": "not signed in at other."}
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


def test_nothing_to_adopt_is_an_error(memory: Memory, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nothing of the lab lab is at memory"):
        adopt.adopt(write(tmp_path), {}, SITE)
    assert Journal().labs() == []


def test_what_differs_from_the_file_is_told(lost: str, memory: Memory, tmp_path: Path) -> None:
    write(tmp_path, LAB.replace("size_gib: 2", "size_gib: 3"))
    assert [str(one) for one in adopt.adopt(lost, {}, SITE).drift] == ["volume data: size is 2 GiB, the lab says 3 GiB"]
