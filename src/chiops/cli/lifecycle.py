"""``chiops plan|up|extend|down``: a lab's life."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chiops.cli.common import command, confirm, options
from chiops.output import Format, emit, message, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chiops.lab.plan import Plan
    from chiops.lab.survey import Teardown
    from chiops.lab.volumes import InUse

LabArgument = Annotated[str, typer.Argument(help="A built-in lab, or the path of a lab file.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A value for one of the lab's parameters.", show_default=False),
]
ReplaceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--replace",
        metavar="NAME",
        help="A server or lease to make anew, with all that is on its disk.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verbs to the program."""
    command(app, "plan", epilog="Example: chiops plan object-lab --set flavor=m1.large")(plan)
    command(app, "up", epilog="Example: chiops up object-lab --site local --yes")(up)
    command(app, "extend", epilog="Example: chiops extend object-lab --by 2h")(extend)
    command(app, "down", epilog="Example: chiops down --purge-bucket")(down)


def plan(lab: LabArgument, set_: SetOption = None, replace: ReplaceOption = None) -> None:
    """Show what `up` would make or change, and why. Changes nothing."""
    from chiops.lab import up as lab_up
    from chiops.lab.parameters import parse_settings

    planned = lab_up.plan(lab, parse_settings(set_ or []), options.site, replace or ())
    emit(
        {
            "lab": planned.lab,
            "changes": len(planned.changes),
            "steps": [step.row() for step in planned.steps],
            "drift": planned.drift(),
            "strays": planned.strays,
        },
        options.output,
        table=[step.row() for step in planned.steps],
        text=_summary(planned),
    )


def _summary(planned: Plan) -> str:
    changes = len(planned.changes)
    told = f"\n{changes} to change, {len(planned.steps) - changes} as they are." if changes else "\nNothing to change."
    return "\n".join([told, *(f"  {stray}." for stray in planned.strays)])


def up(
    lab: LabArgument,
    set_: SetOption = None,
    replace: ReplaceOption = None,
    configure: Annotated[
        bool, typer.Option("--configure/--no-configure", help="Reach the nodes by ssh and configure them.")
    ] = True,
) -> None:
    """Bring a lab up, or to what its file says now. Safe to run again."""
    from chiops.lab import up as lab_up
    from chiops.lab.parameters import parse_settings
    from chiops.remote.ssh import Ssh

    def ask(planned: Plan) -> None:
        if options.output is Format.TABLE:
            print_table([step.row() for step in planned.changes])
        places = dict.fromkeys(step.site for step in planned.changes)
        confirm(f"{len(planned.changes)} changes at {', '.join(places)}. Go on?")

    done = lab_up.up(
        lab, parse_settings(set_ or []), options.site, ask, ask_to_end, replace_=replace or (), configured=configure
    )
    nodes = [
        {"name": node.name, "address": node.address, "user": node.user, "ssh": Ssh(node).command_line()}
        for node in done.nodes
    ]
    spec = done.lab.spec
    result = {
        "lab": spec.name,
        "site": done.site,
        "changed": done.changed,
        "configured": done.configured,
        "nodes": nodes,
        "buckets": [bucket.name for bucket in spec.buckets],
        "mounts": [{"server": mount.server, "bucket": mount.bucket, "path": mount.path} for mount in spec.mounts],
        "volumes": [{"name": one.name, "server": one.server, "path": one.mount} for one in spec.volumes],
        "drift": done.drift,
        "strays": done.strays,
    }
    lines = [f"{spec.name} is up at {done.site}: " + (f"{done.changed} changed." if done.changed else "no change.")]
    lines += [f"  {node['name']}  {node['address']}\n    {node['ssh']}" for node in nodes]
    if configure:
        lines += [f"  s3://{mount.bucket} at {mount.path} on {mount.server}" for mount in spec.mounts]
    else:
        lines.append("  The nodes were not configured, as you asked.")
    lines += [f"  volume {one.name} at {one.mount} on {one.server}" for one in spec.volumes if one.mount]
    lines += [f"  {drift}; it is left so, `chiops plan {spec.name}` says why." for drift in done.drift]
    lines += [f"  {stray}." for stray in done.strays]
    if spec.buckets:
        lines.append("Next: chiops data prepare, chiops bench run, and when done chiops down.")
    emit(result, options.output, text="\n".join(lines))


