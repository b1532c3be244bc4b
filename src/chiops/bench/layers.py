"""Where the time goes: one line per row and layer, from a single sample up to the whole pass, all workers together."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import TYPE_CHECKING

from chiops.bench import table
from chiops.bench.results import BenchRun, Layer

if TYPE_CHECKING:
    from rich.table import Table

HEADERS = ("format", "how", "cache", "workers", "layer", "calls", "min s", "mean s", "median s", "max s", "total s")
TEXT_COLUMNS = 5
_ORDER = ("getitem", "decode", "fetch", "worker_loop", "epoch")
TITLES = {
    "getitem": "one sample's bytes",
    "decode": "one sample decoded and transformed",
    "fetch": "one batch, made by a worker",
    "worker_loop": "one worker's life",
    "epoch": "one pass over the samples",
}
"""What a call of each layer is."""


def lines(run: BenchRun) -> tuple[tuple[str, ...], ...]:
    """The cells: extremes over all repetitions, the others' medians, calls and total of one repetition."""
    return tuple(
        (
            row.format,
            row.combination.way or table.NOTHING,
            row.cache,
            str(row.workers),
            name,
            f"{statistics.median(one.calls for one in found):.0f}",
            _seconds(min(one.min_s for one in found)),
            _seconds(statistics.median(one.mean_s for one in found)),
            _seconds(statistics.median(one.median_s for one in found)),
            _seconds(max(one.max_s for one in found)),
            _seconds(statistics.median(one.total_s for one in found)),
        )
        for row in table.rows(run)
        for name, found in _layers(row)
    )


def _layers(row: table.Row) -> Iterator[tuple[str, list[Layer]]]:
    names = {name for one in row.metrics for name in one.layers}
    for name in sorted(names, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)):
        yield name, [one.layers[name] for one in row.metrics if name in one.layers]


def _seconds(value: float) -> str:
    return f"{value:.2f}" if value >= 10 else f"{value:.3g}"


def markdown(run: BenchRun) -> str:
    """The table in Markdown; "" if no layer was timed."""
    found = lines(run)
    return table.as_markdown(HEADERS, found, TEXT_COLUMNS) if found else ""


def rich_table(run: BenchRun) -> Table:
    """The table for a terminal; a row's name stands at its first layer only."""
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), collapse_padding=True, header_style="bold")
    for place, header in enumerate(("what", *HEADERS[TEXT_COLUMNS - 1 : -1])):
        shown.add_column(header, justify="right" if place > 1 else "left", no_wrap=place > 0)
    before: tuple[str, ...] = ()
    for line in lines(run):
        key, rest = line[: TEXT_COLUMNS - 1], line[TEXT_COLUMNS - 1 : -1]
        name, how, cache, workers = key
        title = f"{name}{f' ({how})' if how != table.NOTHING else ''}, {cache}, {workers} w"
        shown.add_row("" if key == before else title, *rest)
        before = key
    return shown
