"""A benchmark run: look what is there, run every arm in a fresh container, keep each result as soon as it is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chiops import progress
from chiops.bench import formats, provenance
from chiops.bench.matrix import Arm, arms
from chiops.bench.options import BenchOptions
from chiops.bench.results import ArmResult, BenchRun, Cache, FormatFacts, Metrics, save
from chiops.cloud.base import S3Access
from chiops.errors import ChiopsError, DataError, RemoteFailed

if TYPE_CHECKING:
    from chiops.remote.ssh import Ssh

DATA_ON_NODE = "/var/lib/chiops/data"
CACHE_ON_NODE = "/var/lib/chiops/cache/bench"

Event = Callable[[dict[str, Any]], None]
Launch = Callable[[dict[str, Any], Event], dict[str, Any]]
"""Runs ``python -m loaders`` in a fresh container with this configuration and gives its result."""


def run_bench(ssh: Ssh, image: str, s3: S3Access, options: BenchOptions, out_dir: Path) -> BenchRun:
    """Run the benchmark on a node and write its one JSON file into ``out_dir``, anew after each arm.

    A failed arm is kept as failed and the others go on; see `raise_for_state`. An interrupted run's file says so.

    Args:
        image: the bench image's tag, already built on the node.
        s3: the lab's bucket.

    Raises:
        DataError: the dataset is not there in a format that was asked for.
        RemoteFailed: the node or the image does not work at all.
    """
    launch = _launcher(ssh, image, options)
    return perform(launch, s3, options, out_dir, provenance.of_run(ssh, image))


def perform(
    launch: Launch,
    s3: S3Access,
    options: BenchOptions,
    out_dir: Path,
    origin: Mapping[str, Any],
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> BenchRun:
    """`run_bench` over any way of launching a container; ``origin`` is what the control side knows of the environment."""
    started = now()
    with progress.task("Look what there is to read") as task:
        answer = launch(
            {"action": "inspect", "arms": [_config(s3, options, name) for name in options.formats]}, _feed(task)
        )
        facts = _facts(answer["formats"])
    planned = arms(options)
    run = BenchRun(
        state="running",
        lab=options.lab,
        started=started,
        options=options.as_json(),
        planned_arms=len(planned),
        formats=facts,
        environment={**answer["environment"], **origin},
    )
    save(run, out_dir)
    try:
        with progress.task(f"Benchmark, {len(planned)} arms") as whole:
            for place, arm in enumerate(planned):
                whole.advance(place, total=len(planned), unit="arms")
                run = run.with_arm(_measure(launch, s3, options, arm, place, now, parent=whole))
                save(run, out_dir)
            whole.advance(len(planned), total=len(planned), unit="arms")
    except BaseException:
        save(run.model_copy(update={"state": "partial", "finished": now()}), out_dir)
        raise
    state = "failed" if len(run.content_hashes()) > 1 else "partial" if run.failures else "complete"
    run = run.model_copy(update={"state": state, "finished": now()})
    save(run, out_dir)
    return run


def raise_for_state(run: BenchRun, path: Path) -> None:
    """Raise if the run must not count as a success; its file ``path`` is kept in any case.

    Raises:
        DataError: the pipelines did not deliver the same samples.
        RemoteFailed: an arm failed.
    """
    if run.state == "failed":
        sides = "; ".join(
            f"{', '.join(names)} delivered {content[:12]}…" for content, names in run.content_hashes().items()
        )
        raise DataError(
            "the pipelines did not deliver the same samples",
            why=sides,
            todo=f"run `chiops data prepare` again with all formats; the numbers, not to be compared, are in {path}",
        )
    if run.failures:
        first = run.failures[0]
        raise RemoteFailed(
            f"{len(run.failures)} of {run.planned_arms} arms failed, the first being {first.format} ({first.cache_declared})",
            why=first.error,
            todo=f"mend the cause and run again; what was measured is in {path}",
        )


def _measure(
    launch: Launch,
    s3: S3Access,
    options: BenchOptions,
    arm: Arm,
    place: int,
    now: Callable[[], datetime],
    *,
    parent: progress.Task,
) -> ArmResult:
    seed = options.seed + arm.repetition
    result = ArmResult(
        place=place,
        format=arm.format,
        workers=arm.workers,
        cache_declared=arm.cache,
        repetition=arm.repetition,
        seed=seed,
        started=now(),
    )
    config = _config(s3, options, arm.format) | {"workers": arm.workers, "cache": arm.cache, "seed": seed}
    try:
        with progress.task(str(arm), parent=parent) as task:
            answer = launch({"action": "run", "arm": config}, _feed(task))
            metrics, cache = Metrics.model_validate(answer["metrics"]), Cache.model_validate(answer["cache"])
            task.finish(f"{metrics.images_per_s:.0f} imgs/s")
    except ChiopsError as error:
        return result.model_copy(update={"error": error.sentence()})
    return result.model_copy(update={"metrics": metrics, "cache": cache})


def _config(s3: S3Access, options: BenchOptions, name: str) -> dict[str, Any]:
    """What the node side is told of an arm. Goes over stdin, since the key is in it."""
    return {
        "format": name,
        "dataset": options.dataset,
        "split": options.split,
        "access": options.access,
        "samples": options.samples,
        "batch_size": options.batch_size,
        "warmup_batches": options.warmup_batches,
        "seed": options.seed,
        "timeout_s": options.batch_timeout_s,
        "data_dir": "/data",
        "cache_dir": "/cache",
        "mount_dir": "/bucket",
        "s3": {
            "url": s3.endpoint.url,
            "region": s3.endpoint.region,
            "bucket": s3.bucket,
            "access": s3.access,
            "secret": s3.secret,
        },
    }


def _facts(found: Mapping[str, dict[str, Any]]) -> dict[str, FormatFacts]:
    """What there is, by format; an error for the first format whose data is not there."""
    for name, answer in found.items():
        if "what" in answer:
            raise DataError(f"{name} cannot run: {answer['what']}", why=answer["why"], todo=answer["todo"])
    facts = {name: FormatFacts.model_validate(answer) for name, answer in found.items()}
    counts = {one.split_samples for one in facts.values()}
    if len(counts) > 1:
        sides = ", ".join(f"{name} has {one.split_samples}" for name, one in facts.items())
        raise DataError(
            "the formats do not hold the same samples",
            why=sides,
            todo="run `chiops data prepare` again with all formats",
        )
    return facts


def _feed(task: progress.Task) -> Event:
    """Show the container's events on a task; errors and results come back by other ways."""

    def on_event(event: dict[str, Any]) -> None:
        if event["event"] == "progress":
            task.advance(event["done"], total=event.get("total"), unit=event.get("unit", ""))
        elif event["event"] == "note":
            task.note(event["text"])

    return on_event


def _launcher(ssh: Ssh, image: str, options: BenchOptions) -> Launch:
    from chiops.remote.container import Limits, run_module

    limits = Limits(memory=options.memory)

    mounts = [f"{DATA_ON_NODE}:/data:ro", f"{CACHE_ON_NODE}:/cache"]
    if any(formats.find(name).mount for name in options.formats):
        mounts.append(f"{options.mount}:/bucket:ro,rslave")

    def launch(config: dict[str, Any], on_event: Event) -> dict[str, Any]:
        return run_module(
            ssh,
            image,
            "loaders",
            config,
            mounts=mounts,
            limits=limits,
            on_event=on_event,
            timeout_s=options.arm_timeout_s,
        )

    return launch