def ask_to_end(held: Sequence[InUse]) -> None:
    """Name what uses volumes, and ask whether it may be ended."""
    for one in held:
        message(f"{one}.", style="warning")
    confirm("End that, so that nothing is lost of what was written?")


def extend(
    lab: Annotated[str | None, typer.Argument(help="Which lab, if several are up.", show_default=False)] = None,
    by: Annotated[str | None, typer.Option(help="So much later: 90m, 4h, 1d.", show_default=False)] = None,
    end: Annotated[
        str | None, typer.Option(help="To that end: '2026-11-21 18:00', local time.", show_default=False)
    ] = None,
) -> None:
    """Give a lab more time: its lease ends later, as far as the site's rules allow."""
    from chiops.lab import extend as lab_extend
    from chiops.lab import session
    from chiops.lab.journal import Journal
    from chiops.ops import booking, moments

    span, until = booking.extension(by, end)
    record = session.pick(Journal(), lab, kept=True, site=options.site)
    moved = lab_extend.extend(record, confirm, by=span, end=until)
    text = f"The lease {moved.name} of {record.name} ends at {moments.local(moved.end)}."
    emit({"lab": record.name, "lease": moved.name, "end": moved.end}, options.output, text=text)


def down(
    lab: Annotated[str | None, typer.Argument(help="Which lab, if several are up.", show_default=False)] = None,
    keep_lease: Annotated[
        bool, typer.Option("--keep-lease", help="Let the lease run on; `up` makes the servers on it again.")
    ] = False,
    purge_bucket: Annotated[
        bool, typer.Option("--purge-bucket", help="Delete its buckets too, with all objects.")
    ] = False,
    purge_volume: Annotated[
        bool, typer.Option("--purge-volume", help="Delete its volumes too, with all data.")
    ] = False,
) -> None:
    """Take a lab down: all that chiops made for it goes; buckets and volumes stay unless you say otherwise."""
    from chiops.lab import down as lab_down
    from chiops.lab import session
    from chiops.lab.journal import Journal
    from chiops.lab.survey import Purge

    def ask(teardown: Teardown) -> None:
        if options.output is Format.TABLE:
            print_table([*(one.row("delete") for one in teardown.go), *(one.row("keep") for one in teardown.stay)])
        confirm(_question(teardown))

    record = session.pick(Journal(), lab, kept=True, site=options.site)
    done = lab_down.down(record, ask, ask_to_end, Purge(purge_bucket, purge_volume, keep_lease))
    lines = [f"{done.lab} is down: {len(done.gone)} deleted." if done.gone else f"{done.lab} was down already."]
    lines += [f"  gone before: {key.kind} {key.name}" for key in done.gone_before]
    for one in done.stayed:
        row = one.row("keep")
        flag = {"bucket": " --purge-bucket deletes it.", "volume": " --purge-volume deletes it."}.get(one.key.kind, "")
        lines.append(f"  stays: {row['kind']} {row['name']} ({row['reason']}).{flag}")
    result = {
        "lab": done.lab,
        "deleted": [one.row("delete") for one in done.gone],
        "kept": [one.row("keep") for one in done.stayed],
        "gone_before": [{"kind": key.kind, "name": key.name} for key in done.gone_before],
    }
    emit(result, options.output, text="\n".join(lines))


def _question(teardown: Teardown) -> str:
    data = [f"{one.key.name} ({one.detail})" for one in teardown.go if one.key.kind in ("bucket", "volume")]
    lost = f" Nothing brings back what is on {', '.join(data)}." if data else ""
    return f"Delete these {len(teardown.go)}?{lost}"
