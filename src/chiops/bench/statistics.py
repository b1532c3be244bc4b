"""Few points, honestly summed up: median, bootstrap interval, ratio. Needs only the standard library."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A median with the interval that holds it with 95 % confidence, as far as the points can tell."""

    median: float
    low: float
    high: float
    count: int

    def overlaps(self, other: Estimate) -> bool:
        """Whether the intervals share a value; then no difference is shown."""
        return self.low <= other.high and other.low <= self.high


def quantile(values: Sequence[float], share: float) -> float:
    """The ``share`` (0 to 1) quantile, interpolated linearly between the two nearest values."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def estimate(values: Sequence[float], *, seed: int) -> Estimate:
    """Median of ``values`` (at least one) with its bootstrap percentile interval. The same seed gives the same interval.

    With three points the interval is nearly always their range: it cannot say more than they do.
    """
    dice = random.Random(seed)  # noqa: S311 - reproducible, not secret
    low, high = _interval(lambda: statistics.median(dice.choices(values, k=len(values))))
    return Estimate(statistics.median(values), low, high, len(values))


def ratio(values: Sequence[float], baseline: Sequence[float], *, seed: int) -> Estimate:
    """Ratio of the medians with its bootstrap interval, both sides resampled independently; all values above zero."""
    dice = random.Random(seed)  # noqa: S311 - reproducible, not secret

    def once() -> float:
        drawn = statistics.median(dice.choices(values, k=len(values)))
        return drawn / statistics.median(dice.choices(baseline, k=len(baseline)))

    low, high = _interval(once)
    return Estimate(statistics.median(values) / statistics.median(baseline), low, high, min(len(values), len(baseline)))


def relative_deviation(values: Sequence[float]) -> float:
    """Standard deviation over mean; 0 for fewer than two values."""
    return statistics.stdev(values) / statistics.fmean(values) if len(values) > 1 else 0.0


def _interval(draw: Callable[[], float]) -> tuple[float, float]:
    draws = [draw() for _ in range(RESAMPLES)]
    tail = (1 - CONFIDENCE) / 2
    return quantile(draws, tail), quantile(draws, 1 - tail)
