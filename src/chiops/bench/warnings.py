"""What a reader must know before trusting the numbers: a closed list, each found from the result alone."""

from __future__ import annotations

import enum
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chiops.bench import formats, table
from chiops.bench.results import BenchRun
from chiops.bench.statistics import relative_deviation

_NOISE_FROM = 0.10
_FEWEST_REPETITIONS = 3
_SHORTEST_S = 1.0
_MEMORIES = 5
_WARM_FETCH_FROM = 0.05
_WIRE_FROM, _WIRE_TO = 0.95, 1.25
_READS_NO_NETWORK = (formats.BASELINE, formats.CEILING)


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
    WIRE_EXCESS = "wire-excess"
    COLD_SERVED = "cold-served"
    DAEMON_APART = "daemon-apart"
    LEFT_OUT = "left-out"
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
        who = f"{arm.combination}, repetition {arm.repetition + 1}"
        yield Finding(Kind.ARM_FAILED, f"{who} failed and is missing: {arm.error}")
    missing = run.planned_arms - len(run.arms)
    if missing > 0:
        yield Finding(
            Kind.INTERRUPTED,
            f"The run did not come to its end: {missing} of {run.planned_arms} arms never ran. What is here is partial.",
        )
    for sentence in run.left_out:
        yield Finding(Kind.LEFT_OUT, sentence)


def _of_rows(run: BenchRun) -> Iterator[Finding]:
    rows = table.rows(run)
    if rows and not any(row.against for row in rows):
        text = f"{formats.BASELINE} was not measured one by one, so there is no ratio to the local disk."
        yield Finding(Kind.NO_BASELINE, text)
    yield from _of_effort(rows)
    for row in rows:
        noise = relative_deviation(row.points)
        if noise >= _NOISE_FROM:
            text = f"{row.title} is noisy: its standard deviation is {noise:.0%} of the mean. Was the node idle?"
            yield Finding(Kind.NOISY, text)
        if row.measured_cache == "unknown":
            text = f"{row.title}: nothing tells whether the caches were {row.cache}{_why_unknown(row)}."
            yield Finding(Kind.CACHE_STATE, text)
        elif row.measured_cache != row.cache:
            text = f"{row.title}: the caches were meant to be {row.cache} and measured as {row.measured_cache}."
            yield Finding(Kind.CACHE_STATE, text)
        cold = [arm.mount_before for arm in row.arms if arm.mount_before and row.cache == "cold"]
        if any(not state.is_empty for state in cold):
            text = f"{row.title}: the mount's daemon was not started anew with empty caches before each repetition."
            yield Finding(Kind.CACHE_STATE, text)
        if row.combination.mount and not row.with_daemon:
            text = f"{row.title}: the CPU time is without that of the mount's daemon, which is not known."
            yield Finding(Kind.DAEMON_APART, text)
        yield from _of_wire(row)


def _why_unknown(row: table.Row) -> str:
    notes = dict.fromkeys(arm.cache.note for arm in row.arms if arm.cache and arm.cache.note)
    return f" ({'; '.join(notes)})" if notes else ""


def _of_effort(rows: Sequence[table.Row]) -> Iterator[Finding]:
    """What more repetitions or more batches would mend, for all rows together."""
    few = [row for row in rows if len(row.points) < _FEWEST_REPETITIONS]
    if few:
        least, who = min(len(row.points) for row in few), _named(few, rows)
        text = f"{who} with as few as {least} of at least {_FEWEST_REPETITIONS} repetitions that a median needs."
        yield Finding(Kind.FEW_REPETITIONS, text)
    timed = [(row, statistics.median(one.timed_s for one in row.metrics)) for row in rows]
    short = [row for row, seconds in timed if seconds < _SHORTEST_S]
    if short:
        least_s = min(seconds for _, seconds in timed)
        text = f"{_named(short, rows)} timed for as little as {least_s:.2f} s; take more batches or a larger dataset."
        yield Finding(Kind.SHORT, text)


def _named(some: Sequence[table.Row], rows: Sequence[table.Row]) -> str:
    if len(some) == len(rows) > 1:
        return "All rows:"
    return f"{'; '.join(f'{row.title}, {row.workers} workers' for row in some)}:"


def _of_wire(row: table.Row) -> Iterator[Finding]:
    """Whether what came over the network fits what was delivered."""
    needed, received = row.median("sample_bytes"), row.median("net_received_bytes")
    if not needed or received is None or row.format in _READS_NO_NETWORK:
        return
    ratio = row.median("net_ratio")
    share = received / needed if ratio is None else ratio
    has_caches = row.format not in formats.FORMATS or "warm" in formats.find(row.format).caches
    if row.cache == "warm" and share > _WARM_FETCH_FROM:
        text = (
            f"{row.title} still received {received / 1e6:.1f} MB, {share:.0%} of what its samples weigh: it was not all "
            "served from caches, or other traffic passed."
        )
        yield Finding(Kind.WARM_FETCHED, text)
    if row.cache == "cold" and share > _WIRE_TO:
        text = (
            f"{row.title} received {received / 1e6:.1f} MB, {share:.2f} times what its samples weigh: "
            "it reads ahead of what it needs, or other traffic passed."
        )
        yield Finding(Kind.WIRE_EXCESS, text)
    if row.cache == "cold" and share < _WIRE_FROM and not (has_caches and (row.median("epochs") or 1) > 1):
        text = (
            f"{row.title} received {received / 1e6:.1f} MB, only {share:.0%} of what its samples weigh: "
            "something nearer than the object store served the rest."
        )
        yield Finding(Kind.COLD_SERVED, text)


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
