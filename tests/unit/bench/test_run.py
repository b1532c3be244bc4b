from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chiops.bench.files import latest, load
from chiops.bench.options import BenchOptions
from chiops.bench.results import BenchRun, MountState
from chiops.bench.run import GIVE_UP_AFTER, perform, raise_for_state
from chiops.cloud.base import S3Access, S3Endpoint
from chiops.errors import DataError, RemoteFailed
from tests.unit.bench import runs

S3 = S3Access(bucket="lab-bucket", endpoint=S3Endpoint("http://s3:8333"), access="AKIA", secret="hush-hush")
HERE = {"samples": 1024, "split_samples": 1024, "split_bytes": 61_000_000}


class Node:
    """Answers as the container would; ``arm`` decides on each arm."""

    def __init__(self, arm: Callable[[dict[str, Any]], dict[str, Any]] | None = None, **found: dict[str, Any]) -> None:
        self.asked: list[dict[str, Any]] = []
        self.volumes: list[tuple[str, ...]] = []
        self._arm = arm or (lambda _: runs.numbers(300))
        self._found = {"imagefolder-local": HERE, "litdata": HERE} | found

    def launch(
        self, config: dict[str, Any], volumes: Sequence[str], on_event: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]:
        self.asked.append(config)
        self.volumes.append(tuple(volumes))
        if config["action"] == "inspect":
            return {"formats": self._found, "environment": {"kernel": "6.1"}}
        on_event({"event": "note", "text": "setting caches"})
        on_event({"event": "progress", "task": "samples", "done": 3, "total": 9, "unit": "img"})
        cache = config["arm"]["cache"]
        return {"metrics": self._arm(config["arm"]), "cache": {"declared": cache, "measured": cache, "verified": True}}


class Mounts:
    """Remembers what was done to which mount."""

    def __init__(self, **missing: str) -> None:
        self.done: list[tuple[str, str]] = []
        self.missing = missing

    def path(self, mount: str) -> str:
        return f"/run/chiops-bench/{mount}"

    def empty(self, mount: str) -> MountState:
        self.done.append(("empty", mount))
        return MountState(backend=mount, options=(), restarted=True)

    def state(self, mount: str) -> MountState:
        self.done.append(("state", mount))
        return MountState(backend=mount, options=(), counters={"bytes": 5.0})


def bench(node: Node, out: Path, keeper: Mounts | None = None, **changes: Any) -> BenchRun:
    options = BenchOptions(lab="object-lab", **changes)
    return perform(
        node.launch, S3, options, out, {"node": "n1"}, keeper=keeper, now=lambda: datetime(2026, 1, 2, tzinfo=UTC)
    )


def test_every_arm_is_measured_and_the_file_holds_the_run(tmp_path: Path) -> None:
    run = bench(Node(), tmp_path)
    assert (run.state, len(run.measured), run.planned_arms) == ("complete", 12, 12)
    assert run.environment["node"] == "n1"
    assert run.environment["kernel"] == "6.1"
    assert [arm.place for arm in run.arms] == list(range(12))
    assert load(latest(tmp_path)) == run
    raise_for_state(run, tmp_path)


def test_all_formats_of_a_repetition_get_the_same_seed_and_repetitions_differ(tmp_path: Path) -> None:
    run = bench(Node(), tmp_path, seed=7)
    assert {(arm.repetition, arm.seed) for arm in run.arms} == {(0, 7), (1, 8), (2, 9)}


def test_formats_are_told_the_same_but_for_their_name(tmp_path: Path) -> None:
    node = Node()
    bench(node, tmp_path, repetitions=1, caches=("cold",), batches=10, access=("serial",))
    told = {one["arm"]["format"]: dict(one["arm"]) for one in node.asked if one["action"] == "run"}
    assert told["imagefolder-local"].pop("fetcher") == "vanilla"  # litdata has a way of its own
    first, second = ({**one, "format": ""} for one in told.values())
    assert first == second
    assert first["samples"] == 320
    assert first["access"] == "serial"


