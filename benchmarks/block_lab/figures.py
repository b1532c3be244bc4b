"""What was measured, and how it is shown. Pure: no cloud, no clock."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_HEAD = re.compile(r"^# %% (up|away)(?:, helped: (.+))?\n", re.MULTILINE)
_MARK = re.compile(r"^# %%", re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """A cell of the seed's notebook; ``helped`` says why it differs from the seed's own, empty where it does not."""

    phase: str
    helped: str
    source: str


def cells(text: str) -> list[Cell]:
    """The cells of a file in the percent format.

    Raises:
        ValueError: a ``# %%`` line is not understood.
    """
    parts = _HEAD.split(text)[1:]
    found = [Cell(phase, helped or "", source) for phase, helped, source in zip(*[iter(parts)] * 3, strict=True)]
    if len(found) != len(_MARK.findall(text)):
        raise ValueError("a cell is to begin with `# %% up` or `# %% away`, and may say `, helped: why`")
    return found


@dataclass(frozen=True)
class Phase:
    """One way up or away: seconds of wall time until the cloud shows it done, and HTTP requests sent."""

    seconds: float
    calls: int


def comparison(rounds: Mapping[str, Sequence[Mapping[str, Phase]]]) -> str:
    """A Markdown table of medians, with the range where rounds differ; the first tool is what the others are compared with.

    Args:
        rounds: each tool's rounds; a round has a `Phase` of every name.
    """
    first, *others = rounds
    lines = [
        f"| | {first} | {' | '.join(f'{name} | of {first}' for name in others)} |",
        "|---" * (2 + 2 * len(others)) + "|",
    ]
    for phase in rounds[first][0]:
        for unit in ("seconds", "calls"):
            values = {name: [float(getattr(one[phase], unit)) for one in taken] for name, taken in rounds.items()}
            digits = 1 if unit == "seconds" else 0
            shown = [_median(values[first], digits)]
            for name in others:
                shown += [_median(values[name], digits), f"{ratio(values[first], values[name]):.1f} ×"]
            label = f"{phase}, {'seconds' if unit == 'seconds' else 'API calls'}"
            lines.append(f"| {label} | {' | '.join(shown)} |")
    return "\n".join(lines)


def ratio(base: Sequence[float], other: Sequence[float]) -> float:
    """How many times the base's median the other's is."""
    return statistics.median(other) / statistics.median(base)


def _median(values: Sequence[float], digits: int) -> str:
    low, middle, high = (f"{it:.{digits}f}" for it in (min(values), statistics.median(values), max(values)))
    return middle if low == high else f"{middle} ({low} to {high})"


def growth(calls: Mapping[str, Mapping[int, Sequence[int]]]) -> str:
    """A Markdown table: the API calls of each command's runs, by how many volumes and groups more the project has."""
    sizes = list(next(iter(calls.values())))
    lines = [f"| API calls | {' | '.join(f'{size} more' for size in sizes)} |", "|---" * (1 + len(sizes)) + "|"]
    lines += [f"| `{name}` | {' | '.join(_median(by[size], 0) for size in sizes)} |" for name, by in calls.items()]
    return "\n".join(lines)
