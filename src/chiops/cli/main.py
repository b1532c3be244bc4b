"""The entry point: global options and the verbs; the nouns are in `nouns`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import chiops
from chiops.cli import doctor, lifecycle, nodes, status, sweep
from chiops.cli.common import OutputOption, SiteOption, VerboseOption, YesOption, remember
from chiops.cli.nouns import Root

app = typer.Typer(
    name="chiops",
    cls=Root,
    help="Provision, configure and benchmark storage labs on Chameleon Cloud, or on this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help starts twice as fast
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"chiops {chiops.__version__}")  # noqa: T201
        raise typer.Exit


@app.callback()
def root(
    site_: SiteOption = None,
    output: OutputOption = None,
    yes: YesOption = False,
    verbose: VerboseOption = False,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.", show_default=False)
    ] = False,
) -> None:
    """Provision, configure and benchmark storage labs on Chameleon Cloud, or on this machine.

    The global options may also stand behind a command.
    """
    remember(site_, output, yes, verbose)


lifecycle.register(app)
status.register(app)
sweep.register(app)
nodes.register(app)
doctor.register(app)


def main() -> None:
    """What the ``chiops`` script calls."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without Unicode still gets its line
    app()
