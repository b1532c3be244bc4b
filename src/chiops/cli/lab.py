"""``chiops lab``: lab files, the built-in ones and your own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chiops.cli.common import app as group
from chiops.cli.common import command, options
from chiops.output import Format, emit, message

if TYPE_CHECKING:
    from chiops.lab.loader import Lab
    from chiops.lab.mistakes import InvalidLab

app = group("lab", "Lab files: the built-in labs, and your own.")
LabArgument = Annotated[str, typer.Argument(help="A built-in lab, or the path of a lab file.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A value for one of the lab's parameters.", show_default=False),
]


@command(app, "list", epilog="Example: chiops lab list")
def list_() -> None:
    """List the built-in labs, the lab files in this folder, and others that are up or keep data."""
    from chiops.lab import catalog

    labs = catalog.listed(Path.cwd())
    rows = [
        {
            "lab": one.lab,
            "where": one.where if one.where == catalog.BUILT_IN else "file",
            "state": one.state,
            "description": f"not right: {one.problem}" if one.problem else one.description,
        }
        for one in labs
    ]
    emit(labs, options.output, table=rows)


@command(app, "show", epilog="Example: chiops lab show block-lab --set net_id=ff524")
def show(lab: LabArgument, set_: SetOption = None) -> None:
    """Show a lab's parameters and the lab as they render it; one that is up, with what it was brought up with."""
    from chiops.lab import catalog
    from chiops.lab.parameters import parse_settings

    found, record = catalog.opened(lab, parse_settings(set_ or []))
    rows = [
        {"parameter": one.name, "value": found.values[one.name], "default": one.default, "help": one.help}
        for one in found.parameters
    ]
    result = {
        "name": found.name,
        "source": found.source,
        "state": record.phase if record else "",
        "site": record.site if record else "",
        "parameters": rows,
        "lab": found.spec.model_dump(mode="json", exclude_unset=True),
    }
    emit(result, options.output, table=rows, text=("\n" if rows else "") + found.text.strip("\n"))


@command(app, "new", epilog="Example: chiops lab new my-lab --from block-lab")
def new(
    target: Annotated[str, typer.Argument(metavar="NAME", help="The lab's name, or the path of its file.")],
    like: Annotated[
        str, typer.Option("--from", metavar="LAB", help="Copy this lab; else a commented one.", show_default=False)
    ] = "",
) -> None:
    """Write a lab file of your own to begin with, right as it is. Never overwrites."""
    from chiops.lab import starter

    path, lab = starter.write(target, like)
    text = f"Wrote {path}. Change what you like, then: chiops lab validate {path}, chiops up {path}"
    emit({"lab": lab.name, "path": path}, options.output, text=text)


@command(app, "validate", epilog="Example: chiops lab validate my-lab.yaml")
def validate(lab: LabArgument, set_: SetOption = None) -> None:
    """Check a lab file; every mistake is told with its line, and the exit code is 2. Asks no site."""
    from chiops.lab.loader import load
    from chiops.lab.mistakes import InvalidLab
    from chiops.lab.parameters import parse_settings

    try:
        found = load(lab, parse_settings(set_ or []))
    except InvalidLab as invalid:
        _tell(lab, invalid)
        raise
    emit(
        {"lab": found.name, "source": found.source, "valid": True, "mistakes": []},
        options.output,
        text=_is_right(found),
    )


def _tell(lab: str, invalid: InvalidLab) -> None:
    """The first mistake is in the error's sentence; the others stand before it, and JSON has all."""
    from chiops.lab.mistakes import where

    if options.output is Format.TABLE:
        for one in invalid.mistakes[1:]:
            message(f"{where(lab, one, invalid.exact)}: {one.message}", style="warning")
        return
    emit({"source": lab, "valid": False, "mistakes": invalid.mistakes}, options.output)


def _is_right(lab: Lab) -> str:
    parts = [
        f"{count} {noun if count == 1 else noun + 's'}"
        for noun, count in (
            ("server", len(lab.spec.servers)),
            ("volume", len(lab.spec.volumes)),
            ("bucket", len(lab.spec.buckets)),
            ("mount", len(lab.spec.mounts)),
        )
        if count
    ]
    return f"{lab.name} is right: {', '.join(parts) or 'it asks for nothing yet'}."
