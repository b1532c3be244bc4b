"""Single addresses: what a killed run allocated is bound before another one is."""

from __future__ import annotations

import pytest

from chiops.cloud.base import Reservation, SiteFacts
from chiops.errors import Conflict, NotOurs
from chiops.ops import addresses
from chiops.ops.desk import Desk
from tests.support.memory import SITE, Memory
from tests.support.things import LABS, MINE, THEIRS, address, lease, server


@pytest.fixture
def memory() -> Memory:
    """A site with a server of ours, an address of another's and one of a lab."""
    cloud = Memory()
    cloud.of("server")["id-n"] = server()
    cloud.of("floating_ip").update({"hers": address(id="hers", mark=THEIRS), "labs": address(id="labs", mark=LABS)})
    return cloud


def at(memory: Memory) -> Desk:
    return Desk(memory, SiteFacts(name=SITE, cloud="openstack"))


def test_a_spare_of_ours_that_is_no_labs_is_bound_before_another_is_allocated(memory: Memory) -> None:
    memory.of("floating_ip")["spare"] = address(id="spare", mark=MINE)
    bound = addresses.create(at(memory), "n")
    assert (bound.id, bound.server_id) == ("spare", "id-n")
    assert "network.create_floating_ip" not in memory.requests


def test_a_run_that_was_killed_leaves_no_second_address(memory: Memory) -> None:
    def killed(request: str) -> None:
        if request == "network.bind_floating_ip":
            raise KeyboardInterrupt

    memory.hook = killed
    with pytest.raises(KeyboardInterrupt):
        addresses.create(at(memory), "n")
    memory.hook = lambda _: None
    assert addresses.create(at(memory), "n").server_id == "id-n"
    assert len(memory.of("floating_ip")) == 3


def test_one_that_leads_to_another_server_stays_there(memory: Memory) -> None:
    two = {id_: address(f"192.0.2.{id_}", id=id_, mark=MINE, server_id="id-m") for id_ in ("8", "9")}
    memory.of("floating_ip").update(two)
    assert addresses.create(at(memory), "n").id not in two
    assert {memory.of("floating_ip")[id_].server_id for id_ in two} == {"id-m"}


def test_neither_a_labs_nor_anothers_is_taken(memory: Memory) -> None:
    assert addresses.create(at(memory), "n").id not in ("hers", "labs")
    assert {memory.of("floating_ip")[id_].server_id for id_ in ("hers", "labs")} == {""}


def test_without_a_server_each_is_a_new_one(memory: Memory) -> None:
    memory.of("floating_ip")["spare"] = address(id="spare", mark=MINE)
    assert addresses.create(at(memory)).id != "spare"


def test_a_server_that_has_an_address_gets_no_second(memory: Memory) -> None:
    memory.of("server")["id-n"] = server(floating_address="192.0.2.9")
    with pytest.raises(Conflict, match="has the address"):
        addresses.create(at(memory), "n")


def book(memory: Memory, **changes: object) -> None:
    """A lease of ours with one address, made by Blazar and thus without a mark, and the reservation of a server."""
    ip = Reservation(id="r-ip", kind="virtual:floatingip", status="active")
    memory.of("lease")["id-l"] = lease(**{"reservations": (*lease().reservations, ip), **changes})
    memory.of("floating_ip")["booked"] = address(id="booked", mark=None, reservation_id="r-ip")


def test_what_the_servers_lease_booked_is_bound_before_a_spare(memory: Memory) -> None:
    book(memory)
    memory.of("floating_ip")["spare"] = address(id="spare", mark=MINE)
    assert addresses.create(at(memory), "n").id == "booked"


def test_what_another_lease_booked_is_for_those_who_name_it(memory: Memory) -> None:
    book(memory, id="id-other", reservations=(Reservation(id="r-ip", kind="virtual:floatingip", status="active"),))
    assert addresses.create(at(memory), "n").id != "booked"
    memory.of("server")["id-m"] = server("m")
    assert addresses.bind(at(memory), "booked", "m").server_id == "id-m"
    assert addresses.unbind(at(memory), "booked").server_id == ""


def test_what_a_lease_booked_is_not_given_back(memory: Memory) -> None:
    book(memory)
    with pytest.raises(Conflict, match="booked with the lease l"):
        addresses.delete(at(memory), "booked", lambda _: None)
    assert "booked" in memory.of("floating_ip")


def test_what_anothers_lease_booked_is_theirs(memory: Memory) -> None:
    book(memory, mark=THEIRS)
    with pytest.raises(NotOurs):
        addresses.bind(at(memory), "booked", "n")
    with pytest.raises(NotOurs):
        addresses.delete(at(memory), "booked", lambda _: None)
    assert addresses.create(at(memory), "n").id != "booked"


def test_leases_are_not_asked_for_where_no_address_was_booked(memory: Memory) -> None:
    addresses.create(at(memory), "n")
    assert "leases.list" not in memory.requests
