"""One look at a site: all of it or an error for those who make things, what could be read for those who only look."""

from __future__ import annotations

from typing import cast

import pytest

from chiops.cloud.base import Cloud
from chiops.errors import Auth, Transient
from chiops.resources.kind import observe
from tests.support.memory import ME, Memory


def broken(*requests: str) -> Memory:
    """A site where these fail, each in its own way."""

    def fail(request: str) -> None:
        if request in requests:
            raise AttributeError("odd") if request == "volumes.list" else Transient(f"{request} failed")

    return Memory(hook=fail)


def test_one_list_that_fails_stops_who_makes_things() -> None:
    with pytest.raises(Transient, match=r"objects\.list failed"):
        observe(cast(Cloud, broken("objects.list")))


def test_who_only_looks_is_shown_the_rest_and_told_what_is_missing() -> None:
    memory = broken("objects.list", "volumes.list")
    memory.leases.create("l", end=None, reservations=(), mark=None)
    seen = observe(cast(Cloud, memory), tolerant=True)
    assert [lease.name for lease in seen.leases] == ["l"]
    assert {part: type(error) for part, error in seen.unread.items()} == {
        "buckets": Transient,
        "volumes": AttributeError,
    }
    assert (seen.me, seen.buckets, seen.volumes) == (ME, (), ())


@pytest.mark.parametrize("tolerant", [False, True])
def test_who_we_are_must_be_known_before_anything_else_is_asked(tolerant: bool) -> None:
    """Else each list would wait in turn for a Keystone that does not answer."""

    def fail(request: str) -> None:
        raise Auth("the token has expired") if request == "identity.whoami" else Transient(request)

    memory = Memory(hook=fail)
    with pytest.raises(Auth):
        observe(cast(Cloud, memory), tolerant=tolerant)
    assert memory.requests == ["identity.whoami"]
