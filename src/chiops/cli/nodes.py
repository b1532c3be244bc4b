"""``chiops ssh|exec``: onto the nodes of a lab."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from chiops.cli.common import LabOption, command, options
from chiops.output import Format, emit

NodeArgument = Annotated[str | None, typer.Argument(help="Which node; the first if none is named.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the verbs to the program."""
    command(app, "ssh", epilog="Example: chiops ssh node-object-netID")(ssh)
    command(
        app,
        "exec",
        epilog="Example: chiops exec -- docker ps",
        context_settings={"allow_interspersed_args": False},
    )(exec_)


def ssh(
    node: NodeArgument = None,
    lab: LabOption = None,
    show: Annotated[bool, typer.Option("--print", help="Print the ssh command instead of running it.")] = False,
) -> None:
    """Open a shell on a node."""
    from chiops.lab.session import opened
    from chiops.remote.ssh import Ssh

    with opened(lab, options.site) as session:
        shell = Ssh(session.node(node))
    if show or options.output is not Format.TABLE:
        emit({"node": shell.node.name, "ssh": shell.command_line()}, options.output, text=shell.command_line())
        return
    argv = shell.argv()
    os.execvp(argv[0], argv)  # noqa: S606 - ssh takes the terminal over


def exec_(
    command_: Annotated[list[str], typer.Argument(metavar="COMMAND...", help="The program and its arguments.")],
    node: Annotated[list[str] | None, typer.Option("--node", help="Only on this node.", show_default=False)] = None,
    lab: LabOption = None,
) -> None:
    """Run a command on every node of a lab. Exits with the highest exit code."""
    from concurrent.futures import ThreadPoolExecutor

    from chiops.lab.session import opened
    from chiops.remote.ssh import Ssh

    with opened(lab, options.site) as session:
        nodes = [session.node(name) for name in node] if node else session.nodes() or [session.node()]
    with ThreadPoolExecutor(min(16, len(nodes))) as pool:
        runs = list(pool.map(lambda one: Ssh(one).run(*command_, timeout=None, check=False), nodes))
    results = [
        {"node": one.name, "exit_code": run.returncode, "stdout": run.stdout, "stderr": run.stderr}
        for one, run in zip(nodes, runs, strict=True)
    ]
    if options.output is Format.TABLE:
        for one, run in zip(nodes, runs, strict=True):
            prefix = f"{one.name}: " if len(nodes) > 1 else ""
            for text, err in ((run.stdout, False), (run.stderr, True)):
                for line in text.splitlines():
                    typer.echo(prefix + line, err=err)
    else:
        emit(results, options.output)
    worst = max(run.returncode for run in runs)
    if worst:
        raise typer.Exit(worst)
