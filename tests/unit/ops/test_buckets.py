"""Buckets are never emptied unasked unless nothing is in them, whatever a count says, and emptied by whatever key is taken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import cast

import pytest

from chiops import progress
from chiops.cloud.base import Bucket as Found
from chiops.cloud.base import Cloud, S3Access, S3Endpoint, SiteFacts
from chiops.errors import Auth, CloudError, Conflict, DataError, Declined, Timeout
from chiops.ops import buckets
from chiops.ops.desk import Desk
from chiops.resources import waiting
from chiops.s3 import purge
from chiops.s3.purge import Gate, Purged
from tests.support import memory as memories
from tests.support.memory import Memory
from tests.support.things import MINE, credential
from tests.unit.s3.s3_server import PAGE, Bucket, serving

BULK = Purged(7, 70)


@dataclass
class Store:
    """The site's object store: one bucket, with a count that may lag, and a bulk-delete of its own."""

    at: Memory
    access: S3Access
    held: Bucket
    count: int = 0
    deleted: list[str] = field(default_factory=list)
    outpaces: bool = False
    broken: Exception | None = None

    def endpoint(self) -> S3Endpoint:
        return self.access.endpoint

    def get(self, name: str) -> Found:
        return Found(id=name, name=name, mark=MINE, objects=self.count, size_bytes=10 * self.count)

    def purge(self, name: str, on_progress: Callable[[int], None]) -> tuple[int, int]:
        if self.broken:
            raise self.broken
        on_progress(BULK.objects)
        self.held.entries.clear()
        return BULK.objects, BULK.bytes

    def outpaces_s3(self, name: str) -> bool:
        return self.outpaces

    def purge_segments(self, name: str) -> int:
        return 0

    def delete(self, name: str) -> None:
        if self.held.entries:
            raise Conflict("the bucket is not empty")
        self.deleted.append(name)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """What is in the bucket b, which is versioned; no request to it is waited for."""
    monkeypatch.setattr(purge, "BATCH", 2)
    monkeypatch.setattr(Gate.__init__, "__defaults__", (lambda _: None,))
    return Bucket([], versioned=True)


