from __future__ import annotations

import pytest

from chiops.bench.results import ArmResult, BenchRun, MountState
from chiops.bench.warnings import Kind, find
from tests.unit.bench import runs


def kinds(run: BenchRun) -> list[Kind]:
    return [one.kind for one in find(run)]


def test_a_good_run_has_no_warning() -> None:
    assert kinds(runs.run(runs.TYPICAL)) == []


@pytest.mark.parametrize(
    ("extra", "kind", "says"),
    [
        (runs.failed("litdata", "the key was revoked."), Kind.ARM_FAILED, "the key was revoked."),
        (runs.arm("litdata", "cold", 200, repetition=3, digest=8), Kind.CONTENT_DIFFERS, "must not be compared"),
        (runs.arm("litdata", "cold", 350, repetition=3), Kind.NOISY, "of the mean"),
        (runs.arm("litdata", "warm", 400, repetition=3, measured="mixed"), Kind.CACHE_STATE, "mixed/warm"),
    ],
)
def test_one_bad_arm_is_found(extra: ArmResult, kind: Kind, says: str) -> None:
    found = {one.kind: one.text for one in find(runs.run(runs.TYPICAL, extra=[extra]))}
    assert says in found[kind]


def test_noise_counts_from_ten_percent_of_the_mean() -> None:
    def noisy(spread: float) -> bool:
        speeds = (200 * (1 - spread), 200.0, 200 * (1 + spread))  # their standard deviation is the spread
        return Kind.NOISY in kinds(runs.run(runs.TYPICAL | {("litdata", "cold"): speeds}))

    assert noisy(0.101)
    assert not noisy(0.099)


def test_arms_that_never_ran_are_counted() -> None:
    found = find(runs.run(runs.TYPICAL, state="partial", planned=15))
    assert [one.text for one in found] == [
        "The run did not come to its end: 3 of 15 arms never ran. What is here is partial."
    ]


def test_two_repetitions_are_too_few() -> None:
    assert kinds(runs.run(runs.TYPICAL | {("litdata", "warm"): (400.0, 401.0)})) == [Kind.FEW_REPETITIONS]


def test_what_all_rows_lack_is_said_once() -> None:
    found = find(runs.run({key: points[:1] for key, points in runs.TYPICAL.items()}))
    assert [one.text for one in found if one.kind is Kind.FEW_REPETITIONS] == [
        "All rows: with as few as 1 of at least 3 repetitions that a median needs."
    ]


def test_a_run_without_the_local_disk_has_no_baseline() -> None:
    assert kinds(runs.run({("litdata", "cold"): (200.0, 201.0, 202.0)})) == [Kind.NO_BASELINE]


def test_a_second_of_measuring_is_short() -> None:
    assert kinds(runs.run(runs.TYPICAL | {("litdata", "warm"): (1000.0, 1001.0, 1002.0)})) == [Kind.SHORT]


def test_a_warm_arm_that_still_fetches_is_found_and_a_cold_one_may() -> None:
    warm = [runs.arm("litdata", "warm", 400, repetition=n, received=runs.WEIGHT // 10) for n in range(3)]
    cold = [runs.arm("litdata", "cold", 200, repetition=n, received=runs.WEIGHT) for n in range(3)]
    local = {key: points for key, points in runs.TYPICAL.items() if key[0] == "imagefolder-local"}
    assert kinds(runs.run(local, extra=[*cold, *warm])) == [Kind.WARM_FETCHED]


@pytest.mark.parametrize(("share", "kind"), [(0.5, Kind.COLD_SERVED), (1.6, Kind.WIRE_EXCESS)])
def test_a_cold_row_whose_bytes_do_not_add_up_is_found(share: float, kind: Kind) -> None:
    received = int(runs.WEIGHT * share)
    cold = [runs.arm("object", "cold", 200, repetition=n, received=received, client="obstore") for n in range(3)]
    local = {key: points for key, points in runs.TYPICAL.items() if key[0] == "imagefolder-local"}
    found = {one.kind: one.text for one in find(runs.run(local, extra=cold))}
    assert list(found) == [kind]
    assert "object (obstore), cold received" in found[kind]


def test_a_mount_that_was_not_emptied_is_no_cold_one() -> None:
    stale = MountState(backend="rclone", options=(), restarted=True, cache_files=3, daemon_cpu_s=1.0)
    fresh = MountState(backend="rclone", options=(), restarted=True, daemon_cpu_s=1.0)
    local = {key: points for key, points in runs.TYPICAL.items() if key[0] == "imagefolder-local"}

    def found(state: MountState) -> list[Kind]:
        arms = [
            runs.arm(
                "imagefolder-mount", "cold", 90, repetition=n, mount="rclone", mount_before=state, mount_after=state
            )
            for n in range(3)
        ]
        return kinds(runs.run(local, extra=arms))

    assert found(fresh) == []
    assert found(stale) == [Kind.CACHE_STATE]


def test_a_mount_whose_daemon_s_time_is_unknown_is_named() -> None:
    extra = [runs.arm("imagefolder-mount", "cold", 90, repetition=n, mount="s3fs") for n in range(3)]
    found = {one.kind: one.text for one in find(runs.run(runs.TYPICAL, extra=extra))}
    assert found == {
        Kind.DAEMON_APART: "imagefolder-mount (s3fs), cold: the CPU time is without that of the mount's daemon, "
        "which is not known."
    }


def test_a_cache_of_which_nothing_is_known_is_said_to_be_so() -> None:
    extra = [runs.arm("litdata", "warm", 399, repetition=3, measured="unknown")]
    local = {key: points for key, points in runs.TYPICAL.items() if key != ("litdata", "warm")}
    found = {one.kind: one.text for one in find(runs.run(local, extra=extra))}
    assert found[Kind.CACHE_STATE] == "litdata, warm: nothing tells whether the caches were warm."


def test_what_was_left_out_is_said() -> None:
    run = runs.run(runs.TYPICAL).model_copy(update={"left_out": ("object with boto3 is left out.",)})
    assert [one.text for one in find(run)] == ["object with boto3 is left out."]


def test_a_split_below_five_memories_is_small() -> None:
    assert kinds(runs.run(runs.TYPICAL, memory=60_000_000 // 5 + 1)) == [Kind.SMALL_DATASET]
    assert kinds(runs.run(runs.TYPICAL, memory=60_000_000 // 5 - 1)) == []


def test_the_gravest_comes_first() -> None:
    extra = [runs.arm("litdata", "cold", 350, repetition=3), runs.arm("litdata", "cold", 200, repetition=4, digest=8)]
    assert kinds(runs.run(runs.TYPICAL, extra=extra))[0] is Kind.CONTENT_DIFFERS
