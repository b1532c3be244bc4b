"""``chiops bench``: input pipelines, measured on a node."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from chiops.cli.common import LabOption, command, options
from chiops.cli.common import app as group
from chiops.output import Format, emit

app = group("bench", "Input pipelines, measured in containers on a node.")
ResultsOption = Annotated[Path, typer.Option("--results", help="The folder of results.")]
RESULTS = Path("results")
Split = Literal["training", "validation", "evaluation"]
Access = Literal["random", "serial"]


@command(app, "run", epilog="Example: chiops bench run --format imagefolder-local --format litdata --workers 2")
def run(
    format_: Annotated[
        list[str] | None, typer.Option("--format", "-f", help="An input pipeline; again for more.", show_default=False)
    ] = None,
    dataset: Annotated[str, typer.Option(help="The dataset, as prepared.")] = "food11-synthetic",
    split: Annotated[Split, typer.Option(help="Which part of the dataset.")] = "training",
    workers: Annotated[
        list[int] | None, typer.Option(help="DataLoader workers; again for more.", show_default=False)
    ] = None,
    cache: Annotated[list[str] | None, typer.Option(help="cold or warm; both by default.", show_default=False)] = None,
    batch_size: Annotated[int, typer.Option(help="Images per batch.")] = 32,
    batches: Annotated[int, typer.Option(help="Batches per arm; 0 for the whole split.")] = 0,
    repeat: Annotated[int, typer.Option(help="Repetitions of each arm, in fresh containers.")] = 3,
    access: Annotated[Access, typer.Option(help="Order of the samples.")] = "random",
    seed: Annotated[int, typer.Option(help="Of the order of samples and arms.")] = 42,
    node: Annotated[str | None, typer.Option(help="On which node; the first by default.", show_default=False)] = None,
    lab: LabOption = None,
    results: ResultsOption = RESULTS,
) -> None:
    """Measure input pipelines on a node: one container per arm, one JSON file per run."""
    from chiops.bench import table
    from chiops.bench.options import BenchOptions
    from chiops.bench.run import raise_for_state, run_bench
    from chiops.lab.session import opened
    from chiops.remote.bench_image import ensure_bench_image
    from chiops.remote.ssh import Ssh

    lists = {"formats": format_, "caches": cache, "workers": workers}
    given: Any = {name: tuple(values) for name, values in lists.items() if values}
    with opened(lab) as session:
        where, bucket = session.node(node), session.bucket()
        if mount := session.mount(where, bucket):
            given["mount"] = mount
        chosen = BenchOptions(
            lab=session.lab.name,
            dataset=dataset,
            split=split,
            repetitions=repeat,
            batch_size=batch_size,
            batches=batches,
            access=access,
            seed=seed,
            **given,
        )
        image = ensure_bench_image([where], session.places.compute.node_settings)
        measured = run_bench(Ssh(where), image, bucket, chosen, results)
    path = results / measured.file_name
    if options.output is Format.TABLE:
        from rich.console import Console

        Console(width=None if typer.get_text_stream("stdout").isatty() else 160).print(table.rich_table(measured))
    emit(measured.model_dump(mode="json"), options.output, text=f"\n{path}\nNext: chiops bench report")
    raise_for_state(measured, path)


@command(app, "report", epilog="Example: chiops bench report results/object-lab-20261120T201500Z.json")
def report(
    result: Annotated[
        Path | None, typer.Argument(help="A result file; the latest by default.", show_default=False)
    ] = None,
    results: ResultsOption = RESULTS,
) -> None:
    """Write a result as one HTML page that needs nothing else, and as Markdown."""
    from chiops.bench import report as reports
    from chiops.bench.results import latest, load

    path = result or latest(results)
    loaded = load(path)
    written = reports.write(loaded, path.parent)
    emit(
        {"result": path, "html": written.html, "markdown": written.markdown, "verdict": reports.verdict(loaded)},
        options.output,
        text=f"{reports.verdict(loaded)}\n\n{written.html.resolve()}\n{written.markdown.resolve()}",
    )
