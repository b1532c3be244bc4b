from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiops.bench.formats import FORMATS
from chiops.bench.matrix import arms, plan
from chiops.bench.options import BenchOptions
from chiops.errors import UsageError


def options(**changes: object) -> BenchOptions:
    return BenchOptions(lab="object-lab", **changes)  # type: ignore[arg-type]


def test_the_default_is_every_format_cold_and_warm_three_times() -> None:
    found = Counter((arm.combination.format, arm.combination.cache) for arm in arms(options()))
    assert found == {(name, cache): 3 for name in ("imagefolder-local", "litdata") for cache in ("cold", "warm")}


@given(st.integers(min_value=0, max_value=1000), st.integers(min_value=1, max_value=5))
def test_a_warm_arm_directly_follows_its_own_cold_one(seed: int, repetitions: int) -> None:
    found = arms(options(seed=seed, repetitions=repetitions, workers=(0, 2, 4)))
    for place, arm in enumerate(found):
        if arm.combination.cache == "warm":
            assert found[place - 1] == replace(arm, combination=replace(arm.combination, cache="cold"))


def test_repetitions_come_one_after_the_other_so_that_an_interrupted_run_has_whole_ones() -> None:
    found = [arm.repetition for arm in arms(options(repetitions=4))]
    assert found == sorted(found)


def test_the_order_is_shuffled_and_repeats_with_the_seed() -> None:
    orders = {tuple(arms(options(seed=seed))) for seed in range(20)}
    assert len(orders) > 1
    assert arms(options(seed=7)) == arms(options(seed=7))


def test_cold_alone_has_no_warm_arm_but_warm_alone_needs_the_cold_one() -> None:
    assert {arm.combination.cache for arm in arms(options(caches=("cold",)))} == {"cold"}
    assert {arm.combination.cache for arm in arms(options(caches=("warm",)))} == {"cold", "warm"}


def test_a_format_named_twice_runs_once() -> None:
    assert len(arms(options(formats=("litdata", "litdata"), repetitions=1))) == 2


EVERYTHING = {
    "formats": tuple(FORMATS),
    "clients": ("obstore", "boto3", "s3fs"),
    "fetchers": ("vanilla", "threaded", "asyncio", "stream"),
    "mounts": ("rclone", "s3fs -ouse_cache={cache}"),
    "access": ("random", "serial"),
    "repetitions": 1,
}


def test_choices_multiply_only_the_formats_that_have_them() -> None:
    found = Counter(one.combination.format for one in arms(options(**EVERYTHING, caches=("cold",))))
    assert found == {
        "imagefolder-local": 3 * 2,  # files have no asyncio
        "imagefolder-mount": 2 * 3 * 2,
        "object": (4 + 3 + 4) * 2,  # nor has boto3
        "webdataset": 3 * 2,
        "litdata": 2,
        "mds": 2,
        "decode-ceiling": 1,
    }


def test_what_does_not_go_together_is_left_out_and_said() -> None:
    left_out = plan(options(**EVERYTHING)).left_out
    assert "object with boto3 and asyncio is left out: boto3 has no asyncio." in left_out
    assert "imagefolder-local with asyncio is left out: files have no asynchronous reads." in left_out
    assert left_out[-1].endswith("the same for all fetchers: webdataset, litdata, mds, decode-ceiling.")
    assert plan(options()).left_out == ()


def test_a_format_without_caches_runs_in_its_one_state() -> None:
    found = {(arm.combination.format, arm.combination.cache) for arm in arms(options(**EVERYTHING))}
    assert {cache for name, cache in found if name == "decode-ceiling"} == {"warm"}
    assert {cache for name, cache in found if name == "object"} == {"cold"}
    assert {cache for name, cache in found if name == "mds"} == {"cold", "warm"}


@given(st.sampled_from(sorted(FORMATS)), st.integers(min_value=0, max_value=100))
def test_no_arm_comes_twice(name: str, seed: int) -> None:
    found = arms(options(**EVERYTHING | {"formats": (name, name), "seed": seed, "repetitions": 2}))
    assert len(found) == len(set(found))


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
        ({"access": ("zigzag",)}, "no access order 'zigzag'"),
        ({"clients": ("botto3",)}, "did you mean 'boto3'"),
        ({"fetchers": ("async",)}, "no fetcher 'async'"),
        ({"fetchers_in_flight": -1}, "fetchers-in-flight must be at least 0"),
        ({"mounts": ("gcsfuse",)}, "no mount backend 'gcsfuse'"),
        ({"mounts": ("rclone --config=/x y",)}, "mount option 'y' is not understood"),
        ({"mounts": ("s3fs -ourl=$(id)'",)}, "is not understood"),
        ({"emulate": "b100"}, "no accelerator 'b100'"),
        ({"emulate": "-1"}, "no accelerator '-1'"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"batches": 2, "warmup_batches": 2}, "none is timed"),
    ],
)
def test_what_cannot_be_run_is_refused_in_words(changes: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        options(**changes)
    assert says.lower() in caught.value.sentence().lower()
