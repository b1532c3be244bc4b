from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiops.bench.matrix import arms
from chiops.bench.options import BenchOptions
from chiops.errors import UsageError


def options(**changes: object) -> BenchOptions:
    return BenchOptions(lab="object-lab", **changes)  # type: ignore[arg-type]


def test_the_default_is_every_format_cold_and_warm_three_times() -> None:
    found = Counter((arm.format, arm.cache) for arm in arms(options()))
    assert found == {(name, cache): 3 for name in ("imagefolder-local", "litdata") for cache in ("cold", "warm")}


@given(st.integers(min_value=0, max_value=1000), st.integers(min_value=1, max_value=5))
def test_a_warm_arm_directly_follows_its_own_cold_one(seed: int, repetitions: int) -> None:
    found = arms(options(seed=seed, repetitions=repetitions, workers=(0, 2, 4)))
    for place, arm in enumerate(found):
        if arm.cache == "warm":
            before = found[place - 1]
            assert (before.format, before.workers, before.repetition) == (arm.format, arm.workers, arm.repetition)
            assert before.cache == "cold"


def test_repetitions_come_one_after_the_other_so_that_an_interrupted_run_has_whole_ones() -> None:
    found = [arm.repetition for arm in arms(options(repetitions=4))]
    assert found == sorted(found)


def test_the_order_is_shuffled_and_repeats_with_the_seed() -> None:
    orders = {tuple(arms(options(seed=seed))) for seed in range(20)}
    assert len(orders) > 1
    assert arms(options(seed=7)) == arms(options(seed=7))


def test_cold_alone_has_no_warm_arm_but_warm_alone_needs_the_cold_one() -> None:
    assert {arm.cache for arm in arms(options(caches=("cold",)))} == {"cold"}
    assert {arm.cache for arm in arms(options(caches=("warm",)))} == {"cold", "warm"}


def test_a_format_named_twice_runs_once() -> None:
    assert len(arms(options(formats=("litdata", "litdata"), repetitions=1))) == 2


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"formats": ("litdatta",)}, "did you mean 'litdata'"),
        ({"formats": ()}, "at least one of formats"),
        ({"repetitions": 0}, "repetitions must be at least 1"),
        ({"batch_size": 0}, "batch-size must be at least 1"),
        ({"workers": (2, -1)}, "workers must be at least 0, not -1"),
        ({"caches": ("hot",)}, "no cache state 'hot'"),
        ({"split": "test"}, "no split 'test'"),
        ({"access": "zigzag"}, "no access order 'zigzag'"),
        ({"batches": 2, "warmup_batches": 2}, "none is timed"),
    ],
)
def test_what_cannot_be_run_is_refused_in_words(changes: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        options(**changes)
    assert says.lower() in caught.value.sentence().lower()
