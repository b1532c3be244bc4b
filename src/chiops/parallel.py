"""Many requests at once, never more than a server shall have under way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_flight(pool: ThreadPoolExecutor, call: Callable[[T], R], items: Iterable[T], most: int) -> Iterator[R]:
    """What ``call`` returns for each item, as it comes; an item is drawn only once fewer than ``most`` are under way.

    An exception of a call, or of who draws the results, starts none of those that wait.
    """
    running: set[Future[R]] = set()
    try:
        for item in items:
            running.add(pool.submit(call, item))
            if len(running) >= most:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    except BaseException:
        for future in running:
            future.cancel()
        raise
