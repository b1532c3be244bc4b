"""Two runs, row by row: by how much the second is faster, and whether that is more than chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chiops.bench import table
from chiops.bench.matrix import Combination
from chiops.bench.results import BenchRun
from chiops.bench.statistics import Estimate, ratio
from chiops.errors import DataError

if TYPE_CHECKING:
    from rich.table import Table

# What differs from run to run without changing what is measured.
_PASSING = frozenset({"endpoint_rtt_ms", "formats", "clients", "fetchers", "mounts", "caches", "workers", "access",
                      "repetitions", "batch_timeout_s", "arm_timeout_s", "lab"})  # fmt: skip
HEADERS = ("format", "how", "cache", "order", "workers", "before", "after", "ratio [95 %]", "verdict")


@dataclass(frozen=True, slots=True)
class Change:
    """One row that both runs have; ``ratio`` is after over before."""

    combination: Combination
    before: float
    after: float
    ratio: Estimate

    @property
    def verdict(self) -> str:
        """``faster``, ``slower``, or that nothing is sure."""
        if self.ratio.low <= 1 <= self.ratio.high:
            return "no sure difference"
        return "faster" if self.ratio.median > 1 else "slower"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed, and what else differs between the runs: values by name, before and after."""

    changes: tuple[Change, ...]
    only_before: tuple[Combination, ...]
    only_after: tuple[Combination, ...]
    differences: Mapping[str, tuple[Any, Any]]

    def as_json(self) -> dict[str, Any]:
        """For ``-o json``."""
        return {
            "changes": [
                {
                    **{name: getattr(one.combination, name) for name in _AXES},
                    "before": one.before,
                    "after": one.after,
                    "ratio": one.ratio.median,
                    "ratio_low": one.ratio.low,
                    "ratio_high": one.ratio.high,
                    "verdict": one.verdict,
                }
                for one in self.changes
            ],
            "only_before": [str(one) for one in self.only_before],
            "only_after": [str(one) for one in self.only_after],
            "differences": {name: {"before": old, "after": new} for name, (old, new) in self.differences.items()},
        }


_AXES = ("format", "client", "fetcher", "mount", "access", "workers", "cache")


def compare(before: BenchRun, after: BenchRun) -> Comparison:
    """Compare two runs by their rows.

    Raises:
        DataError: they have no row in common, or did not read the same samples.
    """
    old, new = ({row.combination: row for row in table.rows(run)} for run in (before, after))
    common = [key for key in old if key in new]
    if not common:
        raise DataError("the two runs have no row in common", todo="compare runs of the same formats and workers")
    hashes = set(before.content_hashes()) | set(after.content_hashes())
    if len(hashes) > 1:
        raise DataError(
            "the two runs did not read the same samples",
            why=", ".join(f"{one[:12]}…" for one in sorted(hashes)),
            todo="run both on the same dataset, with equally many samples",
        )
    seed = int(after.options.get("seed", 0))
    changes = [
        Change(
            key,
            old[key].images_per_s.median,
            new[key].images_per_s.median,
            ratio(new[key].points, old[key].points, seed=seed),
        )
        for key in common
    ]
    return Comparison(
        tuple(changes),
        tuple(key for key in old if key not in new),
        tuple(key for key in new if key not in old),
        _differences(before, after),
    )


def _differences(before: BenchRun, after: BenchRun) -> dict[str, tuple[Any, Any]]:
    one, other = ({**run.options, **run.environment} for run in (before, after))
    return {
        name: (one.get(name, "unknown"), other.get(name, "unknown"))
        for name in dict.fromkeys((*one, *other))
        if name not in _PASSING and one.get(name) != other.get(name)
    }


def rich_table(found: Comparison) -> Table:
    """The changes for a terminal."""
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), collapse_padding=True, header_style="bold")
    for header in HEADERS:
        shown.add_column(
            header, justify="right" if header in ("workers", "before", "after", "ratio [95 %]") else "left"
        )
    for one in found.changes:
        key, change = one.combination, one.ratio
        shown.add_row(
            key.format, key.way or table.NOTHING, key.cache, key.access, str(key.workers),
            f"{one.before:.0f}", f"{one.after:.0f}",
            f"{change.median:.2f}× [{change.low:.2f}, {change.high:.2f}]", one.verdict,
        )  # fmt: skip
    return shown
