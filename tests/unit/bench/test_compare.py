from __future__ import annotations

import io

import pytest

from chiops.bench.compare import compare, rich_table
from chiops.errors import DataError
from tests.unit.bench import runs

SLOWER = {**runs.TYPICAL, ("litdata", "cold"): (98.0, 100.0, 102.0), ("litdata", "warm"): (390.0, 401.0, 410.0)}


def test_rows_are_compared_and_chance_is_no_difference() -> None:
    found = compare(runs.run(runs.TYPICAL), runs.run(SLOWER))
    verdicts = {(one.combination.format, one.combination.cache): one.verdict for one in found.changes}
    assert verdicts["litdata", "cold"] == "slower"
    assert verdicts["litdata", "warm"] == "no sure difference"
    (cold,) = [one for one in found.changes if one.verdict == "slower"]
    assert (cold.before, cold.after) == (pytest.approx(200), pytest.approx(100))
    assert cold.ratio.median == pytest.approx(0.5)


def test_what_else_differs_is_said() -> None:
    before, after = runs.run(runs.TYPICAL), runs.run(runs.TYPICAL)
    after = after.model_copy(update={"environment": after.environment | {"kernel": "6.12"}})
    assert compare(before, after).differences == {"kernel": ("6.1", "6.12")}
    assert compare(before, before).differences == {}


def test_rows_of_one_run_alone_are_named() -> None:
    found = compare(runs.run(runs.TYPICAL), runs.run({("litdata", "cold"): (200.0,), ("mds", "cold"): (300.0,)}))
    assert len(found.changes) == 1
    assert [one.format for one in found.only_after] == ["mds"]
    assert len(found.only_before) == 3


def test_other_samples_and_no_common_row_are_refused() -> None:
    one = runs.run(runs.TYPICAL)
    with pytest.raises(DataError, match="not read the same samples"):
        compare(one, runs.run(extra=[runs.arm("litdata", "cold", 200, digest=9)]))
    with pytest.raises(DataError, match="no row in common"):
        compare(one, runs.run({("mds", "cold"): (300.0,)}))


def test_the_table_names_both_numbers() -> None:
    from rich.console import Console

    console = Console(file=io.StringIO(), width=160)
    console.print(rich_table(compare(runs.run(runs.TYPICAL), runs.run(SLOWER))))
    assert "0.50× [" in console.file.getvalue()  # type: ignore[attr-defined]
