"""``chiops doctor``: is everything in place?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from chiops.cli.common import command, options
from chiops.cli.lifecycle import SetOption
from chiops.output import emit

if TYPE_CHECKING:
    from chiops.cloud.base import Check

FAILED = 1


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    command(app, "doctor", epilog="Example: chiops doctor object-lab --site KVM@TACC")(doctor)


def doctor(
    lab: Annotated[
        str | None, typer.Argument(help="Also whether this lab can be brought up, or is well.", show_default=False)
    ] = None,
    set_: SetOption = None,
) -> None:
    """Check this machine, the site, and the labs that are up; each finding with its mend. Changes nothing."""
    from chiops.lab.doctor import diagnose
    from chiops.lab.parameters import parse_settings

    show_checks(diagnose(options.site, lab, parse_settings(set_ or [])))


def show_checks(checks: Sequence[Check]) -> None:
    """Print findings.

    Raises:
        typer.Exit: one of them is a failure.
    """
    signs = {"ok": "✓", "warning": "!", "failed": "✗"}
    rows = [
        {"": signs[check.verdict], "check": check.name, "finding": check.detail, "mend": check.todo} for check in checks
    ]
    emit(checks, options.output, table=rows)
    if any(check.verdict == "failed" for check in checks):
        raise typer.Exit(FAILED)
