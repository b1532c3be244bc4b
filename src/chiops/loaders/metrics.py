"""From raw values to the numbers of a result. Plain arithmetic, each number's meaning stated here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .layers import EPOCH, WORKER_LOOP, Durations
from .protocol import ArmError
from .recorder import Recording
from .samples import Tally, as_text
from .usage import Spent


def percentile(values: Sequence[float], share: float) -> float:
    """The ``share`` (0 to 1) quantile, interpolated linearly between the two nearest values."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def compute(
    recording: Recording,
    spent: Spent,
    *,
    batch_size: int,
    warmup_batches: int,
    open_s: float,
    interface: str | None,
    traffic: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """The numbers of one arm; docs/reference/benchmark-numbers.md tells them to people.

    Timed are the batches after the first ``warmup_batches``: samples over the time between the last warm-up batch and the
    last batch, emulated compute and the start of later passes included. A short batch (a worker's last) counts as its part of
    a batch. CPU, memory, network and layers cover everything, warm-up and worker start included, since processes cannot be
    charged by batch. ``interface`` is the one whose bytes count as the network's; None where it is unknown, and then so are the
    bytes. ``traffic`` is what the S3 client counted: requests and bytes; None for a pipeline that has none.

    Raises:
        ArmError: nothing is left to time, or the passes did not deliver the same samples.
    """
    timed_waits = recording.wait_s[warmup_batches:]
    timed = Tally.total(recording.tallies[warmup_batches:])
    everything = Tally.total(recording.tallies)
    timed_s = recording.seconds(slice(warmup_batches, None))
    if not timed_waits or timed_s <= 0:
        raise ArmError(
            f"no batch is left to time: {len(recording.wait_s)} batches, {warmup_batches} of them for warm-up",
            todo="take a larger dataset, smaller batches or fewer warm-up batches",
        )
    epochs = [Tally.total(recording.tallies[one]) for one in recording.passes()]
    epoch_s = [recording.seconds(one) for one in recording.passes()]
    epoch_s[0] += recording.start_s
    for number, one in enumerate(epochs[1:], 2):
        if one.digest != epochs[0].digest:
            raise ArmError(f"pass {number} did not deliver the same samples as the first")
    moved = spent.network.get(interface) if interface else None
    images_per_s = timed.samples / timed_s
    return {
        "samples": everything.samples,
        "sample_bytes": everything.size,
        "content_hash": as_text(epochs[0].digest),
        "batches": len(recording.wait_s),
        "warmup_batches": warmup_batches,
        "timed_samples": timed.samples,
        "timed_s": timed_s,
        "images_per_s": images_per_s,
        "batches_per_s": images_per_s / batch_size,
        "avg_batch_s": batch_size / images_per_s,
        "whole_images_per_s": everything.samples / (open_s + recording.total_s),
        "open_s": open_s,
        "first_batch_s": recording.first_batch_s,
        "total_s": recording.total_s,
        "wait_p50_s": percentile(timed_waits, 0.50),
        "wait_p95_s": percentile(timed_waits, 0.95),
        "wait_p99_s": percentile(timed_waits, 0.99),
        "batch_wait_s": list(recording.wait_s),
        "batch_samples": [one.samples for one in recording.tallies],
        "cpu_s": spent.cpu_s,
        "cpu_s_per_1000": 1000 * spent.cpu_s / everything.samples,
        "decode_s": everything.decode_s,
        "hash_s": everything.hash_s,
        "peak_rss_bytes": spent.peak_rss_bytes,
        "peak_rss_worker_bytes": spent.peak_rss_worker_bytes,
        "net_interface": interface,
        "net_received_bytes": moved[0] if moved else None,
        "net_sent_bytes": moved[1] if moved else None,
        "net_received_by_interface": {name: received for name, (received, _) in spent.network.items()},
        "epochs": len(epochs),
        "epoch_s": epoch_s,
        "epoch_images_per_s": [one.samples / seconds for one, seconds in zip(epochs, epoch_s, strict=True)],
        "layers": _layers(recording, epoch_s),
        "bytes_per_sample": everything.size / everything.samples,
        "net_bytes_per_sample": moved[0] / everything.samples if moved else None,
        "net_ratio": moved[0] / everything.size if moved else None,
        "client_requests": traffic[0] if traffic else None,
        "client_received_bytes": traffic[1] if traffic else None,
        "client_ratio": traffic[1] / everything.size if traffic else None,
        "emulated_s": sum(recording.compute_s),
        "accelerator_utilisation": _utilisation(recording),
        "peak_memory_bytes": spent.peak_memory_bytes,
    }


def _layers(recording: Recording, epoch_s: Sequence[float]) -> dict[str, Any]:
    """Every layer, from a sample to a pass. A worker's loop lasts from its start to its last batch of that pass."""
    layers = dict(Tally.total(recording.tallies).layers)
    loops = Durations()
    for one in recording.passes():
        ends: dict[int, tuple[float, float]] = {}
        for tally in recording.tallies[one]:
            began, ended = ends.get(tally.worker, (tally.began, tally.ended))
            ends[tally.worker] = (min(began, tally.began), max(ended, tally.ended))
        for began, ended in ends.values():
            loops.add(ended - began)
    layers |= {WORKER_LOOP: loops, EPOCH: Durations.of(epoch_s)}
    return {name: durations.as_json() for name, durations in layers.items()}


def _utilisation(recording: Recording) -> float | None:
    """Accelerator utilisation as MLPerf Storage has it: compute time over run time, each pass's first step left out.

    None without emulated compute, and if there is nothing but first steps.
    """
    steps = [slice(one.start + 1, one.stop) for one in recording.passes()]
    computed = sum(sum(recording.compute_s[one]) for one in steps)
    return computed / sum(map(recording.seconds, steps)) if computed else None
