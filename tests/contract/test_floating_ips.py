"""Addresses of our own: bound to one server at most, and answering as that server."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from chiops.cloud.base import Cloud, FloatingIp, ReservationRequest, Server
from chiops.errors import Conflict, InvalidRequest, NotFound
from tests.support.nodes import as_root, node_at, port_answers, wait_ssh
from tests.support.poll import wait_for
from tests.support.scratch import Scratch
from tests.support.target import NewServer


def listed(cloud: Cloud, floating_ip_id: str) -> FloatingIp:
    """The address as the cloud lists it."""
    (found,) = (found for found in cloud.network.floating_ips() if found.id == floating_ip_id)
    return found


def test_create_bind_unbind_delete(cloud: Cloud, scratch: Scratch, new_server: NewServer) -> None:
    server, made = new_server(), scratch.floating_ip()
    assert IPv4Address(made.address)
    assert made.name == made.address
    assert (made.server_id, made.mark) == ("", scratch.mark)
    assert listed(cloud, made.id).mark == scratch.mark

    bound = cloud.network.bind_floating_ip(made.id, server.id)
    assert (bound.id, bound.address, bound.server_id) == (made.id, made.address, server.id)
    assert listed(cloud, made.id).server_id == server.id
    shown = cloud.compute.get(server.id)
    assert (shown.floating_address, shown.fixed_address) == (made.address, server.fixed_address)
    assert made.address in {found.floating_address for found in cloud.compute.list() if found.id == server.id}

    assert cloud.network.unbind_floating_ip(made.id).server_id == ""
    assert listed(cloud, made.id).server_id == ""
    assert cloud.compute.get(server.id).floating_address == ""
    cloud.network.delete_floating_ip(made.id)
    assert made.id not in {found.id for found in cloud.network.floating_ips()}
    with pytest.raises(NotFound):
        cloud.network.delete_floating_ip(made.id)


def test_a_bound_address_answers_as_its_server_and_an_unbound_one_does_not(
    real_nodes: None, cloud: Cloud, scratch: Scratch, new_server: NewServer, key: tuple[Path, str]
) -> None:
    server, address = new_server(), scratch.floating_ip()
    assert not port_answers(address.address, 22)
    cloud.network.bind_floating_ip(address.id, server.id)
    node = node_at(address.address, key[0], server_id=server.id)
    wait_ssh(node, within=scratch.target.patience)
    assert as_root(node, "hostname") == server.name
    cloud.network.unbind_floating_ip(address.id)
    wait_for("silence", lambda: not port_answers(address.address, 22), within=scratch.target.patience)


def test_an_address_moves_to_another_server(
    real_nodes: None, cloud: Cloud, scratch: Scratch, new_server: NewServer, key: tuple[Path, str]
) -> None:
    first, second, address = new_server(), new_server(), scratch.floating_ip()
    for server in (first, second):
        cloud.network.bind_floating_ip(address.id, server.id)
        node = node_at(address.address, key[0], server_id=server.id)
        wait_ssh(node, within=scratch.target.patience)
        assert as_root(node, "hostname") == server.name
        cloud.network.unbind_floating_ip(address.id)


def test_an_address_is_never_bound_twice(cloud: Cloud, scratch: Scratch, new_server: NewServer) -> None:
    servers, address = [new_server(), new_server()], scratch.floating_ip()

    def bind(server: Server) -> None:
        with suppress(Conflict):
            cloud.network.bind_floating_ip(address.id, server.id)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(bind, servers))
    holder = listed(cloud, address.id).server_id
    assert holder in {server.id for server in servers}
    assert {found.id for found in cloud.compute.list() if found.floating_address == address.address} == {holder}
    assert [cloud.compute.get(s.id).floating_address == address.address for s in servers].count(True) == 1


def test_addresses_differ(cloud: Cloud, scratch: Scratch) -> None:
    assert scratch.floating_ip().address != scratch.floating_ip().address


def test_deleting_a_server_frees_its_address(cloud: Cloud, scratch: Scratch, new_server: NewServer) -> None:
    server, address = new_server(), scratch.floating_ip()
    cloud.network.bind_floating_ip(address.id, server.id)
    cloud.compute.delete(server.id)
    wait_for(
        "address free",
        lambda: listed(cloud, address.id),
        until=lambda found: found.server_id == "",
        within=scratch.target.patience,
    )


def test_what_is_unknown_is_not_found(cloud: Cloud, scratch: Scratch, shared_server: Server) -> None:
    unknown, address = str(uuid.uuid4()), scratch.floating_ip()
    asked: list[Callable[[], object]] = [
        lambda: cloud.network.bind_floating_ip(unknown, shared_server.id),
        lambda: cloud.network.bind_floating_ip(address.id, unknown),
        lambda: cloud.network.unbind_floating_ip(unknown),
        lambda: cloud.network.delete_floating_ip(unknown),
    ]
    for ask in asked:
        with pytest.raises(NotFound):
            ask()
    assert listed(cloud, address.id).server_id == ""


def test_what_a_lease_booked_leads_to_a_server_and_goes_with_the_lease(
    cloud: Cloud, scratch: Scratch, shared_server: Server
) -> None:
    """Or the cloud says that it books none, and nothing is booked."""
    before = {found.id for found in cloud.leases.list()}
    try:
        lease = scratch.ready(scratch.book(ReservationRequest(kind="virtual:floatingip", amount=2)))
    except InvalidRequest:
        assert {found.id for found in cloud.leases.list()} == before
        return
    (reservation,) = lease.reservations
    assert (reservation.kind, reservation.amount) == ("virtual:floatingip", 2)
    along = [found for found in cloud.network.floating_ips() if found.reservation_id == reservation.id]
    assert len({found.address for found in along}) == 2
    assert {(found.server_id, found.mark) for found in along} == {("", None)}, "their lease has the mark"
    bound = cloud.network.bind_floating_ip(along[0].id, shared_server.id)
    assert (bound.server_id, bound.reservation_id) == (shared_server.id, reservation.id)
    assert cloud.compute.get(shared_server.id).floating_address == bound.address
    cloud.leases.delete(lease.id)
    wait_for(
        "the lease's addresses gone",
        lambda: {found.id for found in cloud.network.floating_ips()}.isdisjoint(found.id for found in along),
        within=scratch.target.patience,
    )
    assert cloud.compute.get(shared_server.id).floating_address == ""
