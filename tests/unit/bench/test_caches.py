from __future__ import annotations

import pytest

from chiops.bench.caches import seen_from_the_mount
from chiops.bench.results import Cache, Metrics, MountState
from tests.unit.bench import runs

METRICS = Metrics.model_validate(runs.numbers(300))


def state(**counters: float) -> MountState:
    return MountState(backend="rclone", options=(), counters=counters)


@pytest.mark.parametrize(
    ("fetched", "epochs", "measured"),
    [(1.0, 1, "cold"), (1.6, 1, "cold"), (0.0, 1, "warm"), (0.04, 1, "warm"), (0.5, 1, "mixed"), (0.5, 2, "cold")],
)
def test_what_the_daemon_fetched_tells_how_much_it_had(fetched: float, epochs: int, measured: str) -> None:
    declared = Cache(declared="cold", measured="unknown", verified=False)
    metrics = METRICS.model_copy(update={"epochs": epochs})
    before, after = state(bytes=7.0), state(bytes=7.0 + fetched * metrics.sample_bytes)
    found = seen_from_the_mount(declared, before, after, metrics)
    assert (found.measured, found.verified) == (measured, measured == "cold")
    assert "rclone fetched" in found.note


def test_a_daemon_that_was_just_started_has_fetched_nothing() -> None:
    fresh = MountState(backend="rclone", options=(), restarted=True)
    declared = Cache(declared="cold", measured="unknown", verified=False)
    assert seen_from_the_mount(declared, fresh, state(bytes=METRICS.sample_bytes), METRICS).verified


@pytest.mark.parametrize(
    ("before", "after"), [(state(), state()), (state(), state(bytes=5)), (state(bytes=5), state())]
)
def test_without_counters_nothing_is_known(before: MountState, after: MountState) -> None:
    found = seen_from_the_mount(Cache(declared="cold", measured="cold", verified=True), before, after, METRICS)
    assert (found.measured, found.verified) == ("unknown", False)
    assert "keeps no counters" in found.note
