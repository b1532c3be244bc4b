"""From raw values to the numbers of a result. Plain arithmetic, each number's meaning stated here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
    recording: Recording, spent: Spent, *, batch_size: int, warmup_batches: int, open_s: float, interface: str | None
) -> dict[str, Any]:
    """The numbers of one arm.

    Timed are the batches after the first ``warmup_batches``: samples over the time between the last warm-up batch and the
    last batch. A short batch (a worker's last) counts as its part of a batch. CPU, memory and network cover the whole pass,
    warm-up and worker start included, since processes cannot be charged by batch. ``interface`` is the one whose bytes count
    as the network's; None where it is unknown, and then so are the bytes.
    """
    timed_waits = recording.wait_s[warmup_batches:]
    timed = Tally.total(recording.tallies[warmup_batches:])
    everything = Tally.total(recording.tallies)
    timed_s = sum(timed_waits)
    if not timed_waits or timed_s <= 0:
        raise ArmError(
            f"no batch is left to time: {len(recording.wait_s)} batches, {warmup_batches} of them for warm-up",
            todo="take a larger dataset, smaller batches or fewer warm-up batches",
        )
    moved = spent.network.get(interface) if interface else None
    images_per_s = timed.samples / timed_s
    return {
        "samples": everything.samples,
        "sample_bytes": everything.size,
        "content_hash": as_text(everything.digest),
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
    }
