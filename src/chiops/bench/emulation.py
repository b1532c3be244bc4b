"""How long an accelerator would compute on a batch, as MLPerf Storage emulates it: it sleeps in place of the training step."""

from __future__ import annotations

from chiops.errors import UsageError

# MLPerf Storage, ResNet-50: configs/dlio/workload/resnet50_{h100,a100}.yaml in github.com/mlcommons/storage, computation_time.
_MLPERF_BATCH = 400
_MLPERF_S = {"h100": 0.224, "a100": 0.435}

GOOD_UTILISATION = 0.90
"""What MLPerf Storage asks of ResNet-50: at least this share of the time spent computing."""


def seconds(wish: str, batch_size: int) -> float:
    """Seconds per full batch: of an accelerator by name, scaled to the batch size, or a number as it is; "" is none.

    Raises:
        UsageError: neither a known accelerator nor a number of seconds.
    """
    if not wish:
        return 0.0
    if wish.lower() in _MLPERF_S:
        return _MLPERF_S[wish.lower()] * batch_size / _MLPERF_BATCH
    try:
        value = float(wish)
    except ValueError:
        value = -1.0
    if not 0 <= value < 3600:
        raise UsageError(
            f"there is no accelerator {wish!r} to emulate", todo=f"use {', '.join(_MLPERF_S)} or seconds per batch"
        )
    return value
