"""How long the calls of each layer took, from a sample up to a worker's life, in memory that does not grow with their number."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

_STEP = math.log(1.01)  # a bucket is 1 % wide: what the median may be wrong by
_SHORTEST_S = 1e-9

GETITEM, DECODE, FETCH, WORKER_LOOP, EPOCH = "getitem", "decode", "fetch", "worker_loop", "epoch"


@dataclass(slots=True)
class Durations:
    """Many durations in seconds, as a histogram of logarithmic buckets; number, sum and extremes are exact."""

    calls: int = 0
    total_s: float = 0.0
    min_s: float = math.inf
    max_s: float = 0.0
    buckets: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """From values."""
        made = cls()
        for value in values:
            made.add(value)
        return made

    def add(self, value: float) -> None:
        """One more call."""
        self.calls += 1
        self.total_s += value
        self.min_s, self.max_s = min(self.min_s, value), max(self.max_s, value)
        bucket = math.floor(math.log(max(value, _SHORTEST_S)) / _STEP)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1

    def merge(self, other: Durations) -> None:
        """The calls of ``other`` too."""
        self.calls += other.calls
        self.total_s += other.total_s
        self.min_s, self.max_s = min(self.min_s, other.min_s), max(self.max_s, other.max_s)
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count

    @property
    def median_s(self) -> float:
        """The lower median, within a bucket's width."""
        place, seen = (self.calls + 1) // 2, 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= place:
                return min(max(math.exp((bucket + 0.5) * _STEP), self.min_s), self.max_s)
        return 0.0

    def as_json(self) -> dict[str, Any]:
        """For the result."""
        return {
            "calls": self.calls,
            "total_s": self.total_s,
            "min_s": self.min_s if self.calls else 0.0,
            "mean_s": self.total_s / self.calls if self.calls else 0.0,
            "median_s": self.median_s,
            "max_s": self.max_s,
        }


def merged(several: Iterable[Mapping[str, Durations]]) -> dict[str, Durations]:
    """The sum over many, by layer."""
    found: dict[str, Durations] = {}
    for layers in several:
        for name, durations in layers.items():
            found.setdefault(name, Durations()).merge(durations)
    return found


class Watch:
    """The clock of one process that makes batches: a worker, or the main process if there are none.

    Made in the main process and copied into the workers by fork. Threads of a worker may note samples at the same time.
    """

    def __init__(self) -> None:
        self._items: deque[float] = deque()
        self._batch_began: float | None = None
        self.worker = 0
        self.began = 0.0

    def begin(self, worker: int) -> None:
        """The process begins to work. The clock is the machine's, the same in all processes."""
        self.worker, self.began = worker, time.perf_counter()
        self._items.clear()
        self._batch_began = None

    def batch(self) -> None:
        """A batch is asked for, unless one is being made already."""
        if self._batch_began is None:
            self._batch_began = time.perf_counter()

    def item(self, seconds: float) -> None:
        """A sample's bytes came."""
        self._items.append(seconds)

    def batch_done(self) -> tuple[Durations, Durations, float]:
        """The samples noted since the last batch, the batch itself, and the time."""
        now = time.perf_counter()
        items = Durations()
        while self._items:
            items.add(self._items.popleft())
        began, self._batch_began = self._batch_began, None
        return items, Durations.of([] if began is None else [now - began]), now
