"""``chiops secgroup``: security groups, which open ports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chiops.cli.common import app as group
from chiops.cli.common import command, confirm, options
from chiops.cli.shown import ForLabOption, document, whose
from chiops.output import emit

if TYPE_CHECKING:
    from chiops.cloud.base import Server
    from chiops.ops.desk import Desk
    from chiops.ops.groups import Made

app = group("secgroup", "Security groups: whatever none of a server's groups opens is closed.")
NameArgument = Annotated[str, typer.Argument(metavar="GROUP", help="The group's name or id.")]
ServerArgument = Annotated[str, typer.Argument(metavar="SERVER", help="The server's name or id.")]
RULES = "22, 53/udp, 8000-8100, icmp, tcp, 22@10.0.0.0/8"
RuleArguments = Annotated[list[str], typer.Argument(metavar="RULE...", help=f"As in: {RULES}.")]


@command(app, "list", epilog="Example: chiops secgroup list")
def list_() -> None:
    """List the project's security groups and what they open."""
    from chiops.ops.desk import opened
    from chiops.ops.rules import show_all

    with opened(options.site) as desk:
        groups = desk.cloud.network.security_groups()
        rows = [
            {"name": one.name, "opens": show_all(one.rules), "whose": whose(desk, one), "id": one.id} for one in groups
        ]
        shown = [document(desk, one) for one in groups]
    emit(shown, options.output, table=rows, text="" if rows else "No security groups.")


@command(app, "show", epilog="Example: chiops secgroup show allow-ssh")
def show(name: NameArgument) -> None:
    """Show a security group: its rules, and the servers in it."""
    from chiops.ops import groups
    from chiops.ops.desk import opened
    from chiops.ops.rules import show_all

    with opened(options.site) as desk:
        seen = desk.look("security_groups", "servers")
        found = groups.find(desk, seen.security_groups, name)
        servers = groups.users(desk, found, seen)
        row = {
            "name": found.name,
            "opens": show_all(found.rules),
            "servers": ", ".join(servers),
            "description": found.description,
            "whose": whose(desk, found),
            "id": found.id,
        }
        emit(document(desk, found, servers=servers), options.output, table=[row])


@command(app, "create", epilog="Example: chiops secgroup create allow-8888 --open 8888")
def create(
    name: Annotated[str, typer.Argument(help="Its name.")],
    open__: Annotated[
        list[str] | None,
        typer.Option("--open", metavar="RULE", help=f"As in: {RULES}; again for more.", show_default=False),
    ] = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    lab: ForLabOption = None,
) -> None:
    """Make a group that opens exactly this; one of ours is repaired, one of others' used if it opens as much."""
    from chiops.ops import groups, rules
    from chiops.ops.desk import opened

    wanted = rules.parse_all(open__ or ())
    with opened(options.site, lab) as desk:
        _emit(desk, groups.create(desk, name, wanted, description, confirm))


@command(app, "open", epilog="Example: chiops secgroup open allow-8888 8889 53/udp")
def open_(name: NameArgument, rule: RuleArguments) -> None:
    """Have a group of ours open more, on every server that is in it."""
    from chiops.ops import groups, rules
    from chiops.ops.desk import opened

    wanted = rules.parse_all(rule)
    with opened(options.site) as desk:
        _emit(desk, groups.open_(desk, name, wanted))


@command(app, "close", epilog="Example: chiops secgroup close allow-8888 8889")
def close(name: NameArgument, rule: RuleArguments) -> None:
    """Have a group of ours open less, on every server that is in it."""
    from chiops.ops import groups, rules
    from chiops.ops.desk import opened

    unwanted = rules.parse_all(rule)
    with opened(options.site) as desk:
        _emit(desk, groups.close(desk, name, unwanted, confirm))


@command(app, "attach", epilog="Example: chiops secgroup attach allow-8888 node-block-netID")
def attach(name: NameArgument, server: ServerArgument) -> None:
    """Put a server of ours into a group, besides those it is in."""
    from chiops.ops import groups
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        _emit_server(desk, groups.attach(desk, name, server))


@command(app, "detach", epilog="Example: chiops secgroup detach allow-8888 node-block-netID")
def detach(name: NameArgument, server: ServerArgument) -> None:
    """Take a server of ours out of a group."""
    from chiops.ops import groups
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        _emit_server(desk, groups.detach(desk, name, server))


@command(app, "delete", epilog="Example: chiops secgroup delete allow-8888")
def delete(name: NameArgument) -> None:
    """Delete a group of ours that no server is in."""
    from chiops.ops import groups
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        gone = groups.delete(desk, name, confirm)
    emit({"deleted": gone.name, "id": gone.id}, options.output, text=f"Deleted the security group {gone.name}.")


def _emit(desk: Desk, made: Made) -> None:
    from chiops.ops.rules import show_all

    changes = {"new": made.new, "opened": show_all(made.opened), "closed": show_all(made.closed)}
    words = [f"opened {show_all(made.opened)}"] if made.opened else []
    words += [f"closed {show_all(made.closed)}"] if made.closed else []
    if made.new:
        what = "created"
    elif not made.ours:
        what = "made by someone else, used as it is"
    else:
        what = "; ".join(words) or "as it was"
    text = f"{made.group.name}: {what}. It opens {show_all(made.group.rules) or 'nothing'}."
    emit(document(desk, made.group, **changes), options.output, text=text)


def _emit_server(desk: Desk, server: Server) -> None:
    text = f"{server.name} is in {', '.join(server.security_groups) or 'no security group'}."
    emit(document(desk, server), options.output, text=text)
