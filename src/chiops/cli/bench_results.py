"""``chiops bench list|show|layers|compare|report``: what is done with results once they are there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chiops.cli.common import command, options
from chiops.output import Format, emit

if TYPE_CHECKING:
    from rich.table import Table

    from chiops.bench.results import BenchRun

RESULTS = Path("results")
ResultsOption = Annotated[Path, typer.Option("--results", help="The folder of results.")]
ResultArgument = Annotated[
    Path | None, typer.Argument(help="A result file; the latest by default.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands to the group."""
    command(app, "list", epilog="Example: chiops bench list")(list_)
    command(app, "show", epilog="Example: chiops bench show results/bench-20261120T201500Z-object-lab.json")(show)
    command(app, "layers", epilog="Example: chiops bench layers")(layers)
    command(app, "compare", epilog="Example: chiops bench compare results/bench-1.json results/bench-2.json")(compare)
    command(app, "report", epilog="Example: chiops bench report results/bench-20261120T201500Z-object-lab.json")(report)


def console() -> Any:
    """Where tables go: as wide as the terminal, or wide enough for all columns."""
    from rich.console import Console

    return Console(width=None if typer.get_text_stream("stdout").isatty() else 160)


def list_(results: ResultsOption = RESULTS) -> None:
    """List the results in the folder, the latest last."""
    from chiops.bench.files import load, results_in

    rows, shown = [], []
    for path in results_in(results):
        run = load(path)
        facts = {
            "lab": run.lab,
            "state": run.state,
            "arms": f"{len(run.measured)}/{run.planned_arms}",
            "formats": ", ".join(run.formats),
        }
        rows.append({"file": path, "started": run.started, **facts})
        shown.append({"file": path.name, "started": f"{run.started:%Y-%m-%d %H:%M}", **facts})
    emit(rows, options.output, table=shown, text="" if rows else f"There is no result in {results}.")


def show(result: ResultArgument = None, results: ResultsOption = RESULTS) -> None:
    """Show a result: verdict, warnings and table."""
    from chiops.bench import report as reports
    from chiops.bench import table, warnings

    run, path = _load(result, results)
    lines = [reports.verdict(run), "", *(f"{one.kind}: {one.text}" for one in warnings.find(run))]
    _table(table.rich_table(run) if run.measured else None)
    emit(run.model_dump(mode="json"), options.output, text="\n".join(["", *lines, "", str(path)]))


def layers(result: ResultArgument = None, results: ResultsOption = RESULTS) -> None:
    """Show where the time goes: getitem, decode, fetch, worker loop, epoch."""
    from chiops.bench import layers as timed

    run, _ = _load(result, results)
    lines = timed.lines(run)
    _table(timed.rich_table(run) if lines else None)
    text = "\n".join(f"{name}: {title}" for name, title in timed.TITLES.items())
    emit(
        [dict(zip(timed.HEADERS, line, strict=True)) for line in lines],
        options.output,
        text=f"\n{text}" if lines else "No layer was timed in this result.",
    )


def compare(
    before: Annotated[Path, typer.Argument(help="A result file.", show_default=False)],
    after: Annotated[Path, typer.Argument(help="Another one, compared with the first.", show_default=False)],
) -> None:
    """Compare two results, row by row, and say what else differs between them."""
    from chiops.bench.compare import compare as compared
    from chiops.bench.compare import rich_table
    from chiops.bench.files import load

    found = compared(load(before), load(after))
    _table(rich_table(found))
    lines = [f"{name} differs: {old}, then {new}" for name, (old, new) in found.differences.items()]
    lines += [f"only in {before}: {one}" for one in found.only_before]
    lines += [f"only in {after}: {one}" for one in found.only_after]
    emit(found.as_json(), options.output, text="\n".join(["", *lines]) if lines else "")


def report(result: ResultArgument = None, results: ResultsOption = RESULTS) -> None:
    """Write a result as one HTML page that needs nothing else, and as Markdown."""
    from chiops.bench import report as reports

    run, path = _load(result, results)
    written = reports.write(run, path.parent)
    emit(
        {"result": path, "html": written.html, "markdown": written.markdown, "verdict": reports.verdict(run)},
        options.output,
        text=f"{reports.verdict(run)}\n\n{written.html.resolve()}\n{written.markdown.resolve()}",
    )


def _load(result: Path | None, results: Path) -> tuple[BenchRun, Path]:
    from chiops.bench.files import latest, load

    path = result or latest(results)
    return load(path), path


def _table(table: Table | None) -> None:
    if table is not None and options.output is Format.TABLE:
        console().print(table)
