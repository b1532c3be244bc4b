"""`up` and `down` are killed at every point there is: before and after each request to the cloud and each note in the journal.

All points, as a run that is left alone comes by them. After each, `up` completes the lab without a duplicate, and `down` leaves
nothing; what belongs to others stays as it was, to the letter.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.fast_lab import assert_down, ours
from tests.support.runs import KEEP, KILLED, PURGE, UNKNOWN_LAB, UP, Runs

pytestmark = pytest.mark.timeout(1800)


def test_up_is_cut_at_every_point(runs: Runs, told: Callable[[str], None]) -> None:
    points = runs.points(runs.fresh, *UP)
    for service in ("leases.create", "compute.create", "network.bind_floating_ip", "volumes.attach", "objects.create"):
        assert {f"{service}#1 before", f"{service}#1 after"} <= set(points)

    def trial(folder: Path, point: str) -> None:
        runs.run(folder, *UP, cut=point, codes=(KILLED,))
        runs.comes_right(folder, PURGE)

    runs.at_each(points, runs.fresh, trial)
    told(f"up: cut at {len(points)} points; each followed by up, and by down")


@pytest.mark.parametrize("argv", [PURGE, KEEP], ids=["purge", "keep"])
def test_down_is_cut_at_every_point(runs: Runs, told: Callable[[str], None], argv: tuple[str, ...]) -> None:
    points = runs.points(runs.brought_up(), *argv)
    assert ("s3.delete_batch#1 before" in points) is (argv is PURGE)

    def trial(folder: Path, point: str) -> None:
        runs.run(folder, *argv, cut=point, codes=(KILLED,))
        runs.run(folder, *argv, codes=(0, UNKNOWN_LAB))
        assert_down(folder, kept=argv is KEEP)
        if argv is KEEP:
            assert set(ours(folder)) == {"volume", "bucket"}

    runs.at_each(points, runs.brought_up(), trial)
    told(f"{' '.join(argv[:1] + argv[3:])}: cut at {len(points)} points; each followed by the same again")
