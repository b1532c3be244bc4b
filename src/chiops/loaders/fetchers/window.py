"""A worker's part of a pass, and reading it with a window of requests under way."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from ..layers import Watch
from ..source import Item, Reader
from . import timed, timed_async


def share(order: Sequence[int], batch_size: int, worker: int, workers: int) -> Iterator[int]:
    """A worker's places: of all batches those that torch would ask of it, in their order."""
    for begin in range(worker * batch_size, len(order), workers * batch_size):
        yield from order[begin : begin + batch_size]


def through(
    reader: Reader, places: Iterable[int], in_flight: int, watch: Watch, *, coroutines: bool = False
) -> Iterator[Item]:
    """The samples in the order of ``places``, up to ``in_flight`` of them under way; a failed one raises in its turn.

    Args:
        reader: reads them; by its coroutines if ``coroutines``.
        places: which.
        in_flight: how many requests are under way at most.
        watch: told of each sample's time.
        coroutines: on an event loop in one thread of its own; else each read has a thread.
    """
    window: deque[Future[Item]] = deque()
    with _on_a_loop(reader, watch) if coroutines else _in_threads(reader, in_flight, watch) as begin:
        for place in places:
            window.append(begin(place))
            if len(window) == in_flight:
                yield window.popleft().result()
        while window:
            yield window.popleft().result()


_Begin = Callable[[int], "Future[Item]"]
"""Begins to read the sample at a place."""


@contextmanager
def _in_threads(reader: Reader, in_flight: int, watch: Watch) -> Iterator[_Begin]:
    pool = ThreadPoolExecutor(in_flight, "stream")
    try:
        yield lambda place: pool.submit(timed, reader, place, watch)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _on_a_loop(reader: Reader, watch: Watch) -> Iterator[_Begin]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="stream", daemon=True)
    thread.start()
    try:
        yield lambda place: asyncio.run_coroutine_threadsafe(timed_async(reader, place, watch), loop)
    finally:
        loop.call_soon_threadsafe(_end, loop)
        thread.join()


def _end(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.call_soon(loop.stop)
