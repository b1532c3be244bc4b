"""A run as rows: one per format, workers and cache state. The same cells for the terminal, Markdown and HTML."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chiops.bench import formats
from chiops.bench.results import ArmResult, BenchRun, Metrics
from chiops.bench.statistics import Estimate, estimate, ratio

if TYPE_CHECKING:
    from rich.table import Table

_RIGHT_FROM = 2  # columns from here on hold numbers
# The first columns, headed so that they fit a terminal of 80 characters; the rest are in the report.
_ON_TERMINAL = (
    "format", "cache", "w", "imgs/s\n[95 %]", "batch\n/s", "avg_\nbatch_s", "vs\nlocal", "net\nMB", "CPU s\n/1000",
)  # fmt: skip
Key = tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class Row:
    """The repetitions of one combination, summed up; medians over the repetitions where not said otherwise.

    Args:
        points: images per second, each repetition, in order of execution.
        against: ratio of ``images_per_s`` to the baseline's; None for want of a baseline, 1 for the baseline itself.
        received_bytes: by the network interface during a pass; None if unknown.
        waits: every timed batch's wait in seconds, all repetitions.
        page_share: share of the files' pages in memory at the start; None if unknown.
    """

    format: str
    workers: int
    cache: str
    measured_cache: str
    points: tuple[float, ...]
    images_per_s: Estimate
    batches_per_s: float
    avg_batch_s: float
    first_batch_s: float
    wait_p50_s: float
    wait_p95_s: float
    wait_p99_s: float
    cpu_s_per_1000: float
    received_bytes: float | None
    against: Estimate | None
    waits: tuple[float, ...]
    page_share: float | None

    @property
    def title(self) -> str:
        """``litdata, warm``."""
        return f"{self.format}, {self.cache}"


HEADERS = (
    "format",
    "cache",
    "workers",
    "imgs/s [95 %]",
    "batches/s",
    "avg_batch_s",
    "vs local",
    "net MB",
    "CPU s/1000",
    "first batch s",
    "p95 wait s",
)


def rows(run: BenchRun) -> tuple[Row, ...]:
    """The rows in the order of the options: formats as given, workers as given, cold before warm."""
    groups: dict[Key, list[ArmResult]] = {}
    for arm in run.measured:
        groups.setdefault((arm.format, arm.workers, arm.cache_declared), []).append(arm)
    wished_formats = list(run.options.get("formats", ()))
    wished_workers = list(run.options.get("workers", ()))

    def wish(key: Key) -> tuple[int, int, str]:
        return _place(wished_formats, key[0]), _place(wished_workers, key[1]), key[2]

    return tuple(_row(key, groups, seed=int(run.options.get("seed", 0))) for key in sorted(groups, key=wish))


def cells(row: Row) -> tuple[str, ...]:
    """The row as text, one cell per header."""
    speed, received = row.images_per_s, row.received_bytes
    marked = row.cache if row.measured_cache == row.cache else f"{row.cache} (measured: {row.measured_cache})"
    return (
        row.format,
        marked,
        str(row.workers),
        f"{speed.median:.0f} [{speed.low:.0f}, {speed.high:.0f}]",
        f"{row.batches_per_s:.2f}",
        f"{row.avg_batch_s:.4f}",
        "-" if row.against is None else f"{row.against.median:.2f}×",
        "unknown" if received is None else f"{received / 1e6:.1f}",
        f"{row.cpu_s_per_1000:.2f}",
        f"{row.first_batch_s:.2f}",
        f"{row.wait_p95_s:.3f}",
    )


def markdown(run: BenchRun) -> str:
    """The table in Markdown."""
    lines = [HEADERS, tuple("---:" if place >= _RIGHT_FROM else "---" for place in range(len(HEADERS)))]
    lines += [cells(row) for row in rows(run)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def rich_table(run: BenchRun) -> Table:
    """The table for a terminal."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), collapse_padding=True, header_style="bold")
    for place, header in enumerate(_ON_TERMINAL):
        numeric = place >= _RIGHT_FROM
        table.add_column(header, justify="right" if numeric else "left", no_wrap=True, vertical="bottom")
    for row in rows(run):
        table.add_row(*cells(row)[: len(_ON_TERMINAL)])
    return table


def baseline_key(run_keys: list[Key], workers: int) -> Key | None:
    """The row that others are compared with: files on the local disk, as many workers, warm if it was measured."""
    wanted = [(formats.BASELINE, workers, cache) for cache in ("warm", "cold")]
    return next((key for key in wanted if key in run_keys), None)


def _row(key: Key, groups: dict[Key, list[ArmResult]], *, seed: int) -> Row:
    arms = groups[key]
    measured = [arm.metrics for arm in arms if arm.metrics]
    points = [one.images_per_s for one in measured]
    base = baseline_key(list(groups), key[1])
    against = None
    if base == key:
        against = Estimate(1.0, 1.0, 1.0, len(points))
    elif base:
        against = ratio(points, [arm.metrics.images_per_s for arm in groups[base] if arm.metrics], seed=seed)
    received = [one.net_received_bytes for one in measured if one.net_received_bytes is not None]
    caches = [arm.cache for arm in arms if arm.cache]
    shares = [cache.page_share for cache in caches if cache.page_share is not None]
    states = sorted({cache.measured for cache in caches})
    return Row(
        format=key[0],
        workers=key[1],
        cache=key[2],
        measured_cache="/".join(states) or "unknown",
        points=tuple(points),
        images_per_s=estimate(points, seed=seed),
        batches_per_s=_median(measured, "batches_per_s"),
        avg_batch_s=_median(measured, "avg_batch_s"),
        first_batch_s=_median(measured, "first_batch_s"),
        wait_p50_s=_median(measured, "wait_p50_s"),
        wait_p95_s=_median(measured, "wait_p95_s"),
        wait_p99_s=_median(measured, "wait_p99_s"),
        cpu_s_per_1000=_median(measured, "cpu_s_per_1000"),
        received_bytes=statistics.median(received) if received else None,
        against=against,
        waits=tuple(wait for one in measured for wait in one.batch_wait_s[one.warmup_batches :]),
        page_share=statistics.median(shares) if shares else None,
    )


def _median(measured: list[Metrics], name: str) -> float:
    return statistics.median(float(getattr(one, name)) for one in measured)


def _place(wished: list[object], one: object) -> int:
    return wished.index(one) if one in wished else len(wished)
