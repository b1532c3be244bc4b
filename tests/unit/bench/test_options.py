from __future__ import annotations

import pytest

from chiops.bench.options import BenchOptions
from chiops.errors import UsageError
from chiops.loaders.memory import shared_memory_needed


@pytest.mark.parametrize(("batch_size", "workers"), [(1, (0,)), (32, (2,)), (300, (0, 4)), (512, (16,))])
def test_the_shared_memory_holds_what_the_batches_take(batch_size: int, workers: tuple[int, ...]) -> None:
    options = BenchOptions(lab="lab", batch_size=batch_size, workers=workers)
    needed = shared_memory_needed(batch_size, max(workers))
    assert options.shared_memory_bytes >= max(2 << 30, needed + (256 << 20))


@pytest.mark.parametrize("name", ["arm_timeout_s", "batch_timeout_s"])
def test_no_time_at_all_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="timeout must be more than no time"):
        BenchOptions(lab="lab", **{name: 0.0})  # type: ignore[arg-type]
