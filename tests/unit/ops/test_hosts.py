"""Why a lease of hosts was refused."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiops.cloud.base import NodeType
from chiops.errors import Capacity, CloudError, NotFound
from chiops.ops import booking, hosts
from chiops.ops.desk import Desk
from tests.unit.ops.site import desk

UNKNOWN = NotFound("booking failed", why="BlazarDBNotFound: A database error occurred")
FULL = Capacity("booking failed", why="Not enough hosts available")
KNOWN = (NodeType(name="compute_skylake"), NodeType(name="gpu_rtx_6000"))


def told(refused: CloudError, node_type: str, known: object = KNOWN) -> CloudError:
    """What the person learns when Blazar refuses a lease of that type so."""
    site = desk()

    class Leases:
        def node_types(self) -> object:
            if isinstance(known, Exception):
                raise known
            return known

    cast(Any, site.cloud).leases = Leases()
    with pytest.raises(CloudError) as caught, hosts.explained(site, booking.reservations([], 1, node_type)):
        raise refused
    return caught.value


@pytest.mark.parametrize("refused", [UNKNOWN, FULL])
def test_a_type_that_is_not_there_is_told_with_those_that_are(refused: CloudError) -> None:
    sentence = told(refused, "gpu_rtx_600").sentence()
    assert "there is no node type 'gpu_rtx_600' at somewhere" in sentence
    assert "Did you mean 'gpu_rtx_6000'? There are compute_skylake, gpu_rtx_6000" in sentence
    assert "BlazarDB" not in sentence


def test_a_type_that_is_booked_out_is_no_room() -> None:
    assert told(FULL, "gpu_rtx_6000") is FULL


def test_where_nobody_tells_the_types_the_refusal_is_still_plain() -> None:
    untold = NotFound("somewhere does not tell", todo="ask the help desk")
    sentence = told(UNKNOWN, "x", untold).sentence()
    assert sentence == "no host at somewhere has the node type 'x': somewhere does not tell. Ask the help desk."
    assert told(FULL, "x", untold) is FULL


def test_flavors_are_no_hosts() -> None:
    site: Desk = desk()
    with pytest.raises(NotFound) as caught, hosts.explained(site, booking.reservations(["m1.large"], 1)):
        raise UNKNOWN
    assert caught.value is UNKNOWN


def test_types_are_found_within_filters() -> None:
    given = json.dumps(["or", ["=", "$node_type", "a"], [">", "$ram", "5"]])
    assert hosts.asked_types(booking.reservations([], 1, "b", given)) == ["b", "a"]


JSON = st.recursive(st.text(max_size=5) | st.integers() | st.none(), lambda inner: st.lists(inner, max_size=3))


@given(JSON.map(json.dumps) | st.text(max_size=20))
def test_a_filter_is_the_same_as_itself_and_as_one_not_told(properties: str) -> None:
    assert hosts.same(properties, properties)
    assert hosts.same(properties, "")
    assert hosts.described(properties).startswith("host")
