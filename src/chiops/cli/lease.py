"""``chiops lease``: bookings of servers, hosts and addresses until an end time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from chiops.cli.common import app as group
from chiops.cli.common import command, confirm, options
from chiops.cli.shown import ForLabOption, document, whose
from chiops.names import format_duration
from chiops.output import emit

if TYPE_CHECKING:
    from chiops.cloud.base import Lease
    from chiops.ops.desk import Desk

app = group("lease", "Leases: servers, hosts and addresses, booked until an end time.")
NameArgument = Annotated[str, typer.Argument(metavar="LEASE", help="The lease's name or id.")]
DEFAULT_DURATION = "4h"


@command(app, "list", epilog="Example: chiops lease list -o json")
def list_(
    all_: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
) -> None:
    """List the project's leases, ours and others', with the time they have left."""
    from chiops.cloud.base import State
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        leases = [one for one in desk.cloud.leases.list() if all_ or one.state is not State.ENDED]
        rows = [_row(desk, one) for one in leases]
        shown = [document(desk, one, seconds_left=_seconds(one)) for one in leases]
    emit(shown, options.output, table=rows, text="" if rows else "No leases.")


@command(app, "show", epilog="Example: chiops lease show lease-block-netID")
def show(name: NameArgument) -> None:
    """Show a lease: what it books, the time left, and the servers and addresses that go when it ends."""
    from chiops.ops import leases
    from chiops.ops.desk import opened
    from chiops.resources.lease import servers_on

    with opened(options.site) as desk:
        seen = desk.look("leases", "servers", "floating_ips")
        found = leases.find(desk, seen.leases, name)
        servers = [server.name for server in servers_on(found, seen.servers)]
        addresses = [one.address for one in leases.addresses_of(found, seen.floating_ips)]
        row = {**_row(desk, found), "servers": ", ".join(servers), "addresses": ", ".join(addresses)}
        shown = document(desk, found, seconds_left=_seconds(found), servers=servers, addresses=addresses)
    emit(shown, options.output, table=[row], text=found.fault)


@command(app, "create", epilog="Example: chiops lease create lease-block-netID --flavor m1.medium --duration 4h")
def create(
    name: Annotated[str, typer.Argument(help="Its name.")],
    flavor: Annotated[
        list[str] | None, typer.Option("--flavor", help="A flavor, by name or id; again for more.", show_default=False)
    ] = None,
    amount: Annotated[int, typer.Option(min=1, help="How many of each flavor, or how many hosts.")] = 1,
    node_type: Annotated[
        str | None,
        typer.Option("--node-type", help="Bare metal: a type of host, as `node-types` lists.", show_default=False),
    ] = None,
    resource_properties: Annotated[
        str | None,
        typer.Option(help='Bare metal: Blazar\'s JSON, as \'["=", "$uid", "…"]\'.', show_default=False),
    ] = None,
    floating_ips: Annotated[int, typer.Option("--floating-ips", min=0, help="Floating IPs to book with it.")] = 0,
    duration: Annotated[
        str | None, typer.Option(help=f"90m, 4h, 1d12h; {DEFAULT_DURATION} by default.", show_default=False)
    ] = None,
    end: Annotated[
        str | None, typer.Option(help="Instead of a duration: '2026-11-21 18:00', local time.", show_default=False)
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="Later than now: '2026-11-21 14:00', local time.", show_default=False)
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is active.")] = True,
    lab: ForLabOption = None,
) -> None:
    """Book flavors or bare-metal hosts, from now unless --start says otherwise."""
    from chiops.ops import booking, leases
    from chiops.ops.desk import opened

    wanted = booking.reservations(flavor or (), amount, node_type, resource_properties, floating_ips)
    begins, ends = booking.times(start, end, duration, default=DEFAULT_DURATION)
    with opened(options.site, lab) as desk:
        done = leases.create(desk, name, wanted, end=ends, start=begins, wait=wait)
        row = _row(desk, done.lease)
        shown = document(
            desk, done.lease, seconds_left=_seconds(done.lease), new=done.new, service_units=done.service_units
        )
    notes = [] if done.new else [f"\n{done.lease.name} was there already; `chiops lease extend` moves its end."]
    if done.service_units is not None:
        notes.append(f"\nIt costs {done.service_units:.2f} service units.")
    emit(shown, options.output, table=[row], text="\n".join(notes))


@command(app, "extend", epilog="Example: chiops lease extend lease-block-netID --by 2h")
def extend(
    name: NameArgument,
    by: Annotated[str | None, typer.Option(help="So much later: 90m, 4h, 1d.", show_default=False)] = None,
    end: Annotated[
        str | None, typer.Option(help="To that end: '2026-11-21 18:00', local time.", show_default=False)
    ] = None,
) -> None:
    """Move a lease's end to later, where the site's rules allow it."""
    from chiops.ops import booking, leases
    from chiops.ops.desk import opened

    span, until = booking.extension(by, end)
    with opened(options.site) as desk:
        moved = leases.extend(desk, name, confirm, by=span, end=until)
        emit(document(desk, moved, seconds_left=_seconds(moved)), options.output, table=[_row(desk, moved)])


@command(app, "wait", epilog="Example: chiops lease wait lease-block-netID --timeout 10m")
def wait(
    name: NameArgument,
    timeout: Annotated[str, typer.Option(help="How long at most: 90s, 10m, 2h.")] = "10m",
) -> None:
    """Wait until a lease is active."""
    from chiops.ops import leases, moments
    from chiops.ops.desk import opened

    limit = moments.span(timeout).total_seconds()
    with opened(options.site) as desk:
        found = leases.wait(desk, name, limit)
        emit(document(desk, found, seconds_left=_seconds(found)), options.output, table=[_row(desk, found)])


@command(app, "delete", epilog="Example: chiops lease delete lease-block-netID")
def delete(name: NameArgument) -> None:
    """End a lease of ours now; every server on it goes with it."""
    from chiops.ops import leases
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        done = leases.delete(desk, name, confirm)
    servers = [server.name for server in done.servers]
    lines = [f"Deleted the lease {done.lease.name}" + (f" and {', '.join(servers)}." if servers else ".")]
    lines += [
        f"The address {address} stays; `chiops fip delete {address}` gives it back." for address in done.addresses
    ]
    result = {"deleted": done.lease.name, "id": done.lease.id, "servers": servers, "addresses": done.addresses}
    emit(result, options.output, text="\n".join(lines))


@command(app, "node-types", epilog="Example: chiops lease node-types --site CHI@TACC")
def node_types() -> None:
    """List the types of bare-metal hosts that the site has, with what one of each is made of."""
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        found = desk.cloud.leases.node_types()
    rows = [
        {
            "type": one.name,
            "hosts": one.hosts,
            "threads": one.threads,
            "RAM": one.ram,
            "GPU": one.gpu,
            "CPU": one.cpu,
            "disks": one.disks,
        }
        for one in found
    ]
    emit(found, options.output, table=rows, text="" if rows else "No hosts.")


def _row(desk: Desk, lease: Lease) -> dict[str, object]:
    from chiops.ops.leases import reserves
    from chiops.ops.moments import local, utc

    return {
        "name": lease.name,
        "status": lease.status,
        "books": reserves(lease),
        "left": format_duration(lease.end - datetime.now(UTC)),
        "ends": local(lease.end),
        "UTC": utc(lease.end).removesuffix(" UTC"),
        "whose": whose(desk, lease),
        "id": lease.id,
    }


def _seconds(lease: Lease) -> int:
    return max(0, int((lease.end - datetime.now(UTC)).total_seconds()))
