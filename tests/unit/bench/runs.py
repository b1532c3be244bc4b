"""Runs made by the real node-side arithmetic from stated waits, for tests of what is done with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from chiops.bench.options import BenchOptions
from chiops.bench.results import ArmResult, BenchRun, Cache, FormatFacts, Metrics
from chiops.loaders import metrics
from chiops.loaders.recorder import Recording
from chiops.loaders.samples import Tally
from chiops.loaders.usage import Spent

STARTED = datetime(2026, 11, 20, 20, 15, tzinfo=UTC)
BATCH = 32
BATCHES = 32
WEIGHT = BATCH * BATCHES * 60_000
"""Bytes of the samples that an arm delivers."""


def numbers(
    images_per_s: float, *, received: int | None = WEIGHT, digest: int = 7, batches: int = BATCHES
) -> dict[str, Any]:
    """What the node side reports of a pass at an even pace; the first batch took half a second."""
    wait = BATCH / images_per_s
    recording = Recording(0.1, (0.4, *[wait] * (batches - 1)), (Tally(BATCH, BATCH * 60_000, digest),) * batches)
    spent = Spent(2.0, 300_000_000, 350_000_000, {"eth0": (received or 0, 10), "lo": (5, 5)})
    interface = None if received is None else "eth0"
    return metrics.compute(recording, spent, batch_size=BATCH, warmup_batches=2, open_s=0.01, interface=interface)


def arm(
    name: str,
    cache: Literal["cold", "warm"],
    images_per_s: float,
    *,
    repetition: int = 0,
    workers: int = 2,
    measured: Literal["cold", "warm", "mixed", "unknown"] | None = None,
    received: int | None = -1,
    digest: int = 7,
    extra: Mapping[str, Any] | None = None,
    **choices: Any,
) -> ArmResult:
    """A measured arm; a cold one received what its samples weigh, a warm one nothing, unless ``received`` says otherwise."""
    if received == -1:
        received = WEIGHT if cache == "cold" else 0
    return ArmResult(
        place=0,
        format=name,
        workers=workers,
        cache_declared=cache,
        repetition=repetition,
        seed=42 + repetition,
        started=STARTED,
        metrics=Metrics.model_validate(numbers(images_per_s, received=received, digest=digest) | dict(extra or {})),
        cache=Cache(declared=cache, measured=measured or cache, verified=measured in (None, cache), page_share=0.0),
        **choices,
    )


def failed(name: str, error: str) -> ArmResult:
    """An arm that failed."""
    return ArmResult(
        place=0, format=name, workers=2, cache_declared="cold", repetition=0, seed=42, started=STARTED, error=error
    )


def run(
    speeds: Mapping[tuple[str, Literal["cold", "warm"]], Sequence[float]] | None = None,
    *,
    extra: Sequence[ArmResult] = (),
    state: Literal["running", "complete", "partial", "failed"] = "complete",
    memory: int = 10**6,
    planned: int | None = None,
) -> BenchRun:
    """A run with a repetition for each speed; its split is far larger than the memory unless ``memory`` says otherwise."""
    arms = [
        arm(name, cache, speed, repetition=repetition)
        for (name, cache), points in (speeds or {}).items()
        for repetition, speed in enumerate(points)
    ]
    arms = [one.model_copy(update={"place": place}) for place, one in enumerate([*arms, *extra])]
    facts = FormatFacts(samples=BATCH * BATCHES, split_samples=BATCH * BATCHES, split_bytes=60_000_000)
    return BenchRun(
        state=state,
        lab="object-lab",
        started=STARTED,
        finished=STARTED,
        options=BenchOptions(lab="object-lab").as_json(),
        planned_arms=len(arms) if planned is None else planned,
        formats={"imagefolder-local": facts, "litdata": facts},
        environment={"kernel": "6.1", "memory_bytes": memory, "memory_limit_bytes": "none", "packages": {"torch": "2"}},
        arms=tuple(arms),
    )


TYPICAL = {
    ("imagefolder-local", "cold"): (290.0, 300.0, 310.0),
    ("imagefolder-local", "warm"): (398.0, 400.0, 402.0),
    ("litdata", "cold"): (198.0, 200.0, 202.0),
    ("litdata", "warm"): (395.0, 399.0, 405.0),
}
