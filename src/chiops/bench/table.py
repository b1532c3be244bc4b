"""A run as rows: one per combination and cache state. The same cells for the terminal, Markdown and HTML."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chiops.bench import formats
from chiops.bench.matrix import Combination
from chiops.bench.results import ArmResult, BenchRun, Metrics
from chiops.bench.statistics import Estimate, estimate, ratio

if TYPE_CHECKING:
    from rich.table import Table

TEXT_COLUMNS = 5
"""So many columns at the left hold text, the others numbers."""
HEADERS = (
    "format", "how", "cache", "order", "workers",
    "imgs/s [95 %]", "batches/s", "avg_batch_s", "vs local", "of ceiling", "AU", "net MB", "CPU s/1000",
    "peak MB", "first batch s", "p50 wait s", "p95 wait s", "p99 wait s",
)  # fmt: skip
# Headed so that they fit a terminal of 80 characters; the rest are in the report.
_ON_TERMINAL = {
    "cache": "cache", "workers": "w", "imgs/s [95 %]": "imgs/s\n[95 %]", "avg_batch_s": "avg_\nbatch_s",
    "vs local": "vs\nlocal", "of ceiling": "of\nceil.", "AU": "AU", "net MB": "net\nMB", "CPU s/1000": "CPU s\n/1000",
}  # fmt: skip
NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Row:
    """The repetitions of one combination, summed up; medians over the repetitions where not said otherwise.

    Args:
        measured_cache: the states that the caches were found in.
        points: images per second, each repetition, in order of execution.
        against: ratio of ``images_per_s`` to the baseline's; None for want of a baseline, 1 for the baseline itself.
        of_ceiling: ratio to what decoding alone gives with as many workers; None if that was not measured.
        metrics: of each repetition.
        arms: the repetitions themselves.
    """

    combination: Combination
    measured_cache: str
    points: tuple[float, ...]
    images_per_s: Estimate
    against: Estimate | None
    of_ceiling: float | None
    metrics: tuple[Metrics, ...]
    arms: tuple[ArmResult, ...]

    @property
    def format(self) -> str:
        return self.combination.format

    @property
    def workers(self) -> int:
        return self.combination.workers

    @property
    def cache(self) -> str:
        return self.combination.cache

    @property
    def title(self) -> str:
        """``object (obstore, stream), cold``."""
        return f"{self.combination.name}, {self.cache}"

    @property
    def waits(self) -> tuple[float, ...]:
        """Every timed batch's wait in seconds, all repetitions."""
        return tuple(wait for one in self.metrics for wait in one.batch_wait_s[one.warmup_batches :])

    @property
    def with_daemon(self) -> bool:
        """Whether what the mount's daemon used is known of every repetition."""
        return bool(self.combination.mount) and all(arm.daemon_cpu_s is not None for arm in self.arms)

    @property
    def cpu_s_per_1000(self) -> float | None:
        """CPU seconds per 1,000 samples, those of a mount's daemon with them where they are known."""
        own = self.median("cpu_s_per_1000")
        if own is None or not self.with_daemon:
            return own
        return own + statistics.median(
            1000 * (arm.daemon_cpu_s or 0) / arm.metrics.samples for arm in self.arms if arm.metrics
        )

    def median(self, name: str) -> float | None:
        """The median of one of `Metrics`' numbers; None if no repetition has it."""
        values = [value for one in self.metrics if (value := getattr(one, name)) is not None]
        return statistics.median(values) if values else None


def rows(run: BenchRun) -> tuple[Row, ...]:
    """The rows in the order of the options: formats as given, then how, workers as given, cold before warm."""
    groups: dict[Combination, list[ArmResult]] = {}
    for arm in run.measured:
        groups.setdefault(arm.combination, []).append(arm)
    axes = [
        list(run.options.get(name, ())) for name in ("formats", "clients", "mounts", "fetchers", "access", "workers")
    ]

    def wish(one: Combination) -> tuple[object, ...]:
        mine = (one.format, one.client, one.mount, one.fetcher, one.access, one.workers)
        return (*(_place(axis, value) for axis, value in zip(axes, mine, strict=True)), one.cache)

    points = {key: tuple(arm.metrics.images_per_s for arm in arms if arm.metrics) for key, arms in groups.items()}
    return tuple(
        _row(key, groups[key], points, seed=int(run.options.get("seed", 0))) for key in sorted(groups, key=wish)
    )


