"""The long part: fresh seeds for as long as there is time, and the figures at the end.

usage: python -m tests.faults.soak SEED MINUTES
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

from tests.faults import test_faulty_cloud, test_faulty_network, test_volumes_and_labs
from tests.faults.killing import LocalKills
from tests.support.runs import started
from tests.support.weed import serve

CHUNK = 8
"""Seeds between two looks at the clock."""


def main(seed: int, minutes: float) -> None:
    """Run each part in turn until the time is over; the first thing that is wrong ends it with its seed."""
    ends, began = time.monotonic() + minutes * 60, time.monotonic()
    figures: dict[str, Counter[str]] = {}
    with ExitStack() as stack:
        runs = stack.enter_context(started())
        server = stack.enter_context(serve(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        parts: dict[str, Callable[[range], Counter[str]]] = {
            "faulty cloud": lambda seeds: test_faulty_cloud.rounds(runs, seeds) + Counter(seeds=len(seeds)),
            "faulty network before S3": lambda seeds: (
                test_faulty_network.rounds(server, seeds) + Counter(seeds=len(seeds))
            ),
            "volumes": lambda seeds: test_volumes_and_labs.sequences(runs, 2, number=seeds[0]),
        }
        kills = LocalKills.if_possible(stack)
        if kills:
            parts["local site killed"] = lambda seeds: kills.rounds(seeds[:1]) + Counter(seeds=1)
        else:
            _say("local site: left out, this machine carries no nodes")
        for seeds in _chunks(seed):
            for name, part in parts.items():
                if time.monotonic() > ends:
                    break
                figures[name] = figures.get(name, Counter()) + part(seeds)
            if time.monotonic() > ends:
                break
    _say(f"seed {seed}, {(time.monotonic() - began) / 60:.1f} min")
    for name, counts in figures.items():
        _say(f"{name}: " + ", ".join(f"{number:,} {what}" for what, number in sorted(counts.items())))


def _chunks(seed: int) -> Iterator[range]:
    # Seeds of one soak never meet those of another, nor those of the bounded part.
    first = random.Random(seed).randrange(10**6, 10**9)
    for number in count():
        yield range(first + number * CHUNK, first + (number + 1) * CHUNK)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - its figures


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
