"""``chiops sweep|adopt``: what is at the sites and forgotten here, deleted or taken up again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chiops.cli.common import command, confirm, options
from chiops.cli.lifecycle import LabArgument, SetOption, ask_to_end
from chiops.output import Format, emit, message, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chiops.lab.sweep import Leftover


def register(app: typer.Typer) -> None:
    """Add the verbs to the program."""
    command(app, "adopt", epilog="Example: chiops adopt object-lab --site KVM@TACC")(adopt)
    command(app, "sweep", epilog="Example: chiops sweep --all-sites --delete")(sweep)


def sweep(
    lab: Annotated[
        list[str] | None,
        typer.Argument(help="Only of these labs; `none` for single resources.", show_default=False),
    ] = None,
    all_sites: Annotated[bool, typer.Option("--all-sites", help="At every site, not only --site.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Delete what is shown, having asked.")] = False,
    purge_bucket: Annotated[bool, typer.Option("--purge-bucket", help="Delete buckets too, with all objects.")] = False,
    purge_volume: Annotated[bool, typer.Option("--purge-volume", help="Delete volumes too, with all data.")] = False,
) -> None:
    """Show what chiops made for you and no lab of this machine knows of, from whichever machine; --delete deletes it."""
    from chiops.lab import sweep as lab_sweep
    from chiops.lab import where
    from chiops.lab.survey import Purge

    purge = Purge(purge_bucket, purge_volume)
    names = lab_sweep.all_sites() if all_sites else [where.meant(options.site)]
    with lab_sweep.swept(names, lab or (), purge) as found:
        # Whoever looks everywhere has no account at some sites; whoever names one means it
        failed = found.problems if all_sites else found.problems | found.not_mine
        if all_sites and found.not_mine:
            message(f"Not looked at, for want of credentials: {', '.join(found.not_mine)}.")
        for site, problem in failed.items():
            message(f"{site} was left out: {problem}", style="warning")
        for (site, bucket), problem in found.unread.items():
            message(f"The bucket {bucket} at {site} was left out: {problem}", style="warning")
        rows = _rows(found.leftovers)
        doomed = [row for row in rows if row["op"] == "delete"]
        if rows and options.output is Format.TABLE:
            print_table(rows)
        deleted = bool(delete and doomed)
        failures: list[Leftover] = []
        if deleted:
            confirm(
                f"Delete these {len(doomed)}, of the labs {', '.join(dict.fromkeys(row['lab'] for row in doomed))}?"
            )
            shown = rows
            done = lab_sweep.take_each(found.leftovers, ask_to_end, purge)
            failures = [one for one in done if one.problem]
            rows = _rows(done)
            doomed = [row for row in rows if row["op"] == "delete"]
            for row in rows:
                if row["op"] == "keep" and row not in shown:
                    message(f"The {row['kind']} {row['name']} stays after all: {row['reason']}.", style="warning")
            for one in failures:
                what = f"{one.lab} has at {one.site}"
                told = (
                    f"Not all that {what} is deleted"
                    if one.undone
                    else f"What {what} is deleted, but not seen to be gone"
                )
                message(f"{told}: {one.problem}", style="warning")
        result = {
            "leftovers": rows,
            "deleted": len(doomed) if deleted else 0,
            "failed": [{"site": one.site, "lab": one.lab, "problem": one.problem} for one in failures],
            "left_out": failed,
            "no_credentials": list(found.not_mine),
            "unread_buckets": [{"site": site, "name": bucket} for site, bucket in found.unread],
        }
    looked = [name for name in names if name not in found.problems | found.not_mine]
    text = f"Nothing is left over at {', '.join(looked)}." if looked else "No site was looked at."
    if looked and found.unread:
        text = f"{text[:-1]}, {len(found.unread)} buckets aside that can't be read."
    if rows:
        text = (
            f"\n{len(doomed)} deleted." if deleted else "\n`chiops adopt LAB` takes a lab up again, --delete deletes."
        )
    emit(result, options.output, text=text)
    if failed or failures:
        raise typer.Exit(1)


def _rows(leftovers: Sequence[Leftover]) -> list[dict[str, str]]:
    return [
        {"lab": left.lab, **one.row(op)}
        for left in leftovers
        for op, ones in (("delete", left.teardown.go), ("failed", left.undone), ("keep", left.teardown.stay))
        for one in ones
    ]


def adopt(lab: LabArgument, set_: SetOption = None) -> None:
    """Take up again a lab that this machine has forgotten: `up`, `status` and `down` know it from then on."""
    from chiops.lab import adopt as lab_adopt
    from chiops.lab.parameters import parse_settings

    done = lab_adopt.adopt(lab, parse_settings(set_ or []), options.site)
    there = [*done.found.go, *done.found.stay]
    lines = [f"{done.lab} at {done.site} is known again: {len(there)} resources."]
    lines += [f"  {key} = {value}" for key, value in done.settings.items()]
    lines += [f"  {drift}" for drift in done.drift]
    if done.drift:
        lines.append(f"`chiops plan {lab}` shows what `up` would do about it.")
    lines += [f"  {stray}." for stray in done.strays]
    result = {
        "lab": done.lab,
        "site": done.site,
        "settings": done.settings,
        "resources": [one.row("keep") for one in there],
        "drift": done.drift,
        "strays": done.strays,
    }
    emit(result, options.output, text="\n".join(lines))