@pytest.fixture
def store(held: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with serving(held) as access:
        memory = Memory()
        store = Store(memory, access, held)
        monkeypatch.setitem(memories.SERVICES, "objects", lambda _: store)
        yield store


@pytest.fixture
def key(store: Store) -> str:
    """The key of the bucket's lab."""
    store.at.of("credential")["old"] = credential("old")
    return "old"


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(cast(Cloud, store.at), SiteFacts(name="memory", cloud="openstack"))


def no(_: object) -> None:
    raise Declined("nothing was changed")


def unasked(_: object) -> None:
    raise AssertionError("there was nothing to ask about")


HOLDINGS = {"fresh objects": ["a"], "old versions": ["a", "a(gone)"], "a delete marker": ["a(gone)"]}


@pytest.mark.parametrize("holding", HOLDINGS.values(), ids=HOLDINGS)
@pytest.mark.parametrize("deleting", [False, True], ids=["purge", "delete --purge"])
def test_what_is_not_counted_is_asked_for(
    desk: Desk, store: Store, key: str, held: Bucket, holding: list[str], deleting: bool
) -> None:
    held.entries = [(name, f"v{index}") for index, name in enumerate(holding)]

    def run(ask: buckets.Confirm) -> None:
        if deleting:
            buckets.delete(desk, "b", ask, purge_first=True)
        else:
            buckets.purge(desk, "b", ask)

    with pytest.raises(Declined):
        run(no)
    assert len(held.entries) == len(holding)
    asked: list[Found] = []
    run(asked.append)
    assert (len(asked), held.entries, store.deleted) == (1, [], ["b"] if deleting else [])


def test_ctrl_c_ends_a_purge_that_a_thread_is_at(
    store: Store, key: str, held: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.entries = [(f"o{number}", f"v{number}") for number in range(100)]
    monkeypatch.setattr(waiting, "cancel", threading.Event())
    waiting.cancel.set()
    with progress.task("purge") as task, pytest.raises(Timeout, match="interrupted"):
        buckets.purge_bucket(cast(Cloud, store.at), store.get("b"), task)
    assert held.entries


def test_an_unfinished_upload_is_asked_for_too(desk: Desk, key: str, held: Bucket) -> None:
    held.uploads = ["half"]
    with pytest.raises(Declined):
        buckets.purge(desk, "b", no)


def test_only_what_was_seen_to_be_empty_goes_unasked(desk: Desk, store: Store, key: str) -> None:
    assert buckets.purge(desk, "b", unasked) == Purged()
    store.count = 1
    with pytest.raises(Declined):
        buckets.purge(desk, "b", no)
    store.count = 0
    buckets.delete(desk, "b", unasked, purge_first=True)
    assert store.deleted == ["b"]


@pytest.mark.parametrize("why", ["no key", "refused", "no S3"])
def test_what_can_not_be_looked_into_is_asked_for(desk: Desk, store: Store, held: Bucket, why: str) -> None:
    if why != "no key":
        store.at.of("credential")["old"] = credential("old")
    held.refused = {"old"} if why == "refused" else set()
    held.offered = why != "no S3"
    before = dict(store.at.of("credential"))
    with pytest.raises(Declined):
        buckets.purge(desk, "b", no)
    assert store.at.of("credential") == before


def test_without_purge_old_versions_are_named(desk: Desk, store: Store, held: Bucket) -> None:
    held.entries = [("a", "v0"), ("a(gone)", "v1")]
    with pytest.raises(Conflict, match=r"old versions or unfinished uploads\. Add --purge"):
        buckets.delete(desk, "b", unasked, purge_first=False)
    store.count = 3
    with pytest.raises(Conflict, match="holds 3 objects"):
        buckets.delete(desk, "b", unasked, purge_first=False)
    assert held.entries


def emptied(store: Store) -> Purged:
    with progress.task("purge") as task:
        return buckets.purge_bucket(cast(Cloud, store.at), store.get("b"), task)


def test_a_key_that_is_refused_gives_way_to_a_new_one(store: Store, key: str, held: Bucket) -> None:
    held.entries, held.refused = [("a", "v0")], {"old"}
    assert emptied(store) == Purged(1, 10)
    assert (list(store.at.of("credential")), held.entries) == (["old"], [])


@pytest.mark.parametrize("why", ["all keys refused", "no S3", "no new key"])
def test_where_no_key_is_taken_the_store_empties_it_itself(store: Store, key: str, held: Bucket, why: str) -> None:
    def refuse(request: str) -> None:
        if request == "identity.create_ec2_credential":
            raise Auth("an application credential gets no key")

    held.entries = [("a", "v0")]
    held.refused = {"old", *(f"key-{number}" for number in range(9))} if why != "no S3" else set()
    held.offered = why != "no S3"
    if why == "no new key":
        store.at.hook = refuse
    assert emptied(store) == BULK
    assert (list(store.at.of("credential")), held.entries) == (["old"], [])


def test_the_faster_way_goes_first_and_s3_looks_for_what_it_left(store: Store, key: str, held: Bucket) -> None:
    held.entries, held.uploads, store.outpaces = [("a", "v0")], ["half"], True
    assert emptied(store) == BULK + Purged(uploads=1)
    assert (held.entries, held.uploads, held.batches) == ([], [], 0)


@pytest.mark.parametrize("error", [CloudError("it knows no bulk-delete"), Timeout("it did not answer"), Auth("no")])
def test_where_the_faster_way_fails_s3_does_it(store: Store, key: str, held: Bucket, error: Exception) -> None:
    held.entries, store.outpaces, store.broken = [("a", "v0"), ("b", "v1")], True, error
    assert emptied(store) == Purged(2, 20)


def test_what_would_not_go_the_faster_way_is_told_with_what_went(store: Store, key: str, held: Bucket) -> None:
    held.entries, store.outpaces, store.broken = [("a", "v0")], True, DataError("7 are gone, 1 would not go")
    with pytest.raises(DataError, match="7 are gone"):
        emptied(store)
    assert held.entries


def test_the_faster_way_without_any_key(store: Store, held: Bucket) -> None:
    def refuse(request: str) -> None:
        if request == "identity.create_ec2_credential":
            raise Auth("an application credential gets no key")

    store.at.hook, store.outpaces = refuse, True
    held.entries = [("a", "v0")]
    assert emptied(store).objects == 2 * BULK.objects  # the fake deletes as many each time


def test_what_went_before_a_key_was_revoked_counts(store: Store, key: str, held: Bucket) -> None:
    held.entries = [(f"k{index:02}", "v") for index in range(12)]
    told: list[float] = []

    class Task:
        def note(self, text: str) -> None: ...
        def finish(self, text: str = "") -> None: ...
        def advance(self, done: float, *, total: float | None = None, unit: str = "") -> None:
            told.append(done)
            if done >= 4:
                held.refused = {"old"}

    gone = buckets.purge_bucket(cast(Cloud, store.at), store.get("b"), Task())
    assert held.entries == []
    assert told == sorted(told)
    assert 4 < gone.objects == told[-1] <= 12  # a batch may go whose answer nobody waits for any more


def test_a_key_that_would_not_go_is_no_matter_of_keys(store: Store, key: str, held: Bucket) -> None:
    held.entries, held.stuck = [("a", "v0"), ("locked", "v1")], {"locked": "AccessDenied"}
    with pytest.raises(DataError, match=r"1 objects \(10 B\) are gone, 1 would not go, such as 'locked'"):
        emptied(store)
    assert "identity.create_ec2_credential" not in store.at.requests


@pytest.mark.parametrize(("objects", "first"), [(2 * PAGE, None), (2 * PAGE + 1, 2 * PAGE)])
def test_a_last_change_says_how_much_was_looked_at(
    store: Store, held: Bucket, monkeypatch: pytest.MonkeyPatch, objects: int, first: int | None
) -> None:
    monkeypatch.setattr(buckets, "LOOKED_AT_PAGES", 2)
    held.entries = [(f"k{index}", "v") for index in range(objects)]
    written = buckets.last_change(cast(Cloud, store.at), store.get("b"), [credential("old")])
    assert written == buckets.Written(datetime(2026, 11, 20, 12, tzinfo=UTC), first)
    assert written.words().endswith(" or later, by its first 6 objects") == bool(first)


def test_a_bucket_that_no_key_opens_has_no_last_change(store: Store, held: Bucket) -> None:
    held.refused = {"old"}
    at, bucket = cast(Cloud, store.at), store.get("b")
    assert buckets.last_change(at, bucket, [credential("old")]) is None
    assert buckets.last_change(at, replace(bucket, mark=None), [credential("old")]) is None
