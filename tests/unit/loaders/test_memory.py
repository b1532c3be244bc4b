from __future__ import annotations

import pytest

from chiops.loaders.config import ArmConfig
from chiops.loaders.memory import need, shared_memory_needed
from chiops.loaders.protocol import ArmError


def test_without_workers_nothing_is_handed_over() -> None:
    assert shared_memory_needed(32, 0) == 0
    assert shared_memory_needed(32, 4) == 13 * shared_memory_needed(32, 1) // 4


def test_an_arm_that_needs_more_than_there_is_names_the_options_that_help() -> None:
    need(ArmConfig(format="object", dataset="x", batch_size=1))
    with pytest.raises(ArmError, match="1000 workers with batches of 100000 need") as caught:
        need(ArmConfig(format="object", dataset="x", batch_size=100_000, workers=1000))
    for option in ("--workers", "--batch-size", "--memory"):
        assert option in caught.value.todo
