"""Bytes, reconciled: what the samples weigh, what the client received for them, and what came over the wire."""

from __future__ import annotations

from chiops.bench import table
from chiops.bench.results import BenchRun

HEADERS = (
    "format", "how", "cache", "workers",
    "samples MB", "client MB", "wire MB", "client ÷ samples", "wire ÷ samples", "requests", "requests/1000", "wire B/sample",
)  # fmt: skip
TEXT_COLUMNS = 4


def lines(run: BenchRun) -> tuple[tuple[str, ...], ...]:
    """The cells, medians over the repetitions; what was not counted is ``unknown``."""
    found = []
    for row in table.rows(run):
        weigh, count = row.median("sample_bytes"), row.median("samples")
        client, wire, requests = (
            row.median(name) for name in ("client_received_bytes", "net_received_bytes", "client_requests")
        )
        found.append(
            (
                row.format,
                row.combination.way or table.NOTHING,
                row.cache,
                str(row.workers),
                _scaled(weigh, 1e-6, 1),
                _scaled(client, 1e-6, 1),
                _scaled(wire, 1e-6, 1),
                _scaled(row.median("client_ratio"), 1, 3),
                _scaled(row.median("net_ratio"), 1, 3),
                _scaled(requests, 1, 0),
                _scaled(None if requests is None or not count else 1000 * requests / count, 1, 0),
                _scaled(row.median("net_bytes_per_sample"), 1, 0),
            )
        )
    return tuple(found)


def _scaled(value: float | None, factor: float, digits: int) -> str:
    return "unknown" if value is None else f"{value * factor:.{digits}f}"


def markdown(run: BenchRun) -> str:
    """The table in Markdown."""
    return table.as_markdown(HEADERS, lines(run), TEXT_COLUMNS)
