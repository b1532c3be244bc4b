"""Floating IPs: one per server that wants one; a spare of this lab's is taken before a new one is allocated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from chiops.cloud.base import FloatingIp, Mark, Server
from chiops.errors import NotFound
from chiops.resources.kind import Op, Verdict, Workbench, expect


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
            spare = spares(network.floating_ips(), bench.mark)
            address = spare[0] if spare else network.create_floating_ip(mark=bench.mark)
            if address.server_id:
                address = network.unbind_floating_ip(address.id)
            return network.bind_floating_ip(address.id, server.id)

    def settle(self, wanted: FloatingIpWanted, found: object, bench: Workbench) -> object:  # noqa: ARG002
        return found

    mend = settle

    def take(self, found: object, bench: Workbench) -> None:
        found = expect(FloatingIp, found)
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


def _moved(bench: Workbench) -> str:
    """Addresses of the lab that were moved to servers which are not its own: left there, since somebody meant that."""
    names = {server.id: server.name for server in bench.seen.servers if server.mark != bench.mark}
    moved = [
        f"{address.address} leads to {names[address.server_id]} now and is left there"
        for address in bench.seen.floating_ips
        if address.mark == bench.mark and address.server_id in names
    ]
    return f"; {', '.join(moved)}" if moved else ""