def baseline_key(keys: Collection[Combination], one: Combination) -> Combination | None:
    """The row that ``one`` is compared with: files on the local disk read one by one, as many workers, warm if measured."""
    found = [
        key
        for key in keys
        if key.format == formats.BASELINE and key.workers == one.workers and key.fetcher in ("", "vanilla")
    ]
    return max(found, key=lambda key: (key.access == one.access, key.cache == "warm"), default=None)


def cells(row: Row) -> tuple[str, ...]:
    """The row as text, one cell per header."""
    one, speed = row.combination, row.images_per_s
    received, peak, busy = (
        row.median(f) for f in ("net_received_bytes", "peak_memory_bytes", "accelerator_utilisation")
    )
    if peak is None:
        peak = row.median("peak_rss_bytes")
    return (
        row.format,
        one.way or NOTHING,
        row.cache if row.measured_cache == row.cache else f"{row.cache} (measured: {row.measured_cache})",
        one.access,
        str(row.workers),
        f"{speed.median:.0f} [{speed.low:.0f}, {speed.high:.0f}]",
        _number(row.median("batches_per_s"), 2),
        _number(row.median("avg_batch_s"), 4),
        NOTHING if row.against is None else f"{row.against.median:.2f}×",
        NOTHING if row.of_ceiling is None else f"{row.of_ceiling:.0%}",
        NOTHING if busy is None else f"{busy:.0%}",
        "unknown" if received is None else f"{received / 1e6:.1f}",
        _number(row.cpu_s_per_1000, 2),
        "unknown" if peak is None else f"{peak / 1e6:.0f}",
        _number(row.median("first_batch_s"), 2),
        _number(row.median("wait_p50_s"), 3),
        _number(row.median("wait_p95_s"), 3),
        _number(row.median("wait_p99_s"), 3),
    )


def as_markdown(headers: Sequence[str], lines: Sequence[Sequence[str]], text_columns: int) -> str:
    """Any table in Markdown."""
    rule = ["---:" if place >= text_columns else "---" for place in range(len(headers))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (headers, rule, *lines)) + "\n"


def markdown(run: BenchRun) -> str:
    """The table in Markdown."""
    return as_markdown(HEADERS, [cells(row) for row in rows(run)], TEXT_COLUMNS)


def rich_table(run: BenchRun) -> Table:
    """The table for a terminal; how a format fetches stands below its name, and columns without a value are left out."""
    from rich.table import Table

    found = [dict(zip(HEADERS, cells(row), strict=True)) for row in rows(run)]
    several_orders = len({one["order"] for one in found}) > 1
    shown = [name for name in _ON_TERMINAL if any(one[name] != NOTHING for one in found)]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), collapse_padding=True, header_style="bold")
    table.add_column("format", vertical="bottom")
    for name in shown:
        numeric = HEADERS.index(name) >= TEXT_COLUMNS - 1
        table.add_column(_ON_TERMINAL[name], justify="right" if numeric else "left", no_wrap=True, vertical="bottom")
    for one in found:
        below = [one["how"]] if one["how"] != NOTHING else []
        below += [one["order"]] if several_orders else []
        name = "\n".join([one["format"], *(f"  {part}" for part in below)])
        table.add_row(name, *(one[column] for column in shown))
    return table


def _row(key: Combination, arms: list[ArmResult], points: Mapping[Combination, tuple[float, ...]], *, seed: int) -> Row:
    mine = points[key]
    base = baseline_key(points, key)
    against = None
    if base == key:
        against = Estimate(1.0, 1.0, 1.0, len(mine))
    elif base and key.format != formats.CEILING:
        against = ratio(mine, points[base], seed=seed)
    ceilings = [value for one, value in points.items() if (one.format, one.workers) == (formats.CEILING, key.workers)]
    states = sorted({arm.cache.measured for arm in arms if arm.cache})
    return Row(
        combination=key,
        measured_cache="/".join(states) or "unknown",
        points=mine,
        images_per_s=estimate(mine, seed=seed),
        against=against,
        of_ceiling=statistics.median(mine) / statistics.median(ceilings[0]) if ceilings else None,
        metrics=tuple(arm.metrics for arm in arms if arm.metrics),
        arms=tuple(arms),
    )


def _number(value: float | None, digits: int) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}"


def _place(wished: Sequence[object], one: object) -> int:
    return wished.index(one) if one in wished else len(wished)
