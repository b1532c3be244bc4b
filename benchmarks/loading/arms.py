"""What is measured side by side, and the table of it."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chiops.bench.matrix import Combination
from chiops.bench.table import as_markdown

CPUS = sorted(os.sched_getaffinity(0))
HERE, THERE = CPUS[: max(1, len(CPUS) // 2)], CPUS[len(CPUS) // 2 :]
"""The processors of the node that is measured, and of the object store: as on two machines, neither takes the other's."""
WORKERS = len(HERE)
FAR_MS = 40
SLOW_BATCHES = 10
"""So many batches of an arm that waits for each sample: they take as long as the whole split in the others."""

Metrics = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Arm:
    """A combination, and how far away the bucket is; None where it is not read."""

    combination: Combination
    latency_ms: int | None = None

    @property
    def batches(self) -> int:
        """0 for the whole split."""
        slow = bool(self.latency_ms) and self.combination.fetcher == "vanilla"
        return SLOW_BATCHES if slow else 0


def _object(client: str, fetcher: str) -> Combination:
    return Combination("object", client, fetcher, workers=WORKERS)


CEILING = Combination("decode-ceiling", workers=WORKERS, cache="warm")
LOCAL = {
    fetcher: Combination("imagefolder-local", fetcher=fetcher, workers=WORKERS, cache="warm")
    for fetcher in ("vanilla", "threaded", "stream")
}
_AT_HOME = [Arm(one) for one in (CEILING, *LOCAL.values())]
VANILLA, STREAM, LAB = _object("obstore", "vanilla"), _object("obstore", "stream"), _object("s3fs", "vanilla")
_BOTH = (
    LAB,
    _object("boto3", "vanilla"),
    VANILLA,
    STREAM,
    Combination("webdataset", "obstore", workers=WORKERS),
    Combination("litdata", workers=WORKERS),
    Combination("mds", workers=WORKERS),
)
_FAR_ONLY = (
    _object("boto3", "threaded"),
    _object("obstore", "threaded"),
    _object("s3fs", "asyncio"),
    _object("obstore", "asyncio"),
)


def arms() -> list[Arm]:
    """Every arm of a round."""
    return [
        *_AT_HOME,
        *(Arm(one, latency) for latency in (0, FAR_MS) for one in _BOTH),
        *(Arm(one, FAR_MS) for one in _FAR_ONLY),
    ]


def claimed() -> list[Arm]:
    """Those that claims are made of."""
    return [*_AT_HOME, *(Arm(one, FAR_MS) for one in (VANILLA, STREAM, LAB))]


Found = Mapping[Arm, Sequence[Metrics]]


def speed(found: Found, arm: Arm) -> float:
    """Median images per second."""
    return statistics.median(one["images_per_s"] for one in found[arm])


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that the numbers must show."""

    text: str
    value: float
    holds: bool

    def __str__(self) -> str:
        return f"{'holds' if self.holds else 'DOES NOT HOLD'}: {self.text}: {self.value:.2f}"


def claims(found: Found) -> list[Claim]:
    """The issue's: a fetcher across batches beats one by one at least 8 times and comes near decoding alone, but only far away."""
    far = {one: speed(found, Arm(one, FAR_MS)) for one in (VANILLA, STREAM, LAB)}
    ceiling = speed(found, Arm(CEILING))
    local = {name: speed(found, Arm(one)) for name, one in LOCAL.items()}
    best = max(local["threaded"], local["stream"]) / local["vanilla"]
    ratio, lab, share = far[STREAM] / far[VANILLA], far[STREAM] / far[LAB], far[STREAM] / ceiling
    at = f"at {FAR_MS} ms"
    return [
        Claim(f"stream over vanilla, both obstore, {at}, at least 8", ratio, ratio >= 8),
        Claim(f"stream over the lab's way (s3fs, one by one), {at}, at least 8", lab, lab >= 8),
        Claim(f"stream over the decode ceiling, {at}, at least 0.8", share, share >= 0.8),
        Claim("the better of threads and stream over one by one on the local disk, at most 1.05", best, best <= 1.05),
    ]


HEADERS = (
    "format", "how", "0 ms, imgs/s", f"{FAR_MS} ms, imgs/s", "× vanilla", "of ceiling", "requests/1000", "received ÷ samples",
    "CPU s/1000",
)  # fmt: skip


def table(found: Found) -> str:
    """In Markdown: medians with lowest to highest; ratios and what it cost are of the farther bucket."""
    ceiling = speed(found, Arm(CEILING))
    far_vanilla, local_vanilla = speed(found, Arm(VANILLA, FAR_MS)), speed(found, Arm(LOCAL["vanilla"]))
    lines = []
    for one in dict.fromkeys(arm.combination for arm in arms()):
        near = Arm(one, 0) if Arm(one, 0) in found else Arm(one)
        far = replace(near, latency_ms=FAR_MS) if Arm(one, FAR_MS) in found else near
        ratio = (
            "-"
            if one == CEILING
            else f"{speed(found, far) / (local_vanilla if one in LOCAL.values() else far_vanilla):.1f}"
        )
        lines.append(
            (
                one.format,
                one.way or "-",
                _speeds(found.get(near, ())),
                _speeds(found[far]) if far != near else "-",
                ratio,
                f"{speed(found, far) / ceiling:.0%}",
                _median(found[far], "client_requests", lambda one, value: 1000 * value / one["samples"], 0),
                _median(found[far], "client_ratio", lambda _, value: value, 2),
                _median(found[far], "cpu_s_per_1000", lambda _, value: value, 2),
            )
        )
    return as_markdown(HEADERS, lines, 2)


def _speeds(several: Iterable[Metrics]) -> str:
    values = sorted(one["images_per_s"] for one in several)
    if not values:
        return "-"
    return f"{statistics.median(values):.0f} ({values[0]:.0f} to {values[-1]:.0f})"


def _median(several: Iterable[Metrics], name: str, scaled: Any, digits: int) -> str:
    values = [scaled(one, one[name]) for one in several if one.get(name) is not None]
    return f"{statistics.median(values):.{digits}f}" if values else "-"
