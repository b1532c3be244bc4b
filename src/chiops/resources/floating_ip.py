"""Floating IPs: one per server that wants one; what its lease booked or a spare of this lab's is taken before a new one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from chiops.cloud.base import FloatingIp, Mark, Server
from chiops.errors import NotFound, NotOurs
from chiops.resources.kind import Op, Verdict, Workbench, expect
from chiops.resources.lease import servers_on


@dataclass(frozen=True)
class FloatingIpWanted:
    """An address for the server of that name."""

    server: str


class FloatingIpKind:
    noun = "floating IP"

    def judge(self, wanted: FloatingIpWanted, bench: Workbench) -> Verdict:
        servers = {
            server.id for server in bench.seen.servers if server.name == wanted.server and server.mark == bench.mark
        }
        for address in bench.seen.floating_ips:
            if address.server_id and address.server_id in servers:
                return Verdict(
                    Op.KEEP if address.mark == bench.mark else Op.USE, f"{address.address} is bound", address
                )
        return Verdict(Op.CREATE, f"reaches {wanted.server} from outside{_moved(bench)}")

    def make(self, wanted: FloatingIpWanted, bench: Workbench) -> FloatingIp:
        server = bench.get("server", wanted.server, Server)
        network = bench.cloud.network
        with bench.binding:
            # Asked anew: an earlier try may have allocated one and died before it was bound.
            there = network.floating_ips()
            spare = [*_booked(there, server, bench), *spares(there, bench.mark)]
            address = spare[0] if spare else network.create_floating_ip(mark=bench.mark)
            if address.server_id:
                address = network.unbind_floating_ip(address.id)
            return network.bind_floating_ip(address.id, server.id)

    def settle(self, wanted: FloatingIpWanted, found: object, bench: Workbench) -> object:  # noqa: ARG002
        return found

    mend = settle

    def take(self, found: object, bench: Workbench) -> None:
        """Release it, unless it has been moved to a server that is not the lab's since it was looked at.

        Raises:
            NotOurs: it has.
        """
        found = expect(FloatingIp, found)
        now = next((one for one in bench.cloud.network.floating_ips() if one.id == found.id), found)
        if now.server_id not in ("", found.server_id):
            others = {server.id: server.name for server in bench.cloud.compute.list() if server.mark != bench.mark}
            if now.server_id in others:
                raise NotOurs(
                    f"{found.address} leads to {others[now.server_id]} now, which is not the lab's",
                    todo="have it unbound by those who moved it",
                )
        try:
            bench.cloud.network.delete_floating_ip(found.id)
        except NotFound:
            return


def spares(addresses: Sequence[FloatingIp], mark: Mark) -> list[FloatingIp]:
    """The lab's addresses that lead nowhere, then those that a server has beside another of the lab's."""
    mine = [address for address in addresses if address.mark == mark]
    at = Counter(address.server_id for address in mine if address.server_id)
    free = [address for address in mine if not address.server_id]
    surplus = {address.server_id: address for address in mine if at[address.server_id] > 1}
    return [*free, *surplus.values()]


def _booked(addresses: Sequence[FloatingIp], server: Server, bench: Workbench) -> list[FloatingIp]:
    """Those that the server's lease has booked and that lead nowhere, or to the server that this one replaces.

    Blazar makes them, so they bear no mark of the lab; its lease does.
    """
    reserved = [address for address in addresses if address.reservation_id]
    leases = [lease for lease in bench.cloud.leases.list() if lease.mark == bench.mark] if reserved else []
    parts = {item.id for lease in leases if servers_on(lease, [server]) for item in lease.reservations}
    former = {one.id for one in bench.seen.servers if (one.name, one.mark) == (server.name, bench.mark)} - {server.id}
    return [one for one in reserved if one.reservation_id in parts and one.server_id in {"", *former}]


def _moved(bench: Workbench) -> str:
    """Addresses of the lab that were moved to servers which are not its own: left there, since somebody meant that."""
    names = {server.id: server.name for server in bench.seen.servers if server.mark != bench.mark}
    moved = [
        f"{address.address} leads to {names[address.server_id]} now and is left there"
        for address in bench.seen.floating_ips
        if address.mark == bench.mark and address.server_id in names
    ]
    return f"; {', '.join(moved)}" if moved else ""
