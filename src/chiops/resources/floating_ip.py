"""Floating IPs: one per server that wants one; a spare of this lab's is taken before a new one is allocated."""

from __future__ import annotations

from dataclasses import dataclass

from chiops.cloud.base import FloatingIp, Server
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
        return Verdict(Op.CREATE, f"reaches {wanted.server} from outside")

    def make(self, wanted: FloatingIpWanted, bench: Workbench) -> FloatingIp:
        server = bench.get("server", wanted.server, Server)
        network = bench.cloud.network
        with bench.binding:
            # Asked anew: an earlier try may have allocated one and died before it was bound.
            spare = [ip for ip in network.floating_ips() if ip.mark == bench.mark and not ip.server_id]
            address = spare[0] if spare else network.create_floating_ip(mark=bench.mark)
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
