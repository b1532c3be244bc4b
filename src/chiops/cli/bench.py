"""``chiops bench run``: input pipelines, measured on a node. What is done with results: `chiops.cli.bench_results`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from chiops.cli.bench_results import RESULTS, ResultsOption, console, register
from chiops.cli.common import BucketOption, LabOption, command, options
from chiops.cli.common import app as group
from chiops.errors import UsageError
from chiops.output import Format, emit

if TYPE_CHECKING:
    from chiops.bench.options import BenchOptions

app = group("bench", "Input pipelines, measured in containers on a node.")
Split = Literal["training", "validation", "evaluation"]
Several = list[str] | None


def _axis(name: str, help_: str) -> Any:
    return typer.Option(name, help=f"{help_} Several: with commas, or again.", show_default=False)


@command(app, "run", epilog="Example: chiops bench run --format all --fetcher vanilla,stream --workers 0,2,4")
def run(
    format_: Annotated[
        Several, typer.Option("--format", "-f", help="An input pipeline, or all.", show_default=False)
    ] = None,
    client: Annotated[Several, _axis("--client", "S3 library: obstore, boto3 or s3fs.")] = None,
    fetcher: Annotated[Several, _axis("--fetcher", "vanilla, threaded, asyncio or stream.")] = None,
    fetchers: Annotated[int, typer.Option(help="Requests in flight per worker; 0 for the fetcher's own default.")] = 0,
    mount: Annotated[
        Several,
        typer.Option(
            "--mount",
            help="rclone, s3fs, mountpoint-s3 or pond, options of its own after it in one quoted word; again for more.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[Several, _axis("--workers", "DataLoader workers.")] = None,
    access: Annotated[Several, _axis("--access", "random or serial.")] = None,
    cache: Annotated[Several, _axis("--cache", "cold or warm; both by default.")] = None,
    dataset: Annotated[str, typer.Option(help="The dataset, as prepared.")] = "food11-synthetic",
    split: Annotated[Split, typer.Option(help="Which part of the dataset.")] = "training",
    batch_size: Annotated[int, typer.Option(help="Images per batch.")] = 32,
    batches: Annotated[int, typer.Option(help="Batches per epoch; 0 for the whole split.")] = 0,
    epochs: Annotated[int, typer.Option(help="Passes over the samples, in one process.")] = 1,
    repeat: Annotated[int, typer.Option(help="Repetitions of each arm, in fresh containers.")] = 3,
    emulate: Annotated[
        str, typer.Option(help="Compute per batch: h100, a100 (MLPerf Storage's ResNet-50) or seconds.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Of the order of samples and arms.")] = 42,
    arm_timeout: Annotated[str, typer.Option(help="Longest time for one arm, as in 30m or 2h.")] = "30m",
    batch_timeout: Annotated[str, typer.Option(help="Longest wait for one batch.")] = "2m",
    memory: Annotated[
        str | None, typer.Option(help="Limit of the container's memory, as in 4g.", show_default=False)
    ] = None,
    node: Annotated[str | None, typer.Option(help="On which node; the first by default.", show_default=False)] = None,
    bucket: BucketOption = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show which arms would run, and run none.")] = False,
    lab: LabOption = None,
    results: ResultsOption = RESULTS,
) -> None:
    """Measure input pipelines on a node: one container per arm, one JSON file per run."""
    from chiops.bench.formats import expand
    from chiops.bench.options import BenchOptions
    from chiops.data.catalog import root_of
    from chiops.ops.moments import span

    lists = {
        "formats": expand(_split(format_)),
        "clients": _split(client),
        "fetchers": _split(fetcher),
        "mounts": tuple(mount or ()),
        "workers": tuple(map(_number, _split(workers))),
        "access": _split(access),
        "caches": _split(cache),
    }
    given: dict[str, Any] = {name: tuple(dict.fromkeys(values)) for name, values in lists.items() if values}
    chosen = BenchOptions(
        lab=lab or "lab",
        dataset=dataset,
        root=root_of(dataset),
        split=split,
        fetchers_in_flight=fetchers,
        repetitions=repeat,
        epochs=epochs,
        batch_size=batch_size,
        batches=batches,
        emulate=emulate,
        seed=seed,
        arm_timeout_s=span(arm_timeout).total_seconds(),
        batch_timeout_s=span(batch_timeout).total_seconds(),
        memory=memory,
        **given,
    )
    if plan:
        _show(chosen)
    else:
        _run(chosen, lab, node, bucket, results)


def _run(chosen: BenchOptions, lab: str | None, node: str | None, bucket: str | None, results: Path) -> None:
    from dataclasses import replace

    from chiops.bench import table
    from chiops.bench.run import raise_for_state, run_bench
    from chiops.lab.lock import work_lock
    from chiops.lab.session import opened
    from chiops.remote.bench_image import ensure_bench_image
    from chiops.remote.ssh import Ssh

    with opened(lab, options.site) as session, work_lock(session.lab.name, "bench run"):
        where, access = session.node(node), session.bucket(bucket)
        image = ensure_bench_image([where], session.places.compute.node_settings)
        measured = run_bench(Ssh(where), image, access, replace(chosen, lab=session.lab.name), results)
    path = results / measured.file_name
    if options.output is Format.TABLE:
        console().print(table.rich_table(measured))
    emit(measured.model_dump(mode="json"), options.output, text=f"\n{path}\nNext: chiops bench report")
    raise_for_state(measured, path)


def _show(chosen: BenchOptions) -> None:
    from chiops.bench import matrix

    planned = matrix.plan(chosen)
    found = [
        {**{name: getattr(one, name) for name in _COLUMNS}, "repetitions": times} for one, times in matrix.rows(planned)
    ]
    data = {"arms": len(planned.arms), "rows": found, "left_out": planned.left_out}
    emit(data, options.output, table=found, text="\n".join([f"\n{len(planned.arms)} arms.", *planned.left_out]))


_COLUMNS = ("format", "client", "fetcher", "mount", "access", "workers", "cache")


def _split(values: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(part.strip() for value in values or () for part in value.split(",") if part.strip())


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a number of workers", todo="write --workers 0,2,4") from None


register(app)
