"""`up` and `down` at the real local site, killed after a random time; then both go through and nothing is left."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.conftest import why_no_nodes
from tests.support.cli import Chiops
from tests.support.fast_lab import LAB, NAME
from tests.support.leftovers import assert_clean

LONGEST_S = 20.0
"""Within this a lab is up or down on a quiet machine, so a kill later than that hits nothing."""
UP = ("up", "lab.yaml", "--no-configure", "--yes", "-o", "json")
PURGE = ("down", NAME, "--purge-bucket", "--purge-volume", "--yes")


@dataclass
class LocalKills:
    """A site of its own."""

    chiops: Chiops

    @classmethod
    def if_possible(cls, stack: ExitStack) -> Self | None:
        """Ready to run, or None where this machine carries no nodes; ``stack`` cleans up."""
        if why_no_nodes():
            return None
        home = Path(tempfile.mkdtemp(prefix="chk-", dir="/tmp"))
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        stack.callback(assert_clean, home)
        (home / "work").mkdir()
        (home / "work/lab.yaml").write_text(LAB)
        return cls(Chiops(home, home / "work"))

    def rounds(self, seeds: Iterable[int]) -> Counter[str]:
        """One round for each seed; the figures of all."""
        return sum((self._round(seed) for seed in seeds), Counter())

    def _round(self, seed: int) -> Counter[str]:
        dice, figures = random.Random(seed), Counter[str]()
        for argv in (UP, PURGE):
            for _ in range(dice.randrange(1, 3)):
                figures += self._killed(argv, dice.uniform(0, LONGEST_S))
            done = self.chiops.run(*argv)
            assert done.code in ((0,) if argv is UP else (0, 2)), f"seed {seed}: {done}"
            if argv is UP:
                plan = self.chiops.ok("plan", "lab.yaml", "-o", "json").json()
                assert plan["changes"] == 0, f"seed {seed}: {plan}"
        assert_clean(self.chiops.state_home)
        return figures

    def _killed(self, argv: tuple[str, ...], after_s: float) -> Counter[str]:
        process = self.chiops.start(*argv)
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        return Counter(runs=1, kills=process.returncode == -signal.SIGKILL)
