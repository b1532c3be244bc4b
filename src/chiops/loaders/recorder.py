"""The stopwatch: how long the consumer waits for each batch. Knows nothing of torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .protocol import ArmError
from .samples import Tally


@dataclass(frozen=True, slots=True)
class Recording:
    """Every raw value of a pass, in order of delivery.

    Args:
        start_s: from asking for the iterator until it was there; worker processes start in it.
        wait_s: per batch, seconds between asking for it and having it. The first holds the pipeline's filling.
        tallies: per batch, what it brought.
    """

    start_s: float
    wait_s: tuple[float, ...]
    tallies: tuple[Tally, ...]

    @property
    def first_batch_s(self) -> float:
        """From asking for the iterator until the first batch was there."""
        return self.start_s + self.wait_s[0]

    @property
    def total_s(self) -> float:
        """From asking for the iterator until the last batch was there."""
        return self.start_s + sum(self.wait_s)


def record(
    batches: Iterable[Tally],
    *,
    clock: Callable[[], float] = time.perf_counter,
    on_batch: Callable[[Tally], None] | None = None,
) -> Recording:
    """Draw every batch of ``batches`` as fast as it comes and note how long each took to come.

    ``on_batch`` runs off the clock. An exception of the pipeline passes through: a failed sample fails the arm.
    """
    waits: list[float] = []
    tallies: list[Tally] = []
    began = clock()
    source = iter(batches)
    start_s = clock() - began
    while True:
        asked = clock()
        tally = next(source, None)
        waited = clock() - asked
        if tally is None:
            break
        waits.append(waited)
        tallies.append(tally)
        if on_batch:
            on_batch(tally)
    if not tallies:
        raise ArmError("the pipeline delivered no batch", "its dataset is empty")
    return Recording(start_s, tuple(waits), tuple(tallies))
