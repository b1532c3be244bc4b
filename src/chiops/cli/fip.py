"""``chiops fip``: floating IPs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from chiops.cli.common import app as group
from chiops.cli.common import command, confirm, options
from chiops.cli.shown import ForLabOption, document, whose
from chiops.output import emit

if TYPE_CHECKING:
    from chiops.cloud.base import FloatingIp, Lease
    from chiops.ops.desk import Desk

app = group("fip", "Floating IPs: addresses that are reached from outside.")
AddressArgument = Annotated[str, typer.Argument(metavar="ADDRESS", help="The address, or its id.")]
ServerArgument = Annotated[str, typer.Argument(metavar="SERVER", help="The server's name or id.")]


@command(app, "list", epilog="Example: chiops fip list")
def list_() -> None:
    """List the project's floating IPs and where they lead."""
    from chiops.ops import addresses
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        seen = desk.look("floating_ips", "servers")
        leases = addresses.booked(desk, seen.floating_ips)
        names = {server.id: server.name for server in seen.servers}
        rows = [
            {
                "address": one.address,
                "server": names.get(one.server_id, one.server_id),
                "status": one.status,
                "whose": f"yours, lease {leases[one.id].name}" if one.id in leases else whose(desk, one),
                "id": one.id,
            }
            for one in seen.floating_ips
        ]
        shown = [_document(desk, one, leases, server=names.get(one.server_id, "")) for one in seen.floating_ips]
    emit(shown, options.output, table=rows, text="" if rows else "No floating IPs.")


@command(app, "create", epilog="Example: chiops fip create --server node-block-netID")
def create(
    server: Annotated[
        str | None, typer.Option(help="Bind it to this server, by name or id.", show_default=False)
    ] = None,
    lab: ForLabOption = None,
) -> None:
    """Allocate a floating IP. With --server have one lead there: a spare one of ours first."""
    from chiops.ops import addresses
    from chiops.ops.desk import opened

    with opened(options.site, lab) as desk:
        _emit(desk, addresses.create(desk, server), f" leads to {server}." if server else " is yours.")


@command(app, "bind", epilog="Example: chiops fip bind 192.0.2.7 node-block-netID")
def bind(address: AddressArgument, server: ServerArgument) -> None:
    """Have a floating IP of ours lead to a server of ours."""
    from chiops.ops import addresses
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        _emit(desk, addresses.bind(desk, address, server), f" leads to {server}.")


@command(app, "unbind", epilog="Example: chiops fip unbind 192.0.2.7")
def unbind(address: AddressArgument) -> None:
    """Have a floating IP of ours lead nowhere; it stays ours."""
    from chiops.ops import addresses
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        _emit(desk, addresses.unbind(desk, address), " leads nowhere.")


@command(app, "delete", epilog="Example: chiops fip delete 192.0.2.7")
def delete(address: AddressArgument) -> None:
    """Give a floating IP of ours back."""
    from chiops.ops import addresses
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        gone = addresses.delete(desk, address, confirm)
    emit({"deleted": gone.address, "id": gone.id}, options.output, text=f"Gave {gone.address} back.")


def _emit(desk: Desk, address: FloatingIp, words: str) -> None:
    from chiops.ops import addresses

    shown = _document(desk, address, addresses.booked(desk, [address]))
    emit(shown, options.output, text=f"{address.address}{words}")


def _document(desk: Desk, address: FloatingIp, leases: Mapping[str, Lease], **more: object) -> dict[str, object]:
    """As JSON shows it; what a lease of ours booked is ours, too."""
    shown = document(desk, address, **more)
    return {**shown, "ours": True, "lease": leases[address.id].name} if address.id in leases else {**shown, "lease": ""}
