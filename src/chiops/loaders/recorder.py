"""The stopwatch: how long the consumer waits for each batch. Knows nothing of torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .protocol import ArmError
from .samples import Tally


class NoBatch(ArmError):
    """A pass ended before its first batch, and nothing said why."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Every raw value of all passes, in order of delivery.

    Args:
        start_s: from asking for the first iterator until it was there; worker processes start in it.
        wait_s: per batch, seconds between asking for it and having it. A pass's first holds the pipeline's filling, and that of
            a later pass the start of its workers too.
        tallies: per batch, what it brought.
        compute_s: per batch, seconds of emulated compute after it; empty if there was none.
        firsts: the place of each pass's first batch.
    """

    start_s: float
    wait_s: tuple[float, ...]
    tallies: tuple[Tally, ...]
    compute_s: tuple[float, ...] = ()
    firsts: tuple[int, ...] = (0,)

    @property
    def first_batch_s(self) -> float:
        """From asking for the iterator until the first batch was there."""
        return self.start_s + self.wait_s[0]

    @property
    def total_s(self) -> float:
        """From asking for the iterator until the last batch was there, and computed on."""
        return self.start_s + sum(self.wait_s) + sum(self.compute_s)

    def passes(self) -> list[slice]:
        """The places of each pass's batches."""
        return [
            slice(first, last) for first, last in zip(self.firsts, (*self.firsts[1:], len(self.wait_s)), strict=True)
        ]

    def seconds(self, batches: slice) -> float:
        """How long those batches took to come and be computed on."""
        return sum(self.wait_s[batches]) + sum(self.compute_s[batches])


def record(
    batches: Iterable[Tally],
    *,
    epochs: int = 1,
    compute: Callable[[Tally], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
    on_batch: Callable[[Tally], None] | None = None,
) -> Recording:
    """Draw every batch of ``batches`` as fast as it comes, ``epochs`` times over, and note how long each took to come.

    ``compute`` is a training step's stand-in, on the clock; ``on_batch`` runs off it. An exception of the pipeline passes
    through: a failed sample fails the arm.
    """
    waits: list[float] = []
    computed: list[float] = []
    tallies: list[Tally] = []
    firsts: list[int] = []
    first_start_s = 0.0
    for epoch in range(epochs):
        firsts.append(len(waits))
        began = clock()
        source = iter(batches)
        start_s = clock() - began
        if epoch == 0:
            first_start_s, start_s = start_s, 0.0
        while True:
            asked = clock()
            tally = next(source, None)
            waited = clock() - asked
            if tally is None:
                break
            waits.append(start_s + waited)
            start_s = 0.0
            tallies.append(tally)
            if compute:
                begun = clock()
                compute(tally)
                computed.append(clock() - begun)
            if on_batch:
                on_batch(tally)
        if firsts[-1] == len(waits):
            raise NoBatch("the pipeline delivered no batch")
    return Recording(first_start_s, tuple(waits), tuple(tallies), tuple(computed), tuple(firsts))


def emulate(full_batch_s: float, batch_size: int) -> Callable[[Tally], None] | None:
    """Compute that takes ``full_batch_s`` per full batch, as MLPerf Storage emulates it: by sleeping. None if it takes none."""
    if not full_batch_s:
        return None
    return lambda tally: time.sleep(full_batch_s * tally.samples / batch_size)
