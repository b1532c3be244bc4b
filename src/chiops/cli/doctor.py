"""``chiops doctor``: is everything in place?"""

from __future__ import annotations

import typer

from chiops.cli.common import command, options
from chiops.output import emit

FAILED = 1


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    command(app, "doctor", epilog="Example: chiops doctor --site local")(doctor)


def doctor() -> None:
    """Check this machine, the site, and the labs that are up; each finding with its mend. Changes nothing."""
    from chiops.lab.doctor import diagnose

    checks = diagnose(options.site)
    signs = {"ok": "✓", "warning": "!", "failed": "✗"}
    rows = [
        {"": signs[check.verdict], "check": check.name, "finding": check.detail, "mend": check.todo} for check in checks
    ]
    emit(checks, options.output, table=rows)
    if any(check.verdict == "failed" for check in checks):
        raise typer.Exit(FAILED)
