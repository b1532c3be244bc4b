"""Floating IPs one at a time. Only addresses that we made are bound, unbound or given back."""

from __future__ import annotations

from collections.abc import Iterable

from chiops.cloud.base import FloatingIp, Server
from chiops.errors import Conflict
from chiops.ops import resolve, servers
from chiops.ops.desk import Confirm, Desk
from chiops.resources.floating_ip import FloatingIpKind

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
    """Have an address lead to a server of ours: a spare one of ours, which a killed run may have left, or a new one.

    Raises:
        Quota, Capacity: the project's or the site's addresses are used up.
    """
    network = desk.cloud.network
    spare = [one for one in network.floating_ips() if one.mark == desk.mark and not one.server_id]
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
    address = desk.own(find(desk, seen.floating_ips, word), NOUN, word)
    wanted = desk.own(servers.find(desk, seen.servers, server), "server", server)
    if address.server_id == wanted.id:
        return address
    if address.server_id:
        holder = next((one.name for one in seen.servers if one.id == address.server_id), address.server_id)
        raise Conflict(
            f"{address.address} leads to {holder}", todo=f"unbind it with `chiops fip unbind {address.address}`"
        )
    _target(desk, seen.servers, server)
    with desk.change("bind", NOUN, address.address, address.mark) as (_, entry):
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
    address = desk.own(find(desk, desk.cloud.network.floating_ips(), word), NOUN, word)
    if not address.server_id:
        return address
    with desk.change("unbind", NOUN, address.address, address.mark) as (_, entry):
        entry.resource = address.id
        return desk.cloud.network.unbind_floating_ip(address.id)


def delete(desk: Desk, word: str, confirm: Confirm) -> FloatingIp:
    """Give an address of ours back.

    Raises:
        NotOurs: it is not ours.
    """
    seen = desk.look("floating_ips", "servers")
    address = desk.own(find(desk, seen.floating_ips, word), NOUN, word)
    holder = next((one.name for one in seen.servers if one.id == address.server_id), address.server_id)
    confirm(f"Give {address.address} back? {holder} is reached over it." if holder else f"Give {address.address} back?")
    with desk.change("delete", NOUN, address.address, address.mark) as (_, entry):
        entry.resource = address.id
        FloatingIpKind().take(address, desk.bench(seen))
    return address
