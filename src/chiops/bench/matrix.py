"""Which arms a run has, and in which order: shuffled, so that a drift of the machine favours nobody."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from chiops.bench import formats
from chiops.bench.formats import CacheName
from chiops.bench.options import Access, BenchOptions


@dataclass(frozen=True, slots=True)
class Combination:
    """What sets one row apart from the others; "" for a choice that the format does not have."""

    format: str
    client: str = ""
    fetcher: str = ""
    mount: str = ""
    access: Access = "random"
    workers: int = 2
    cache: CacheName = "cold"

    @property
    def way(self) -> str:
        """How it fetches: ``obstore, stream``; "" if there is no choice."""
        return ", ".join(part for part in (self.client, self.mount, self.fetcher) if part)

    @property
    def name(self) -> str:
        """Format and way, as in ``object (obstore, stream)``."""
        return f"{self.format} ({self.way})" if self.way else self.format

    def __str__(self) -> str:
        return f"{self.name}, {self.cache}, {self.access}, {self.workers} workers"


@dataclass(frozen=True, slots=True)
class Arm:
    """One measurement in one fresh container."""

    combination: Combination
    repetition: int

    def __str__(self) -> str:
        return f"{self.combination}, repetition {self.repetition + 1}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The arms in the order in which to run them, and what of the wish makes no sense, as whole sentences."""

    arms: tuple[Arm, ...]
    left_out: tuple[str, ...]


def plan(options: BenchOptions) -> Plan:
    """Every arm of a run.

    Shuffled within each repetition, so that an interrupted run still has whole repetitions. A warm arm directly follows its
    cold partner, which fills its caches; so asking for warm alone runs the cold one too.
    """
    dice = random.Random(options.seed)  # noqa: S311 - reproducible, not secret
    found, left_out = _combinations(options)
    ordered: list[Arm] = []
    for repetition in range(options.repetitions):
        dice.shuffle(found)
        for one in found:
            ordered += [Arm(replace(one, cache=cache), repetition) for cache in _caches(options, one.format)]
    return Plan(tuple(ordered), tuple(left_out))


def without_mounts(planned: Plan, missing: Mapping[str, str]) -> Plan:
    """The plan without the arms of mounts that did not come up: ``missing`` has the reasons."""
    names = list(dict.fromkeys(arm.combination.format for arm in planned.arms if arm.combination.mount in missing))
    left_out = [
        f"{name} with {mount} is left out: {why.rstrip('.')}." for name in names for mount, why in missing.items()
    ]
    kept = tuple(arm for arm in planned.arms if arm.combination.mount not in missing)
    return Plan(kept, (*planned.left_out, *left_out))


def arms(options: BenchOptions) -> tuple[Arm, ...]:
    """The arms of `plan`."""
    return plan(options).arms


def _caches(options: BenchOptions, name: str) -> tuple[CacheName, ...]:
    """A format whose caches make no difference runs once, in the one state that it has."""
    has = formats.find(name).caches
    if len(has) == 1:
        return has
    return ("cold", "warm") if "warm" in options.caches else ("cold",)


def _combinations(options: BenchOptions) -> tuple[list[Combination], list[str]]:
    found: dict[Combination, None] = {}
    left_out: dict[str, None] = {}
    for name in options.formats:
        ways, missing = _ways(options, formats.find(name))
        left_out |= dict.fromkeys(missing)
        access: tuple[Access, ...] = ("random",) if name == formats.CEILING else options.access
        for way, order, workers in itertools.product(ways, access, options.workers):
            found[replace(way, access=order, workers=workers)] = None
    own = [name for name in dict.fromkeys(options.formats) if not formats.find(name).fetchers]
    if own and set(options.fetchers) != {"vanilla"}:
        left_out[f"Of ways of their own, so the same for all fetchers: {', '.join(own)}."] = None
    return list(found), list(left_out)


def _ways(options: BenchOptions, one: formats.Format) -> tuple[list[Combination], list[str]]:
    """The clients, mounts and fetchers that go together for a format, and what does not."""
    left_out = [
        f"{one.name} with {fetcher} is left out: files have no asynchronous reads."
        for fetcher in options.fetchers
        if one.fetchers and fetcher not in one.fetchers
    ]
    ways = []
    for client, mount, fetcher in itertools.product(
        options.clients if one.clients else ("",),
        options.mounts if one.mount else ("",),
        [fetcher for fetcher in options.fetchers if fetcher in one.fetchers] if one.fetchers else ("",),
    ):
        if client and fetcher and fetcher not in formats.CLIENTS[client]:
            left_out.append(f"{one.name} with {client} and {fetcher} is left out: {client} has no {fetcher}.")
        else:
            ways.append(Combination(one.name, client, fetcher, mount))
    return ways, left_out


def rows(planned: Plan) -> Iterator[tuple[Combination, int]]:
    """Each combination with how often it runs, in the order of first execution."""
    counted: dict[Combination, int] = {}
    for arm in planned.arms:
        counted[arm.combination] = counted.get(arm.combination, 0) + 1
    yield from counted.items()
