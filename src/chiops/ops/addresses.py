"""Floating IPs one at a time. Only addresses that we made, or that a lease of ours booked, are bound, unbound or given back."""

from __future__ import annotations

from collections.abc import Iterable

from chiops.cloud.base import FloatingIp, Lease, Mark, Server
from chiops.errors import Conflict
from chiops.ops import resolve, servers
from chiops.ops.desk import Confirm, Desk
from chiops.resources.floating_ip import FloatingIpKind
from chiops.resources.lease import servers_on

NOUN = "floating IP"


def find(desk: Desk, addresses: Iterable[FloatingIp], word: str) -> FloatingIp:
    """The floating IP of that address or id."""
    return resolve.one(addresses, word, NOUN, desk.site)


def create(desk: Desk, server: str | None = None) -> FloatingIp:
    """Allocate an address; or have one lead to a server of ours, if that is named.

    Raises:
        Quota, Capacity: the project's or the site's addresses are used up.
        NotOurs, Conflict: the server is not ours, or has an address already.
    """
    if server:
        return lead_to(desk, _target(desk, desk.cloud.compute.list(), server))
    with desk.change("create", NOUN, "") as (task, entry):
        address = desk.cloud.network.create_floating_ip(mark=desk.mark)
        entry.resource = address.id
        task.finish(address.address)
    return address


def lead_to(desk: Desk, server: Server) -> FloatingIp:
    """Have an address lead to a server of ours.

    The server's lease may have booked one; else a spare one of ours is taken, which a killed run may have left, or a new one.

    Raises:
        Quota, Capacity: the project's or the site's addresses are used up.
    """
    network = desk.cloud.network
    free = [one for one in network.floating_ips() if not one.server_id]
    leases = booked(desk, free)
    along = [one for one in free if one.id in leases and servers_on(leases[one.id], [server])]
    spare = [*along, *(one for one in free if one.mark == desk.mark)]
    with desk.change("bind", NOUN, f"to {server.name}") as (task, entry):
        address = spare[0] if spare else network.create_floating_ip(mark=desk.mark)
        entry.resource = address.id
        address = network.bind_floating_ip(address.id, server.id)
        task.finish(address.address)
    return address


def bind(desk: Desk, word: str, server: str) -> FloatingIp:
    """Have an address of ours lead to a server of ours; again to the same one changes nothing.

    Raises:
        NotOurs: the address or the server is not ours.
        Conflict: the address leads to another server, or the server has another address.
    """
    seen = desk.look("floating_ips", "servers")
    address, mark = _own(desk, seen.floating_ips, word)
    wanted = desk.own(servers.find(desk, seen.servers, server), "server", server)
    if address.server_id == wanted.id:
        return address
    if address.server_id:
        holder = next((one.name for one in seen.servers if one.id == address.server_id), address.server_id)
        raise Conflict(
            f"{address.address} leads to {holder}", todo=f"unbind it with `chiops fip unbind {address.address}`"
        )
    _target(desk, seen.servers, server)
    with desk.change("bind", NOUN, address.address, mark) as (_, entry):
        entry.resource = address.id
        return desk.cloud.network.bind_floating_ip(address.id, wanted.id)


def _target(desk: Desk, known: Iterable[Server], word: str) -> Server:
    server = desk.own(servers.find(desk, known, word), "server", word)
    if server.floating_address:
        raise Conflict(
            f"{server.name} has the address {server.floating_address}",
            todo=f"unbind it first with `chiops fip unbind {server.floating_address}`",
        )
    return server


def unbind(desk: Desk, word: str) -> FloatingIp:
    """Have an address of ours lead nowhere; it stays ours.

    Raises:
        NotOurs: it is not ours.
    """
    address, mark = _own(desk, desk.cloud.network.floating_ips(), word)
    if not address.server_id:
        return address
    with desk.change("unbind", NOUN, address.address, mark) as (_, entry):
        entry.resource = address.id
        return desk.cloud.network.unbind_floating_ip(address.id)


def delete(desk: Desk, word: str, confirm: Confirm) -> FloatingIp:
    """Give an address of ours back.

    Raises:
        NotOurs: it is not ours.
        Conflict: a lease of ours booked it, and it goes with that.
    """
    seen = desk.look("floating_ips", "servers")
    address = find(desk, seen.floating_ips, word)
    if lease := booked(desk, [address]).get(address.id):
        raise Conflict(
            f"{address.address} was booked with the lease {lease.name}, and goes when that ends",
            todo=f"`chiops fip unbind {address.address}` frees it for another server",
        )
    desk.own(address, NOUN, word)
    holder = next((one.name for one in seen.servers if one.id == address.server_id), address.server_id)
    confirm(f"Give {address.address} back? {holder} is reached over it." if holder else f"Give {address.address} back?")
    with desk.change("delete", NOUN, address.address, address.mark) as (_, entry):
        entry.resource = address.id
        FloatingIpKind().take(address, desk.bench(seen))
    return address


def booked(desk: Desk, addresses: Iterable[FloatingIp]) -> dict[str, Lease]:
    """The leases of ours that booked some of the addresses, by the address's id.

    Blazar makes such an address, so it bears no mark of ours; its lease does.
    """
    reserved = [one for one in addresses if one.reservation_id]
    leases = [one for one in desk.cloud.leases.list() if desk.is_ours(one)] if reserved else []
    holding = {item.id: lease for lease in leases for item in lease.reservations}
    return {one.id: holding[one.reservation_id] for one in reserved if one.reservation_id in holding}


def _own(desk: Desk, addresses: Iterable[FloatingIp], word: str) -> tuple[FloatingIp, Mark | None]:
    """An address that is ours to bind, and the mark that says so."""
    address = find(desk, addresses, word)
    if lease := booked(desk, [address]).get(address.id):
        return address, lease.mark
    return desk.own(address, NOUN, word), address.mark
