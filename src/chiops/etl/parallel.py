"""Work on many items by some threads, without ever holding all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


def each(threads: int, work: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[_R]:
    """``work`` done on every item, results as they come; the first error stops the rest.

    Unlike `Executor.map` it keeps only a few items under way, however many there are; ``items`` is read in the caller's thread.
    """
    with ThreadPoolExecutor(threads) as pool:
        yield from through(pool, 2 * threads, work, items)


def through(pool: Executor, width: int, work: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[_R]:
    """`each`, by a pool of the caller's; ``width`` items at most are under way."""
    source = iter(items)
    running: set[Future[_R]] = {pool.submit(work, item) for item in islice(source, width)}
    try:
        while running:
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
            running |= {pool.submit(work, item) for item in islice(source, len(finished))}
    finally:
        for future in running:
            future.cancel()
