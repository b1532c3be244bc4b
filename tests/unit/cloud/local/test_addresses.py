"""Who has which address."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiops.cloud.base import Mark, State
from chiops.cloud.local.addresses import Addresses
from chiops.cloud.local.store import Store
from chiops.errors import Capacity, Conflict, NotFound

MARK = Mark("lab", "me")
POOL = ["10.0.0.10", "10.0.0.11"]


@pytest.fixture
def addresses(tmp_path: Path) -> Addresses:
    return Addresses(Store(tmp_path / "site.db"))


def test_a_server_keeps_its_address(addresses: Addresses) -> None:
    assert addresses.reserve_fixed("a", POOL) == POOL[0]
    assert addresses.reserve_fixed("b", POOL) == POOL[1]
    assert addresses.reserve_fixed("b", POOL) == POOL[1]
    assert addresses.fixed() == {"a": POOL[0], "b": POOL[1]}


def test_an_address_of_another_network_is_given_up(addresses: Addresses) -> None:
    addresses.reserve_fixed("a", ["192.168.0.10"])
    assert addresses.reserve_fixed("a", POOL) == POOL[0]
    assert addresses.fixed() == {"a": POOL[0]}


def test_addresses_run_out_and_come_back(addresses: Addresses) -> None:
    addresses.reserve_fixed("a", POOL)
    addresses.reserve_fixed("b", POOL)
    with pytest.raises(Capacity):
        addresses.reserve_fixed("c", POOL)
    addresses.forget_server("a")
    assert addresses.reserve_fixed("c", POOL) == POOL[0]


def test_floating_addresses_run_out(addresses: Addresses) -> None:
    assert [addresses.create(POOL, MARK).address for _ in POOL] == POOL
    with pytest.raises(Capacity):
        addresses.create(POOL, MARK)


def test_binding(addresses: Addresses) -> None:
    made = addresses.create(POOL, MARK)
    assert (made.state, made.mark) == (State.READY, MARK)
    assert addresses.bind(made.id, "a").state is State.IN_USE
    assert addresses.bind(made.id, "a").server_id == "a", "again is fine"
    with pytest.raises(Conflict):
        addresses.bind(made.id, "b")
    assert addresses.floating_of("a") == [made.address]
    unbound, had = addresses.unbind(made.id)
    assert (unbound.server_id, had) == ("", "a")
    with pytest.raises(NotFound):
        addresses.bind("no such address", "a")


def test_a_server_that_goes_leaves_its_floating_address_unbound(addresses: Addresses) -> None:
    made = addresses.bind(addresses.create(POOL, MARK).id, "a")
    addresses.forget_server("a")
    assert [(found.id, found.server_id) for found in addresses.floating()] == [(made.id, "")]
