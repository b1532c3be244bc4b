"""``chiops status``: every lab on one screen, once or again and again."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from chiops.cli.common import command, options
from chiops.output import Format, emit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import RenderableType

    from chiops.lab.status import LabStatus

PACE_S = 5.0
"""Between two looks."""
SIGNS = {"ok": "✓", "failed": "✗", "": " "}


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    command(app, "status", epilog="Example: chiops status --watch 10")(status)


def status(
    lab: Annotated[list[str] | None, typer.Argument(help="Only these labs.", show_default=False)] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Again and again, in place; a number behind it is the seconds in between.")
    ] = False,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Ask nodes and buckets how they are.")] = True,
) -> None:
    """Show what is up: health, time left and what its end deletes, cost, and what is not as the lab says."""
    from chiops.lab import status as lab_status

    names, pace = _pace(lab or [], watch)

    def look() -> list[LabStatus]:
        return lab_status.status(names, check=check, site=options.site)

    if not watch:
        _once(look())
    elif options.output is Format.TABLE and sys.stdout.isatty():
        _in_place(look, pace)
    else:
        follow(look, _once, pace, time.sleep)


def _pace(words: Sequence[str], watch: bool) -> tuple[list[str], float]:
    """The labs, and the seconds between two looks: a number behind ``--watch`` stands where a lab may stand."""
    numbers = [word for word in words if watch and word.replace(".", "", 1).isdecimal()]
    return [word for word in words if word not in numbers[-1:]], max(1.0, float(numbers[-1])) if numbers else PACE_S


def follow(
    look: Callable[[], list[LabStatus]],
    show: Callable[[list[LabStatus]], None],
    pace: float,
    sleep: Callable[[float], object],
) -> None:
    """Look and show until Ctrl-C, which is how this ends well."""
    try:
        while True:
            show(look())
            sys.stdout.flush()
            sleep(pace)
    except KeyboardInterrupt:
        return


def _in_place(look: Callable[[], list[LabStatus]], pace: float) -> None:
    from rich.live import Live

    with Live(auto_refresh=False) as live:
        follow(look, lambda labs: live.update(screen(labs, time.strftime("%H:%M:%S")), refresh=True), pace, time.sleep)


def _once(labs: list[LabStatus]) -> None:
    if options.output is not Format.TABLE:
        emit(labs, options.output)
    elif not labs:
        print("No lab is up.")  # noqa: T201
    else:
        from rich.console import Console

        there = sys.stdout.isatty()
        Console(width=None if there else 200, soft_wrap=not there, highlight=False).print(screen(labs))


def screen(labs: Sequence[LabStatus], at: str = "") -> RenderableType:
    """All labs, side by side where there is room."""
    from rich.columns import Columns
    from rich.console import Group
    from rich.text import Text

    shown: list[RenderableType] = [_lab(one) for one in labs] or [Text("No lab is up.")]
    if at:
        return Group(Columns(shown, padding=(0, 4)), Text(f"\n{at}; Ctrl-C ends", style="dim"))
    return Group(*shown)


def _lab(one: LabStatus) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    headline = f": {one.headline}" if one.headline else ""
    title = Text(f"{one.lab}", style="bold").append(f" at {one.site}{headline}", style="not bold")
    if one.problem:
        return Group(title, Text(f"  {one.problem}", style="red"), "")
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for part in one.parts:
        colour = {"ok": "green", "failed": "red"}.get(part.health, "")
        table.add_row(
            Text(f"  {SIGNS[part.health]}", style=colour), part.kind, Text(part.name), part.status, Text(part.detail)
        )
    notes = [f"  {line}" for line in _unread(one)]
    notes += [f"  {_first_up(ending.sentence())}." for ending in one.endings]
    if one.units:
        notes.append(f"  {one.units.used:.2f} service units used, {one.units.to_come:.2f} to come.")
    notes += [f"  {drift}{'' if drift.mend else ' (not mended by `up`)'}." for drift in one.drift]
    if any(drift.mend for drift in one.drift):
        notes.append(f"  `chiops up {one.lab}` puts that right.")
    notes += [f"  {stray}." for stray in one.strays]
    if one.note:
        notes.append(f"  {one.note}")
    return Group(title, table, *(Text(note) for note in notes), "")


def _unread(one: LabStatus) -> Iterator[str]:
    """What could not be read, a line for each reason."""
    from chiops.lab.unread import nouns

    for reason in dict.fromkeys(one.unread.values()):
        yield f"Not read: {nouns(part for part, why in one.unread.items() if why == reason)} ({reason})."


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]
