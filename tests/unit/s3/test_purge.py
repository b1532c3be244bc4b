"""Emptying buckets, against a server that misbehaves in every way that real ones do."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chiops.cloud.base import S3Access, S3Endpoint
from chiops.errors import DataError, Transient
from chiops.s3 import deletion, purge
from chiops.s3.purge import Gate, Purged
from tests.unit.s3.s3_server import Bucket, serving


@pytest.fixture(autouse=True)
def small_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of two, and no waiting."""
    monkeypatch.setattr(purge, "BATCH", 2)
    monkeypatch.setattr(Gate.__init__, "__defaults__", (lambda _: None,))


def test_everything_goes_and_is_counted() -> None:
    bucket = Bucket([f"k{index:02}" for index in range(11)])
    seen: list[Purged] = []
    with serving(bucket) as access:
        assert purge.purge(access, on_progress=seen.append) == Purged(objects=11, bytes=110)
    assert bucket.entries == []
    assert [total.objects for total in seen] == sorted(total.objects for total in seen)
    assert seen[-1].objects == 11


def test_an_empty_bucket_is_fine() -> None:
    with serving(Bucket([])) as access:
        assert purge.purge(access) == Purged()


def test_versions_and_delete_markers_go_too() -> None:
    bucket = Bucket(["a", "a", "a", "b", "c(gone)"], versioned=True)
    with serving(bucket) as access:
        assert purge.purge(access) == Purged(objects=2, bytes=20, versions=3)
    assert bucket.entries == []


def test_a_server_without_versioning_is_asked_for_objects() -> None:
    bucket = Bucket(["a", "b"])
    bucket.knows_versioning = False
    with serving(bucket) as access:
        assert purge.purge(access).objects == 2


def test_unfinished_uploads_go_too() -> None:
    bucket = Bucket(["a"])
    bucket.uploads = ["half", "quarter"]
    with serving(bucket) as access:
        assert purge.purge(access) == Purged(objects=1, bytes=10, uploads=2)
    assert bucket.uploads == []


def test_an_overloaded_server_gets_its_time() -> None:
    bucket = Bucket([f"k{index:02}" for index in range(40)])
    bucket.overloads = 5
    with serving(bucket) as access:
        assert purge.purge(access).objects == 40
    assert bucket.batches >= 20 + 5


def test_a_server_that_stays_overloaded_is_named() -> None:
    bucket = Bucket(["a"])
    bucket.overloads = 10_000
    with serving(bucket) as access, pytest.raises(Transient, match="SlowDown"):
        purge.purge(access)
    assert bucket.batches == deletion.ATTEMPTS


def test_a_key_that_will_not_go_is_named_and_the_others_go() -> None:
    bucket = Bucket(["a", "b", "locked", "x", "y", "z"])
    bucket.stuck = {"locked": "AccessDenied", "y": "AccessDenied"}
    bucket.uploads = ["half"]
    with serving(bucket) as access, pytest.raises(DataError) as told:
        purge.purge(access)
    assert bucket.keys == ["locked", "y"]
    assert re.fullmatch(
        r"The bucket b cannot be emptied: 4 objects \(40 B\), 1 unfinished uploads are gone, 2 would not go, "
        r"such as '(locked|y)': the S3 key is not allowed to do that\.",
        told.value.sentence(),
    )


def test_a_key_that_cannot_go_right_now_is_tried_again() -> None:
    bucket = Bucket(["a", "b"])
    bucket.stuck = {"a": "InternalError"}
    with serving(bucket) as access, pytest.raises(DataError, match=r"1 would not go, such as 'a'"):
        purge.purge(access)
    assert bucket.batches == 3 * deletion.ATTEMPTS, "all attempts, until a pass found no less than the one before"


def test_somebody_who_keeps_writing_does_not_keep_us() -> None:
    bucket = Bucket(["a", "b"])
    bucket.refills = True
    with (
        serving(bucket) as access,
        pytest.raises(DataError, match=r"objects .* are gone, 2 are there: .*still writing"),
    ):
        purge.purge(access)


def test_a_server_that_knows_no_batches_gets_single_requests() -> None:
    bucket = Bucket(["a", "b", "c"])
    bucket.refuses_batches = True
    with serving(bucket) as access:
        assert purge.purge(access).objects == 3
    assert bucket.entries == []


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), min_size=1, max_size=12, unique=True))
def test_keys_of_any_characters_go(keys: list[str]) -> None:
    bucket = Bucket([f"k{key}" for key in keys])
    with serving(bucket) as access:
        assert purge.purge(access).objects == len(keys)
    assert bucket.entries == []


def test_no_server_is_said_to_be_no_server() -> None:
    nowhere = S3Access(bucket="b", endpoint=S3Endpoint("http://127.0.0.1:1"), access="a", secret="s")
    with pytest.raises(Transient, match="no S3 server answers"):
        purge.purge(nowhere)


def test_the_gate_halves_at_overload_and_opens_again_slowly() -> None:
    waits: list[float] = []
    gate = Gate(8, waits.append)
    gate.overloaded(0)
    gate.overloaded(1)
    assert (gate.width, waits) == (2, [0.5, 1.0])
    for _ in range(2):
        gate.succeeded()
    assert gate.width == 3
    for _ in range(100):
        gate.succeeded()
    assert gate.width == 8
    for _ in range(5):
        gate.overloaded(9)
    assert gate.width == 1
    assert max(waits) == 8.0
