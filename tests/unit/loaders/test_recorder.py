from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from chiops.loaders.layers import Durations
from chiops.loaders.metrics import compute, percentile
from chiops.loaders.protocol import ArmError
from chiops.loaders.recorder import Recording, emulate, record
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


def two_passes(clock: Clock, compute_s: float = 0.0) -> Recording:
    def compute(_: Tally) -> None:
        clock.now += compute_s

    return record(
        Batches(clock, 1.0, (0.5, 4), (0.25, 4)), epochs=2, compute=compute if compute_s else None, clock=clock
    )


def test_a_later_pass_s_start_is_part_of_its_first_wait() -> None:
    found = two_passes(Clock())
    assert (found.start_s, found.wait_s, found.firsts) == (1.0, (0.5, 0.25, 1.5, 0.25), (0, 2))
    numbers = compute(found, SPENT, batch_size=4, warmup_batches=1, open_s=0, interface=None)
    assert numbers["epochs"] == 2
    assert numbers["epoch_s"] == [1.75, 1.75]
    assert numbers["epoch_images_per_s"] == [8 / 1.75, 8 / 1.75]
    assert numbers["samples"] == 16
    assert numbers["content_hash"] == f"{0 + 1:064x}", "of one pass"
    assert numbers["timed_s"] == 2.0


def test_passes_that_differ_fail_the_arm() -> None:
    recording = Recording(0, (1, 1), (Tally(4, 10, 1), Tally(4, 10, 2)), (), (0, 1))
    with pytest.raises(ArmError, match="pass 2 did not deliver the same samples"):
        compute(recording, SPENT, batch_size=4, warmup_batches=0, open_s=0, interface=None)


def test_utilisation_is_compute_over_run_time_without_each_pass_s_first_step() -> None:
    found = compute(two_passes(Clock(), 0.75), SPENT, batch_size=4, warmup_batches=1, open_s=0, interface=None)
    assert found["accelerator_utilisation"] == 0.75 / (0.75 + 0.25)
    assert found["emulated_s"] == 3.0
    assert found["timed_s"] == 2.0 + 3 * 0.75, "a training job waits for its compute too"
    without = compute(two_passes(Clock()), SPENT, batch_size=4, warmup_batches=1, open_s=0, interface=None)
    assert without["accelerator_utilisation"] is None


def test_layers_reach_from_a_sample_to_a_pass() -> None:
    def tally(worker: int, began: float, ended: float) -> Tally:
        return Tally(2, 10, 1, layers={"getitem": Durations.of([0.1, 0.3])}, worker=worker, began=began, ended=ended)

    tallies = tally(0, 10, 11), tally(1, 10, 12), tally(0, 10, 14), tally(0, 20, 21)
    recording = Recording(0.5, (1, 1, 1, 1), tallies, (), (0, 3))
    recording = replace(recording, tallies=(*tallies[:3], replace(tallies[3], digest=3)))
    layers = compute(recording, SPENT, batch_size=2, warmup_batches=0, open_s=0, interface=None)["layers"]
    assert layers["getitem"]["calls"] == 8
    assert (layers["worker_loop"]["calls"], layers["worker_loop"]["max_s"]) == (3, 4)
    assert (layers["epoch"]["calls"], layers["epoch"]["max_s"], layers["epoch"]["min_s"]) == (2, 3.5, 1)


def test_bytes_are_reconciled_with_what_the_samples_weigh() -> None:
    recording = Recording(0, (1, 1), (Tally(4, 100, 1), Tally(4, 100, 1)))
    found = compute(recording, SPENT, batch_size=4, warmup_batches=0, open_s=0, interface="eth0", traffic=(8, 220))
    assert (found["bytes_per_sample"], found["net_bytes_per_sample"], found["net_ratio"]) == (25, 62.5, 2.5)
    assert (found["client_requests"], found["client_received_bytes"], found["client_ratio"]) == (8, 220, 1.1)


def test_emulated_compute_of_a_short_batch_is_its_part(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    step = emulate(0.5, 32)
    assert step
    step(Tally(32, 0, 0))
    step(Tally(8, 0, 0))
    assert slept == [0.5, 0.125]
    assert emulate(0, 32) is None
