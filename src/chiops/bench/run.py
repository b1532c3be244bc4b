"""A benchmark run: look what is there, run every arm in a fresh container, keep each result as soon as it is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chiops import progress
from chiops.bench import provenance
from chiops.bench.arm import configure, facts_of
from chiops.bench.caches import seen_from_the_mount
from chiops.bench.files import save
from chiops.bench.matrix import Arm, Plan, plan, without_mounts
from chiops.bench.mounts import Keeper, Mounts
from chiops.bench.options import BenchOptions
from chiops.bench.results import ArmResult, BenchRun, Cache, Method, Metrics
from chiops.cloud.base import S3Access
from chiops.errors import ChiopsError, DataError, RemoteFailed

if TYPE_CHECKING:
    from chiops.remote.ssh import Ssh

DATA_ON_NODE = "/var/lib/chiops/data"
CACHE_ON_NODE = "/var/lib/chiops/cache/bench"
GIVE_UP_AFTER = 3
"""So many arms that fail one after the other have a cause that the next one meets too: a revoked key, a full disk, no node."""

Event = Callable[[dict[str, Any]], None]
Launch = Callable[[dict[str, Any], Sequence[str], Event], dict[str, Any]]
"""Runs ``python -m loaders`` in a fresh container with this configuration and these mounts, and gives its result."""


def run_bench(ssh: Ssh, image: str, s3: S3Access, options: BenchOptions, out_dir: Path) -> BenchRun:
    """Run the benchmark on a node and write its one JSON file into ``out_dir``, anew after each arm.

    A failed arm is kept as failed and the others go on; see `raise_for_state`. An interrupted run's file says so.

    Args:
        image: the bench image's tag, already built on the node.
        s3: the lab's bucket.

    Raises:
        DataError: the dataset is not there in a format that was asked for.
        RemoteFailed: the node, the image or every mount does not work at all, and nothing else was to be measured.
    """
    planned = plan(options)
    wanted = list(dict.fromkeys(arm.combination.mount for arm in planned.arms if arm.combination.mount))
    with ExitStack() as stack:
        keeper = stack.enter_context(Mounts(ssh, s3, wanted)) if wanted else None
        return perform(
            _launcher(ssh, image, options), s3, options, out_dir, provenance.of_run(ssh, image), keeper=keeper
        )


def perform(
    launch: Launch,
    s3: S3Access,
    options: BenchOptions,
    out_dir: Path,
    origin: Mapping[str, Any],
    *,
    keeper: Keeper | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> BenchRun:
    """`run_bench` over any way of launching a container; ``origin`` is what the control side knows of the environment."""
    started, planned = now(), without_mounts(plan(options), keeper.missing if keeper else {})
    if not planned.arms:
        raise RemoteFailed("nothing can be measured", why=" ".join(planned.left_out), todo="measure what the node has")
    bench = _Bench(launch, s3, options, keeper, now)
    answer = bench.inspect(planned)
    run = BenchRun(
        state="running",
        lab=options.lab,
        started=started,
        options=options.as_json() | {"bucket": s3.bucket},
        planned_arms=len(planned.arms),
        left_out=planned.left_out,
        formats=facts_of(answer["formats"]),
        environment={**answer["environment"], **origin},
    )
    save(run, out_dir)
    try:
        with progress.task(f"Benchmark, {len(planned.arms)} arms") as whole:
            for place, arm in enumerate(planned.arms):
                whole.advance(place, total=len(planned.arms), unit="arms")
                run = run.with_arm(bench.measure(arm, place, parent=whole))
                save(run, out_dir)
                if len(run.arms) >= GIVE_UP_AFTER and not any(one.metrics for one in run.arms[-GIVE_UP_AFTER:]):
                    break
            whole.advance(len(run.arms), total=len(planned.arms), unit="arms")
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
        first, never = run.failures[0], run.planned_arms - len(run.arms)
        rest = f" and {never} were given up" if never else ""
        raise RemoteFailed(
            f"{len(run.failures)} of {run.planned_arms} arms failed{rest}, the first being {first.combination}",
            why=first.error,
            todo=f"mend the cause and run again; what was measured is in {path}, marked partial",
        )


class _Bench:
    """What all arms of a run have in common."""

    def __init__(
        self, launch: Launch, s3: S3Access, options: BenchOptions, keeper: Keeper | None, now: Callable[[], datetime]
    ) -> None:
        self._launch, self._s3, self._options, self._keeper, self._now = launch, s3, options, keeper, now

    def inspect(self, planned: Plan) -> dict[str, Any]:
        """What there is to read, once for each format."""
        first: dict[str, Arm] = {}
        for arm in planned.arms:
            first.setdefault(arm.combination.format, arm)
        with progress.task("Look what there is to read") as task:
            configs = [configure(arm.combination, self._options, self._s3) for arm in first.values()]
            volumes = [volume for arm in first.values() for volume in self._volumes(arm)]
            return self._launch({"action": "inspect", "arms": configs}, volumes, _feed(task))

    def measure(self, arm: Arm, place: int, *, parent: progress.Task) -> ArmResult:
        """One arm; a failure is a result too."""
        one, seed = arm.combination, self._options.seed + arm.repetition
        result = ArmResult(
            place=place,
            format=one.format,
            client=one.client,
            fetcher=one.fetcher,
            mount=one.mount,
            access=one.access,
            workers=one.workers,
            cache_declared=one.cache,
            repetition=arm.repetition,
            seed=seed,
            started=self._now(),
        )
        config = configure(one, self._options, self._s3) | {"seed": seed}
        found: dict[str, Any] = {}
        try:
            with progress.task(str(arm), parent=parent) as task:
                if self._keeper and one.mount:
                    look = self._keeper.empty if one.cache == "cold" else self._keeper.state
                    found["mount_before"] = look(one.mount)
                answer = self._launch({"action": "run", "arm": config}, self._volumes(arm), _feed(task))
                found["metrics"] = metrics = Metrics.model_validate(answer["metrics"])
                found["cache"] = Cache.model_validate(answer["cache"])
                if answer.get("method"):
                    found["method"] = Method.model_validate(answer["method"])
                if self._keeper and one.mount:
                    found["mount_after"] = after = self._keeper.state(one.mount)
                    found["cache"] = seen_from_the_mount(found["cache"], found["mount_before"], after, metrics)
                task.finish(f"{metrics.images_per_s:.0f} imgs/s")
        except ChiopsError as error:
            found = {"error": error.sentence(), "mount_before": found.get("mount_before")}
        return result.model_copy(update=found)

    def _volumes(self, arm: Arm) -> list[str]:
        mount = arm.combination.mount
        return [f"{self._keeper.path(mount)}:/bucket:ro"] if self._keeper and mount else []


def _feed(task: progress.Task) -> Event:
    """Show the container's events on a task; errors and results come back by other ways."""

    def on_event(event: dict[str, Any]) -> None:
        if event["event"] == "progress":
            task.advance(event["done"], total=event.get("total"), unit=event.get("unit", ""))
        elif event["event"] == "note":
            task.note(event["text"])

    return on_event


def _launcher(ssh: Ssh, image: str, options: BenchOptions) -> Launch:
    from chiops.remote.container import Advice, Limits, run_module

    limits = Limits(memory=options.memory, shm_size=f"{options.shared_memory_bytes}b")
    advice = Advice(
        killed="take fewer --workers, a smaller --batch-size or a larger --memory, or a node with more memory",
        late="allow more with --arm-timeout, or read less with --batches",
    )
    always = (f"{DATA_ON_NODE}:/data:ro", f"{CACHE_ON_NODE}:/cache")

    def launch(config: dict[str, Any], volumes: Sequence[str], on_event: Event) -> dict[str, Any]:
        return run_module(
            ssh,
            image,
            "loaders",
            config,
            mounts=(*always, *volumes),
            limits=limits,
            on_event=on_event,
            timeout_s=options.arm_timeout_s,
            advice=advice,
        )

    return launch
