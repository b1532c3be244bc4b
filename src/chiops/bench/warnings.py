"""What a reader must know before trusting the numbers: a closed list, each found from the result alone."""

from __future__ import annotations

import enum
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from chiops.bench import formats, table
from chiops.bench.results import BenchRun
from chiops.bench.statistics import relative_deviation

_NOISE_FROM = 0.10
_FEWEST_REPETITIONS = 3
_SHORTEST_S = 1.0
_MEMORIES = 5
_WARM_FETCH_FROM = 0.05


class Kind(enum.StrEnum):
    """Every warning there is."""

    CONTENT_DIFFERS = "content-differs"
    ARM_FAILED = "arm-failed"
    INTERRUPTED = "interrupted"
    NO_BASELINE = "no-baseline"
    FEW_REPETITIONS = "few-repetitions"
    NOISY = "noisy"
    SHORT = "short"
    CACHE_STATE = "cache-state"
    WARM_FETCHED = "warm-fetched"
    SMALL_DATASET = "small-dataset"


@dataclass(frozen=True, slots=True)
class Finding:
    """One warning with its numbers; ``text`` is whole sentences."""

    kind: Kind
    text: str


def find(run: BenchRun) -> tuple[Finding, ...]:
    """Every warning of the run, the gravest first."""
    found = [*_of_run(run), *_of_rows(run), *_of_size(run)]
    return tuple(sorted(found, key=lambda one: list(Kind).index(one.kind)))


def _of_run(run: BenchRun) -> Iterator[Finding]:
    hashes = run.content_hashes()
    if len(hashes) > 1:
        sides = "; ".join(f"{content[:12]}…: {', '.join(names)}" for content, names in hashes.items())
        yield Finding(
            Kind.CONTENT_DIFFERS,
            f"The pipelines did not deliver the same samples ({sides}): these numbers must not be compared. "
            "Prepare the data again, all formats from one tree.",
        )
    for arm in run.failures:
        who = f"{arm.format}, {arm.cache_declared}, {arm.workers} workers, repetition {arm.repetition + 1}"
        yield Finding(Kind.ARM_FAILED, f"{who} failed and is missing: {arm.error}")
    missing = run.planned_arms - len(run.arms)
    if missing > 0:
        yield Finding(Kind.INTERRUPTED, f"The run was interrupted: {missing} of {run.planned_arms} arms never ran.")


def _of_rows(run: BenchRun) -> Iterator[Finding]:
    rows = table.rows(run)
    if rows and not any(row.format == formats.BASELINE for row in rows):
        yield Finding(Kind.NO_BASELINE, f"{formats.BASELINE} was not measured, so there is no ratio to the local disk.")
    for row in rows:
        if len(row.points) < _FEWEST_REPETITIONS:
            text = (
                f"{row.title} has {len(row.points)} of at least {_FEWEST_REPETITIONS} repetitions that a median needs."
            )
            yield Finding(Kind.FEW_REPETITIONS, text)
        noise = relative_deviation(row.points)
        if noise >= _NOISE_FROM:
            text = f"{row.title} is noisy: its standard deviation is {noise:.0%} of the mean. Was the node idle?"
            yield Finding(Kind.NOISY, text)
        if row.measured_cache != row.cache:
            text = f"{row.title}: the caches were meant to be {row.cache} and measured as {row.measured_cache}."
            yield Finding(Kind.CACHE_STATE, text)
        arms = [arm for arm in run.measured if (arm.format, arm.workers, arm.cache_declared) == _key(row)]
        timed = statistics.median(arm.metrics.timed_s for arm in arms if arm.metrics)
        if timed < _SHORTEST_S:
            text = f"{row.title} was timed for {timed:.2f} s only; take more batches or a larger dataset."
            yield Finding(Kind.SHORT, text)
        needed = statistics.median(arm.metrics.sample_bytes for arm in arms if arm.metrics)
        if row.cache == "warm" and row.received_bytes and row.received_bytes > _WARM_FETCH_FROM * needed:
            text = (
                f"{row.title} still received {row.received_bytes / 1e6:.1f} MB, {row.received_bytes / needed:.0%} of what "
                "its samples weigh: it was not all served from caches, or other traffic passed."
            )
            yield Finding(Kind.WARM_FETCHED, text)


def _of_size(run: BenchRun) -> Iterator[Finding]:
    sizes = [run.environment.get(name) for name in ("memory_bytes", "node_memory_limit_bytes", "memory_limit_bytes")]
    memory = min((size for size in sizes if isinstance(size, int)), default=0)
    largest = max((one.split_bytes for one in run.formats.values()), default=0)
    if memory and largest < _MEMORIES * memory:
        yield Finding(
            Kind.SMALL_DATASET,
            f"The split ({largest / 1e6:.0f} MB) is smaller than {_MEMORIES} times the node's memory "
            f"({memory / 1e9:.1f} GB): warm rows are served from memory, and cold ones are cold only because the page "
            "cache was dropped; a host below the node may still hold the data.",
        )


def _key(row: table.Row) -> tuple[str, int, str]:
    return row.format, row.workers, row.cache
