"""A worker's part of a pass, and reading it with a window of requests under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from ..layers import Watch
from ..source import Item, Reader
from . import timed


def share(order: Sequence[int], batch_size: int, worker: int, workers: int) -> Iterator[int]:
    """A worker's places: of all batches those that torch would ask of it, in their order."""
    for begin in range(worker * batch_size, len(order), workers * batch_size):
        yield from order[begin : begin + batch_size]


def through(reader: Reader, places: Iterable[int], in_flight: int, watch: Watch) -> Iterator[Item]:
    """The samples in the order of ``places``, up to ``in_flight`` of them under way; a failed one raises in its turn.

    Threads, not coroutines: they serve every client and files too, and cost obstore nothing, which waits outside the GIL.
    """
    pool = ThreadPoolExecutor(in_flight, "stream")
    window: deque[Future[Item]] = deque()
    try:
        for place in places:
            window.append(pool.submit(timed, reader, place, watch))
            if len(window) == in_flight:
                yield window.popleft().result()
        while window:
            yield window.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
