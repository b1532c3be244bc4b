"""A cloud whose requests fail by seed, also after they were carried out: nothing leaks, doubles or is lost, and `up` heals."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.fast_lab import assert_down, assert_up, others, put_objects
from tests.support.runs import KEEP, PURGE, UNKNOWN_LAB, UP, Runs

pytestmark = pytest.mark.timeout(1800)

SEEDS = 60
RATES = (0.02, 0.05, 0.1, 0.3)
TRIES = 2


def test_up_and_down_at_a_cloud_that_fails(runs: Runs, told: Callable[[str], None]) -> None:
    figures = rounds(runs, range(SEEDS))
    told(
        f"faulty cloud: {SEEDS} seeds, {figures['runs']} runs of up and down, {figures['faults']} faults "
        f"({figures['after']} after the request was carried out), {figures['failed']} runs ended in a sentence"
    )
    assert figures["faults"] > SEEDS
    assert figures["after"] > SEEDS / 3


def rounds(runs: Runs, seeds: range) -> Counter[str]:
    """One round for each seed, on all cores; the figures of all."""
    with ThreadPoolExecutor(runs.width) as pool:
        results = list(pool.map(lambda seed: _round(runs, seed), seeds))
    failed = [told for told, _ in results if told]
    assert not failed, f"{len(failed)} of {len(seeds)} seeds\n" + "\n\n".join(failed[:3])
    return sum((figures for _, figures in results), Counter())


def _round(runs: Runs, seed: int) -> tuple[str, Counter[str]]:
    """`up` until it is through, `down` until it is through, first with faults and at last without; what is wrong, and figures."""
    dice, figures = random.Random(seed), Counter[str]()
    folder = runs.root / f"seed-{seed}"
    shutil.copytree(runs.fresh, folder)
    try:
        rate, answer = dice.choice(RATES), dice.random() < 0.7
        down = dice.choice([PURGE, KEEP])
        figures += _through(runs, folder, UP, f"{seed} up", rate, answer)
        assert_up(folder)
        put_objects(folder, dice.randrange(5))
        figures += _through(runs, folder, down, f"{seed} down", rate, answer)
        assert_down(folder, kept=down is KEEP)
        assert others(folder) == runs.before, "what is not ours has changed"
    except AssertionError as error:
        return f"seed {seed}: {error}", figures
    finally:
        faults = folder / "faults"
        notes = faults.read_text().splitlines() if faults.exists() else []
        figures += Counter(faults=len(notes), after=sum(note.endswith("after") for note in notes))
        shutil.rmtree(folder)
    return "", figures


def _through(runs: Runs, folder: Path, argv: tuple[str, ...], seed: str, rate: float, answer: bool) -> Counter[str]:
    """A command, a few times with faults and then without; it must go through at the latest then."""
    figures = Counter[str]()
    for number in range(TRIES):
        options = {"seed": f"{seed} {number}", "rate": rate, "nodes_answer": answer}
        figures["runs"] += 1
        code = runs.faulty(folder, options, *argv)
        if code in (0, UNKNOWN_LAB):
            break
        figures["failed"] += 1
    figures["runs"] += 1
    # A down that said at last that it failed may have had nothing left to do but to say otherwise.
    runs.run(folder, *argv, codes=(0, UNKNOWN_LAB) if argv[0] == "down" else (0,))
    return figures
