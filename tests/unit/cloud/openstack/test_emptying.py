"""Emptying a container without a key to S3."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest

from chiops.cloud.openstack.cloud import OpenStackCloud
from chiops.cloud.openstack.emptying import empty
from chiops.errors import Auth, DataError, NotFound
from tests.unit.cloud.openstack.stub import PATHS, Answer, Stub

ACCOUNT = PATHS["object-store"]


def nothing_more(_: object) -> None:
    """No pause, and no report."""


def holding(stub: Stub, *names: str, lag: int = 0, **answer: Any) -> list[str]:
    """A container that holds these; its listing shows what is gone for ``lag`` more looks."""
    held, seen, lagging = list(names), list(names), [lag]

    def listed(_: dict[str, Any]) -> Answer:
        if lagging[0] and not held:
            lagging[0] -= 1
        elif not lagging[0]:
            seen[:] = held
        return Answer(200, [{"name": name, "bytes": 10} for name in seen])

    def deleted(request: dict[str, Any]) -> Answer:
        asked = [unquote(line).removeprefix("b/") for line in request["text"].splitlines()]
        gone = [name for name in asked if name in held]
        if not answer:
            held[:] = [name for name in held if name not in gone]
        told = {"Number Deleted": len(gone), "Number Not Found": len(asked) - len(gone), "Errors": []}
        return Answer(200, {**told, **answer})

    stub.on("GET", f"{ACCOUNT}/b", listed)
    stub.on("POST", ACCOUNT, deleted)
    return held


def test_whatever_the_names_are(stub: Stub, cloud: OpenStackCloud) -> None:
    held = holding(stub, "a b", "ü/%41?#", "new\nline", "+")
    counts: list[int] = []
    assert empty(cloud._site, "b", counts.append) == (4, 40)
    assert (held, counts) == ([], [4])


def test_a_listing_that_lags_behind_is_waited_for(stub: Stub, cloud: OpenStackCloud) -> None:
    holding(stub, "a", lag=3)
    pauses: list[float] = []
    assert empty(cloud._site, "b", sleep=pauses.append) == (1, 10)
    assert 0 < len(pauses) <= 3


def test_one_that_never_comes_up_to_date_is_told(stub: Stub, cloud: OpenStackCloud) -> None:
    holding(stub, "a", lag=10**6)
    with pytest.raises(DataError, match="still lists"):
        empty(cloud._site, "b", sleep=nothing_more)


def test_an_object_that_would_not_go_is_named(stub: Stub, cloud: OpenStackCloud) -> None:
    holding(stub, "a", Errors=[["/b/a", "409 Conflict"]])
    with pytest.raises(DataError, match="'/b/a' would not go: 409 Conflict"):
        empty(cloud._site, "b")


def test_a_container_that_is_not_there_and_one_that_is_not_for_us(stub: Stub, cloud: OpenStackCloud) -> None:
    with pytest.raises(NotFound, match="no bucket b"):
        empty(cloud._site, "b")
    stub.on("GET", f"{ACCOUNT}/b", Answer(403))
    with pytest.raises(Auth):
        empty(cloud._site, "b")
