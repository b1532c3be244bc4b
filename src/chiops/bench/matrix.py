"""Which arms a run has, and in which order: shuffled, so that a drift of the machine favours nobody."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass

from chiops.bench.options import BenchOptions, CacheName


@dataclass(frozen=True, slots=True, order=True)
class Arm:
    """One measurement in one fresh container."""

    format: str
    workers: int
    cache: CacheName
    repetition: int

    def __str__(self) -> str:
        return f"{self.format}, {self.cache}, {self.workers} workers, repetition {self.repetition + 1}"


def arms(options: BenchOptions) -> tuple[Arm, ...]:
    """Every arm, in the order in which to run them.

    Shuffled within each repetition, so that an interrupted run still has whole repetitions. A warm arm directly follows its
    cold partner, which fills its caches; so asking for warm alone runs the cold one too.
    """
    dice = random.Random(options.seed)  # noqa: S311 - reproducible, not secret
    caches: tuple[CacheName, ...] = ("cold", "warm") if "warm" in options.caches else ("cold",)
    pairs = list(dict.fromkeys(itertools.product(options.formats, options.workers)))
    ordered: list[Arm] = []
    for repetition in range(options.repetitions):
        dice.shuffle(pairs)
        ordered += [Arm(name, workers, cache, repetition) for name, workers in pairs for cache in caches]
    return tuple(ordered)
