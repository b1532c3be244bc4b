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


@pytest.mark.parametrize("size", ["512m", "4g", "1.5GiB", "100000000", "64KB"])
def test_memory_is_written_as_docker_does(size: str) -> None:
    assert BenchOptions(lab="lab", memory=size).memory == size


@pytest.mark.parametrize("size", ["abc", "", "-1g", "4 parsecs"])
def test_what_is_no_amount_of_memory_is_refused(size: str) -> None:
    with pytest.raises(UsageError, match="no amount of memory"):
        BenchOptions(lab="lab", memory=size)
