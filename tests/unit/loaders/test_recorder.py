from __future__ import annotations

from collections.abc import Iterator

import pytest

from chiops.loaders.metrics import compute, percentile
from chiops.loaders.protocol import ArmError
from chiops.loaders.recorder import record
from chiops.loaders.samples import Tally
from chiops.loaders.usage import Spent


class Clock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Batches:
    """Batches that take stated times to come, after a stated time to start."""

    def __init__(self, clock: Clock, start_s: float, *batches: tuple[float, int]) -> None:
        self._clock, self._start_s, self._batches = clock, start_s, batches

    def __iter__(self) -> Iterator[Tally]:
        self._clock.now += self._start_s
        return self._deliver()

    def _deliver(self) -> Iterator[Tally]:
        for number, (wait, samples) in enumerate(self._batches):
            self._clock.now += wait
            yield Tally(samples, samples * 1000, number, decode_s=0.5, hash_s=0.01)


SPENT = Spent(cpu_s=3.0, peak_rss_bytes=1, peak_rss_worker_bytes=2, network={"eth0": (500, 50), "lo": (9, 9)})


def test_each_wait_is_kept_and_the_start_is_apart() -> None:
    clock = Clock()
    found = record(Batches(clock, 2.0, (1.5, 4), (0.25, 4), (0.5, 2)), clock=clock)
    assert found.start_s == 2.0
    assert found.wait_s == (1.5, 0.25, 0.5)
    assert found.first_batch_s == 3.5
    assert found.total_s == 4.25
    assert [tally.samples for tally in found.tallies] == [4, 4, 2]


def test_what_the_consumer_does_with_a_batch_is_not_waiting() -> None:
    clock = Clock()

    def consume(_: Tally) -> None:
        clock.now += 50

    assert record(Batches(clock, 0, (1, 4), (1, 4)), clock=clock, on_batch=consume).wait_s == (1, 1)


def test_a_failing_pipeline_fails_the_recording() -> None:
    def batches() -> Iterator[Tally]:
        yield Tally(4, 10, 1)
        raise ArmError("the sample x cannot be decoded")

    with pytest.raises(ArmError, match="cannot be decoded"):
        record(batches())


def test_no_batch_at_all_is_an_error() -> None:
    with pytest.raises(ArmError, match="no batch"):
        record([])


def test_warm_up_is_delivered_and_hashed_but_not_timed() -> None:
    clock = Clock()
    recording = record(Batches(clock, 1.0, (9.0, 4), (0.5, 4), (0.5, 4), (0.25, 2)), clock=clock)
    found = compute(recording, SPENT, batch_size=4, warmup_batches=1, open_s=0.75, interface="eth0")
    assert found["samples"] == 14
    assert found["sample_bytes"] == 14_000
    assert found["content_hash"] == f"{0 + 1 + 2 + 3:064x}"
    assert found["timed_samples"] == 10
    assert found["timed_s"] == 1.25
    assert found["images_per_s"] == 8
    assert found["batches_per_s"] == 2, "the short last batch counts as half a one"
    assert found["avg_batch_s"] == 0.5
    assert found["first_batch_s"] == 10
    assert found["whole_images_per_s"] == 14 / (0.75 + 11.25)
    assert found["wait_p50_s"] == 0.5
    assert found["batch_wait_s"] == [9.0, 0.5, 0.5, 0.25]
    assert found["cpu_s_per_1000"] == pytest.approx(3000 / 14)
    assert found["net_received_bytes"] == 500


def test_an_unknown_interface_gives_unknown_bytes_and_not_none_at_all() -> None:
    clock = Clock()
    recording = record(Batches(clock, 1.0, (1, 4), (1, 4)), clock=clock)
    for interface in (None, "wlan9"):
        found = compute(recording, SPENT, batch_size=4, warmup_batches=1, open_s=0, interface=interface)
        assert found["net_received_bytes"] is None


@pytest.mark.parametrize("warmup", [2, 3])
def test_nothing_left_to_time_is_an_error_that_says_what_to_do(warmup: int) -> None:
    clock = Clock()
    recording = record(Batches(clock, 0, (1, 4), (1, 4)), clock=clock)
    with pytest.raises(ArmError) as caught:
        compute(recording, SPENT, batch_size=4, warmup_batches=warmup, open_s=0, interface=None)
    assert "fewer warm-up batches" in caught.value.todo


def test_percentiles_interpolate() -> None:
    values = [float(number) for number in range(1, 101)]
    assert percentile(values, 0.50) == 50.5
    assert percentile(values, 0.95) == pytest.approx(95.05)
    assert percentile(values, 1) == 100
    assert percentile([3.0], 0.99) == 3