def test_the_secret_is_told_to_the_node_and_written_nowhere(tmp_path: Path) -> None:
    node = Node()
    bench(node, tmp_path)
    assert node.asked[1]["arm"]["s3"]["secret"] == S3.secret
    assert S3.secret not in latest(tmp_path).read_text()
    assert S3.access not in latest(tmp_path).read_text()


def test_a_failed_arm_is_kept_as_failed_and_the_others_go_on(tmp_path: Path) -> None:
    def arm(config: dict[str, Any]) -> dict[str, Any]:
        if config["format"] == "litdata" and config["seed"] == 43:
            raise RemoteFailed("the pipeline failed after 64 samples", why="AccessDenied")
        return runs.numbers(300)

    run = bench(Node(arm), tmp_path)
    assert (run.state, len(run.arms), len(run.failures)) == ("partial", 12, 2)
    assert run.failures[0].error == "the pipeline failed after 64 samples: AccessDenied."
    assert load(latest(tmp_path)) == run
    with pytest.raises(RemoteFailed, match=r"2 of 12 arms failed.*AccessDenied") as caught:
        raise_for_state(run, tmp_path / run.file_name)
    assert run.file_name in caught.value.todo


def test_different_content_fails_the_run_and_keeps_its_numbers(tmp_path: Path) -> None:
    run = bench(Node(lambda config: runs.numbers(300, digest=len(config["format"]))), tmp_path)
    assert (run.state, len(run.measured)) == ("failed", 12)
    assert load(latest(tmp_path)).state == "failed"
    with pytest.raises(DataError, match="not deliver the same samples"):
        raise_for_state(run, tmp_path)


