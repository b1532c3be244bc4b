"""What was written on a volume is there until it is purged by flag, whatever is done to the lab in whatever order."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.fast_cloud.cloud import FastCloud
from tests.support.fast_lab import assert_down, assert_up, others, ours
from tests.support.runs import KEEP, PURGE, UNKNOWN_LAB, UP, Runs

ATTACH = ("volume", "attach", "volume-cut", "--server", "node-cut", "--no-mount", "--site", "fast")
DETACH = ("volume", "detach", "volume-cut", "--no-unmount", "--site", "fast")
EXAMPLES, STEPS = 8, 10


class Lab(RuleBasedStateMachine):
    """A lab, what people and mishaps do to it, and what must be on its volume."""

    runs: Runs
    count = 0

    @initialize()
    def begin(self) -> None:
        type(self).count += 1
        self.folder = self.runs.root / f"machine-{self.count}"
        shutil.copytree(self.runs.fresh, self.folder)
        self.written: list[str] = []
        self.volume = ""

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    @rule()
    def up(self) -> None:
        self.runs.run(self.folder, *UP)
        assert_up(self.folder)
        assert self.volume in ("", ours(self.folder)["volume"].id), "another volume of the same name"
        self.volume = ours(self.folder)["volume"].id

    @rule()
    def down(self) -> None:
        self.runs.run(self.folder, *KEEP, codes=(0, UNKNOWN_LAB))
        assert_down(self.folder, kept=True)

    @precondition(lambda self: self.volume)
    @rule(sure=st.integers(0, 3))
    def purge(self, sure: int) -> None:
        if sure:
            return  # it ends all, so it comes seldom
        self.runs.run(self.folder, *PURGE, codes=(0, UNKNOWN_LAB))
        assert_down(self.folder)
        self.written, self.volume = [], ""

    @precondition(lambda self: self.volume)
    @rule()
    def attach(self) -> None:
        self.runs.run(self.folder, *ATTACH, codes=(0, 1, 2))

    @precondition(lambda self: self.volume)
    @rule()
    def detach(self) -> None:
        self.runs.run(self.folder, *DETACH, codes=(0, 1, 2))

    @precondition(lambda self: self.volume)
    @rule()
    def somebody_deletes_the_server(self) -> None:
        with FastCloud(self.folder / "cloud.db") as cloud:
            if server := ours(self.folder).get("server"):
                cloud.compute.delete(server.id)

    @precondition(lambda self: self.volume)
    @rule()
    def the_lease_ends(self) -> None:
        with FastCloud(self.folder / "cloud.db") as cloud, closing(cloud.world.store), cloud.world.turn() as store:
            if (lease := ours(self.folder).get("lease")) and lease.status == "ACTIVE":
                lease.body["end"] = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
                store.save(lease)

    @precondition(lambda self: self.volume)
    @rule(word=st.text("abc", min_size=1, max_size=3))
    def write(self, word: str) -> None:
        with FastCloud(self.folder / "cloud.db") as cloud:
            if cloud.volumes.get(self.volume).status == "in-use":
                cloud.volumes.write(self.volume, word)
                self.written.append(word)

    @invariant()
    def what_was_written_is_there(self) -> None:
        if hasattr(self, "volume") and self.volume:
            with FastCloud(self.folder / "cloud.db") as cloud:
                assert list(cloud.volumes.written(self.volume)) == self.written

    @invariant()
    def what_others_have_is_theirs(self) -> None:
        if hasattr(self, "folder"):
            assert others(self.folder) == self.runs.before


@pytest.mark.timeout(1800)
def test_whatever_is_done_to_a_lab_its_volume_keeps_what_was_written(runs: Runs, told: Callable[[str], None]) -> None:
    figures = sequences(runs, EXAMPLES, derandomize=True)
    told(f"volumes: {figures['sequences']} sequences of {STEPS} things done to a lab, nothing lost")


def sequences(runs: Runs, examples: int, *, derandomize: bool = False, number: int = 0) -> Counter[str]:
    """Random sequences; ``number`` is their seed unless ``derandomize`` makes them the same each time."""
    Lab.runs, Lab.count = runs, 0
    chosen = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=derandomize,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    machine = Lab if derandomize else seed(number)(Lab)
    run_state_machine_as_test(machine, settings=chosen)  # type: ignore[no-untyped-call]
    return Counter(sequences=Lab.count)
