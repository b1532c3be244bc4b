"""The report's charts as inline SVG: every raw point, intervals beside them, colours from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from chiops.bench.formats import CEILING
from chiops.bench.statistics import quantile
from chiops.bench.table import Row

_WIDTH = 860
_LEFT, _RIGHT = 240, 84
_ROW_HEIGHT = 46
_TICKS = 5
_COLOURS = 6
_CURVE_HEIGHT = 300
_MOST_STEPS = 400


def nice_ceiling(value: float) -> float:
    """The smallest of 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten that is at least ``value`` (above zero)."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * power >= value * (1 - 1e-9))


def colour(rows: Sequence[Row], row: Row) -> int:
    """The number of a format's colour, stable over the charts of a report."""
    return list(dict.fromkeys(one.format for one in rows)).index(row.format) % _COLOURS


def throughput(rows: Sequence[Row]) -> str:
    """Images per second: a dot for each repetition, a tick for the median, a bar for its interval; hollow dots are cold."""
    if not rows:
        return ""
    top = nice_ceiling(max(max(row.points) for row in rows) * 1.04)
    scale = (_WIDTH - _LEFT - _RIGHT) / top
    bottom = 14 + _ROW_HEIGHT * len(rows)
    parts = [_open(bottom + 44, "Images per second by format and cache state, higher is better")]
    for step in range(_TICKS + 1):
        value = top * step / _TICKS
        x = _LEFT + value * scale
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="8" x2="{x:.1f}" y2="{bottom}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{value:g}</text>')
    middle = _LEFT + top * scale / 2
    parts.append(f'<text class="axis" x="{middle:.1f}" y="{bottom + 37}" text-anchor="middle">images per second</text>')
    several = len({row.workers for row in rows}) > 1
    parts += _ceilings(rows, scale, bottom)
    for place, row in enumerate(rows):
        y = 14 + _ROW_HEIGHT * (place + 0.5)
        parts += _throughput_row(row, y, scale, colour(rows, row), with_workers=several)
    return "".join([*parts, "</svg>"])


def _throughput_row(row: Row, y: float, scale: float, number: int, *, with_workers: bool) -> list[str]:
    low, median, high = (_LEFT + value * scale for value in _interval(row))
    below = ", ".join(part for part in (row.combination.way, row.cache) if part)
    below = f"{below}, {row.workers} w" if with_workers else below
    name = f'<text class="name" x="{_LEFT - 16}" y="{y - 2:.1f}" text-anchor="end">{escape(row.format)}</text>'
    parts = [
        name,
        f'<text class="tick" x="{_LEFT - 16}" y="{y + 14:.1f}" text-anchor="end">{escape(below)}</text>',
        f'<g class="c{number} {row.cache}">',
        f'<rect class="interval" x="{low:.1f}" y="{y - 9:.1f}" width="{max(high - low, 2):.1f}" height="18" rx="4"/>',
    ]
    for place, point in enumerate(row.points):
        offset = (place % 3 - 1) * 4.5  # spread, so that equal points do not hide each other
        parts.append(
            f'<circle cx="{_LEFT + point * scale:.1f}" cy="{y + offset:.1f}" r="4">'
            f"<title>{escape(row.title)}, repetition {place + 1}: {point:.1f} images/s</title></circle>"
        )
    parts.append(f'<line class="median" x1="{median:.1f}" y1="{y - 14:.1f}" x2="{median:.1f}" y2="{y + 14:.1f}"/></g>')
    beside = max(high, *(_LEFT + point * scale for point in row.points)) + 12
    parts.append(f'<text class="value" x="{beside:.1f}" y="{y + 5:.1f}">{row.images_per_s.median:.0f}</text>')
    return parts


def _ceilings(rows: Sequence[Row], scale: float, bottom: float) -> list[str]:
    """A line through the whole chart for what decoding alone gives."""
    parts = []
    for row in rows:
        if row.format == CEILING:
            x = _LEFT + row.images_per_s.median * scale
            parts.append(f'<line class="ceiling" x1="{x:.1f}" y1="8" x2="{x:.1f}" y2="{bottom}">')
            parts.append(f"<title>decoding alone, {row.workers} workers</title></line>")
    return parts


def _interval(row: Row) -> tuple[float, float, float]:
    return row.images_per_s.low, row.images_per_s.median, row.images_per_s.high


def waits(rows: Sequence[Row]) -> str:
    """The share of batches that came within a given wait, all repetitions together; the time axis is logarithmic."""
    shown = [row for row in rows if row.waits]
    if not shown:
        return ""
    left, right, bottom = 64, 24, _CURVE_HEIGHT
    floor = 1e-4  # shorter waits are all "at once"
    first = math.floor(math.log10(max(floor, min(min(row.waits) for row in shown))))
    last = max(first + 1, math.ceil(math.log10(max(floor, *(max(row.waits) for row in shown)))))

    def across(seconds: float) -> float:
        return left + (math.log10(max(seconds, 10.0**first)) - first) / (last - first) * (_WIDTH - left - right)

    def up(share: float) -> float:
        return bottom - share * (bottom - 14)

    parts = [_open(bottom + 50, "Cumulative share of batches by wait; further left is better")]
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = up(share)
        parts.append(f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{_WIDTH - right}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{left - 10}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    for power in range(first, last + 1):
        x = across(10.0**power)
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="14" x2="{x:.1f}" y2="{bottom}"/>')
        label = f"{10.0 ** (power + 3):g} ms" if power < 0 else f"{10.0**power:g} s"
        parts.append(f'<text class="tick" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{label}</text>')
    middle = (left + _WIDTH - right) / 2
    parts.append(f'<text class="axis" x="{middle:.1f}" y="{bottom + 40}" text-anchor="middle">wait for a batch</text>')
    for row in shown:
        points = [(across(quantile(row.waits, share)), up(share)) for share in _shares(len(row.waits))]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline class="curve c{colour(rows, row)} {row.cache}" points="{path}">')
        parts.append(f"<title>{escape(row.title)}, {row.workers} workers</title></polyline>")
    return "".join([*parts, "</svg>"])


def _shares(count: int) -> list[float]:
    steps = max(1, min(count, _MOST_STEPS) - 1)
    return [step / steps for step in range(steps + 1)]


def _open(height: float, label: str) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{escape(label)}">'