@pytest.mark.parametrize("blow", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_run_keeps_what_it_has_and_says_so(tmp_path: Path, blow: type[BaseException]) -> None:
    calls = 0

    def arm(config: dict[str, Any]) -> dict[str, Any]:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise blow
        return runs.numbers(300)

    with pytest.raises(blow):
        bench(Node(arm), tmp_path)
    kept = load(latest(tmp_path))
    assert (kept.state, len(kept.measured), kept.planned_arms) == ("partial", 4, 12)


def test_a_killed_run_leaves_a_file_that_says_running(tmp_path: Path) -> None:
    seen: list[BenchRun] = []

    def arm(config: dict[str, Any]) -> dict[str, Any]:
        seen.append(load(latest(tmp_path)))  # what a kill at this moment would leave
        return runs.numbers(300)

    bench(Node(arm), tmp_path)
    assert [(run.state, len(run.arms)) for run in seen] == [("running", count) for count in range(12)]


def test_missing_data_says_what_to_run_before_any_arm_and_writes_nothing(tmp_path: Path) -> None:
    absent = {
        "what": "there is no litdata set",
        "why": "NoSuchKey",
        "todo": "run `chiops data prepare --format litdata`",
    }
    node = Node(litdata=absent)
    with pytest.raises(DataError, match=r"litdata cannot run: .*NoSuchKey.*chiops data prepare --format litdata"):
        bench(node, tmp_path)
    assert len(node.asked) == 1
    assert list(tmp_path.iterdir()) == []


def test_formats_of_different_size_are_refused_before_any_arm(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="imagefolder-local has 1024, litdata has 900"):
        bench(Node(litdata=HERE | {"split_samples": 900}), tmp_path)


def test_a_mount_is_emptied_before_each_cold_arm_and_only_looked_at_before_a_warm_one(tmp_path: Path) -> None:
    node, mounts = Node(**{"imagefolder-mount": HERE}), Mounts()
    run = bench(node, tmp_path, mounts, formats=("imagefolder-mount",), mounts=("rclone", "s3fs"), repetitions=1)
    assert sorted(mounts.done) == sorted(
        (what, mount) for mount in ("rclone", "s3fs") for what in ("empty", "state", "state", "state")
    )
    assert set(node.volumes[1:]) == {(f"/run/chiops-bench/{mount}:/bucket:ro",) for mount in ("rclone", "s3fs")}
    for arm in run.arms:
        assert arm.mount_before is not None
        assert arm.mount_before.is_empty == (arm.cache_declared == "cold")
        assert arm.mount_after is not None
        assert arm.mount_after.counters == {"bytes": 5.0}
    assert load(latest(tmp_path)) == run


def test_a_mount_that_did_not_come_up_is_left_out_with_its_reason_and_the_rest_is_measured(tmp_path: Path) -> None:
    node, mounts = Node(**{"imagefolder-mount": HERE}), Mounts(pond="pond is not on n1.")
    chosen: dict[str, Any] = {"formats": ("imagefolder-local", "imagefolder-mount"), "repetitions": 1}
    run = bench(node, tmp_path, mounts, mounts=("rclone", "pond"), **chosen)
    assert run.left_out == ("imagefolder-mount with pond is left out: pond is not on n1.",)
    assert (run.state, run.planned_arms, len(run.measured)) == ("complete", 4, 4)
    assert {arm.mount for arm in run.arms} == {"", "rclone"}
    raise_for_state(run, tmp_path)


def test_a_run_of_nothing_but_missing_mounts_fails_with_the_reason(tmp_path: Path) -> None:
    mounts = Mounts(pond="pond is not on n1")
    with pytest.raises(RemoteFailed, match=r"nothing can be measured: .*pond is not on n1"):
        bench(Node(), tmp_path, mounts, formats=("imagefolder-mount",), mounts=("pond",))
    assert list(tmp_path.iterdir()) == []


def test_whether_a_mount_was_cold_is_what_its_daemon_fetched(tmp_path: Path) -> None:
    node, mounts = Node(**{"imagefolder-mount": HERE}), Mounts()
    run = bench(node, tmp_path, mounts, formats=("imagefolder-mount",), mounts=("rclone",), repetitions=1)
    states = {arm.cache_declared: (arm.cache.measured, arm.cache.verified) for arm in run.arms if arm.cache}
    assert states == {"cold": ("warm", False), "warm": ("warm", True)}  # five bytes are not what the samples weigh


def test_a_cause_that_every_arm_meets_ends_the_run_early_and_keeps_what_there_is(tmp_path: Path) -> None:
    calls = 0

    def arm(config: dict[str, Any]) -> dict[str, Any]:
        nonlocal calls
        calls += 1
        if calls > 4:
            raise RemoteFailed("the sample cannot be read", why="the key was revoked")
        return runs.numbers(300)

    run = bench(Node(arm), tmp_path)
    assert (run.state, len(run.measured), len(run.failures)) == ("partial", 4, GIVE_UP_AFTER)
    with pytest.raises(RemoteFailed, match=r"3 of 12 arms failed and 5 were given up.*the key was revoked") as caught:
        raise_for_state(run, tmp_path / run.file_name)
    assert "marked partial" in caught.value.todo


def test_choices_reach_the_node_and_the_result(tmp_path: Path) -> None:
    node = Node(object=HERE)
    run = bench(
        node, tmp_path, formats=("object",), clients=("boto3",), fetchers=("stream",), fetchers_in_flight=8,
        emulate="h100", batch_size=100, epochs=2, repetitions=1,
    )  # fmt: skip
    (arm,) = [one["arm"] for one in node.asked if one["action"] == "run"]
    told = {name: arm[name] for name in ("client", "fetcher", "fetchers", "epochs")}
    assert told == {"client": "boto3", "fetcher": "stream", "fetchers": 8, "epochs": 2}
    assert arm["emulate_s"] == pytest.approx(0.056)
    assert str(run.arms[0].combination) == "object (boto3, stream), cold, random, 2 workers"
    assert run.options["emulate_s"] == pytest.approx(0.056)
