"""``chiops server``: virtual machines and hosts, one at a time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from chiops.cli.common import app as group
from chiops.cli.common import command, confirm, options
from chiops.cli.shown import ForLabOption, document, whose
from chiops.output import Format, emit

if TYPE_CHECKING:
    from chiops.cloud.base import Server
    from chiops.ops.desk import Desk
    from chiops.ops.servers import Shown

app = group("server", "Servers: made on a lease, from an image or a volume.")
NameArgument = Annotated[str, typer.Argument(metavar="SERVER", help="The server's name or id.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Until ssh answers.")]


@command(app, "list", epilog="Example: chiops server list -o json")
def list_() -> None:
    """List the project's servers, ours and others'."""
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        servers = desk.cloud.compute.list()
        rows = [{**_row(desk, one), "id": one.id} for one in servers]
        shown = [document(desk, one) for one in servers]
    emit(shown, options.output, table=rows, text="" if rows else "No servers.")


@command(app, "show", epilog="Example: chiops server show node-block-netID")
def show(name: NameArgument) -> None:
    """Show a server: its addresses, volumes, lease, and the ssh command."""
    from chiops.ops import servers
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        _emit(desk, servers.show(desk, name))


@command(
    app,
    "create",
    epilog="Example: chiops server create node-block-netID --lease lease-block-netID --security-group allow-ssh"
    " --floating-ip --wait",
)
def create(
    name: Annotated[str, typer.Argument(help="Its name.")],
    lease: Annotated[str, typer.Option(help="The lease that it runs on, by name or id.")] = "",
    flavor: Annotated[str, typer.Option(help="By name or id; what the lease books by default.")] = "",
    image: Annotated[str, typer.Option(help="By name or id; the site's default, as CC-Ubuntu24.04.")] = "",
    security_group: Annotated[
        list[str] | None,
        typer.Option("--security-group", help="By name or id; again for more.", show_default=False),
    ] = None,
    keypair: Annotated[str, typer.Option(help="By name; this machine's own key by default.")] = "",
    boot_volume: Annotated[
        int, typer.Option(min=0, metavar="GIB", help="Boot from a new volume of so many GiB; 0 for the own disk.")
    ] = 0,
    keep_boot_volume: Annotated[
        bool,
        typer.Option(
            "--keep-boot-volume",
            help="That volume stays as boot-SERVER when the server goes, for the next one.",
        ),
    ] = False,
    boot_from: Annotated[
        str,
        typer.Option(metavar="VOLUME", help="Boot from this volume, kept of an earlier server; it stays."),
    ] = "",
    floating_ip: Annotated[
        bool, typer.Option("--floating-ip", help="With an address that is reached from outside.")
    ] = False,
    wait: WaitOption = False,
    lab: ForLabOption = None,
) -> None:
    """Make a server and wait until it is active. One of ours that was begun before is brought to its end."""
    from chiops.ops import booting, serving
    from chiops.ops.desk import opened

    plan = serving.ServerPlan(
        name=name,
        flavor=flavor,
        image=image,
        lease=lease,
        keypair=keypair,
        security_groups=tuple(security_group or ()),
        boot_volume=booting.wanted(boot_volume, boot_from, keep=keep_boot_volume),
        floating_ip=floating_ip,
        wait=wait,
    )
    with opened(options.site, lab) as desk:
        shown, new = serving.create(desk, plan)
        _emit(desk, shown, "" if new else f"{name} was there already.", new=new)


@command(app, "delete", epilog="Example: chiops server delete node-block-netID --release-ip")
def delete(
    name: NameArgument,
    release_ip: Annotated[bool, typer.Option("--release-ip", help="Give its floating IP back too.")] = False,
) -> None:
    """Delete a server of ours; its volumes and, without --release-ip, its floating IP stay."""
    from chiops.ops import servers
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        gone = servers.delete(desk, name, confirm, release_ip=release_ip)
    lines = [f"Deleted the server {gone.server.name}."]
    lines += [f"Gave {address} back." for address in gone.released]
    lines += [
        f"The address {address} stays; `chiops fip delete {address}` gives it back." for address in gone.addresses
    ]
    lines += [f"The volume {volume} stays." for volume in gone.volumes]
    result = {
        "deleted": gone.server.name,
        "id": gone.server.id,
        "released": gone.released,
        "addresses": gone.addresses,
        "volumes": gone.volumes,
    }
    emit(result, options.output, text="\n".join(lines))


@command(app, "start", epilog="Example: chiops server start node-block-netID --wait")
def start(name: NameArgument, wait: WaitOption = False) -> None:
    """Have a server of ours go on that is shut down, paused, suspended or shelved; one that is active is left alone."""
    from chiops.ops import power
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        done = power.start(desk, name, wait=wait)
        emit(document(desk, done), options.output, table=[_row(desk, done)])


@command(app, "reboot", epilog="Example: chiops server reboot node-block-netID --wait")
def reboot(name: NameArgument, wait: WaitOption = False) -> None:
    """Restart a server of ours; one that is stopped is started."""
    from chiops.ops import power
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        done = power.reboot(desk, name, wait=wait)
        emit(document(desk, done), options.output, table=[_row(desk, done)])


@command(app, "rebuild", epilog="Example: chiops server rebuild node-block-netID --image CC-Ubuntu24.04 --wait")
def rebuild(
    name: NameArgument,
    image: Annotated[
        str | None, typer.Option(help="By name or id; the one it was made from by default.", show_default=False)
    ] = None,
    wait: WaitOption = False,
) -> None:
    """Give a server of ours a new root disk; its address, security groups and volumes stay.

    One that boots from a volume is refused: what is on volumes is not overwritten.
    """
    from chiops.ops import servers
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        done = servers.rebuild(desk, name, confirm, image=image, wait=wait)
        emit(document(desk, done), options.output, table=[_row(desk, done)])


@command(app, "wait", epilog="Example: chiops server wait node-block-netID --timeout 20m")
def wait(
    name: NameArgument,
    timeout: Annotated[str, typer.Option(help="How long at most: 90s, 10m, 2h.")] = "20m",
) -> None:
    """Wait until a server is active and answers ssh."""
    from chiops.ops import moments, servers
    from chiops.ops.desk import opened

    limit = moments.span(timeout).total_seconds()
    with opened(options.site) as desk:
        found = servers.wait(desk, name, limit)
        emit(document(desk, found), options.output, table=[_row(desk, found)])


@command(app, "console", epilog="Example: chiops server console node-block-netID --lines 50")
def console(
    name: NameArgument, lines: Annotated[int, typer.Option(min=1, help="How many, from the end.")] = 100
) -> None:
    """Show the last lines that a server wrote to its console while it booted."""
    from chiops.ops import servers
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        server, text = servers.console(desk, name, lines)
    emit({"server": server.name, "console": text.splitlines()}, options.output, text=text)


@command(
    app,
    "ssh",
    epilog="Example: chiops server ssh node-block-netID -- df -h",
)
def ssh(
    name: NameArgument,
    command_: Annotated[
        list[str] | None,
        typer.Argument(metavar="[COMMAND...]", help="A program and its arguments; a shell by default."),
    ] = None,
    show_: Annotated[bool, typer.Option("--print", help="Print the ssh command instead of running it.")] = False,
) -> None:
    """Open a shell on a server, or run a command there; `chiops ssh` does it for the nodes of a lab."""
    from chiops.ops import servers, shell
    from chiops.ops.desk import opened
    from chiops.remote.ssh import Ssh

    with opened(options.site) as desk:
        seen = desk.look("servers", "keypairs")
        server = servers.find(desk, seen.servers, name)
        shell.require_our_key(server, seen.keypairs)
        way, words = Ssh(shell.node(desk, server)), command_ or []
    if show_ or options.output is not Format.TABLE:
        emit({"server": server.name, "ssh": way.command_line(*words)}, options.output, text=way.command_line(*words))
        return
    argv = way.argv(*words)
    os.execvp(argv[0], argv)  # noqa: S606 - ssh takes the terminal over


def _row(desk: Desk, server: Server) -> dict[str, object]:
    return {
        "name": server.name,
        "status": server.status,
        "address": server.floating_address or server.fixed_address,
        "flavor": server.flavor,
        "groups": ", ".join(server.security_groups),
        "whose": whose(desk, server),
    }


def _emit(desk: Desk, shown: Shown, note: str = "", **more: object) -> None:
    server = shown.server
    result = document(
        desk, server, lease=shown.lease, image_name=shown.image, volume_names=shown.volumes, ssh=shown.ssh, **more
    )
    lines = {
        "": server.fault,
        "fixed address": server.fixed_address,
        "floating address": server.floating_address,
        "image": shown.image,
        "key pair": server.keypair,
        "lease": shown.lease,
        "volumes": ", ".join(shown.volumes),
        "ssh": shown.ssh,
    }
    text = "\n".join(f"{what:<17}{value}" for what, value in lines.items() if value)
    emit(result, options.output, table=[_row(desk, server)], text=f"\n{text}" + (f"\n\n{note}" if note else ""))
