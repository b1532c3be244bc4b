"""A batch's samples at once, as coroutines on one event loop in the worker's own thread: ``--fetcher asyncio``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cached_property

from ..config import ArmConfig
from ..layers import Watch
from ..source import Item, Reader, Source
from . import timed_async


def dataset(config: ArmConfig, source: Source, order: Sequence[int], watch: Watch) -> Coroutines:  # noqa: ARG001
    """A map-style dataset."""
    return Coroutines(source, watch, config.in_flight)


class Coroutines:
    """Awaits at most ``in_flight`` reads at once and gives a batch when all of it is there."""

    def __init__(self, source: Source, watch: Watch, in_flight: int) -> None:
        self._source, self._watch, self._in_flight = source, watch, in_flight

    @cached_property
    def _tools(self) -> tuple[Reader, asyncio.AbstractEventLoop]:
        return self._source.open(), asyncio.new_event_loop()  # kept, since connections belong to a loop

    def __len__(self) -> int:
        return len(self._source)

    def __getitems__(self, places: Sequence[int]) -> list[Item]:
        reader, loop = self._tools
        return loop.run_until_complete(self._batch(reader, places))

    async def _batch(self, reader: Reader, places: Sequence[int]) -> list[Item]:
        slots = asyncio.Semaphore(self._in_flight)

        async def one(place: int) -> Item:
            async with slots:
                return await timed_async(reader, place, self._watch)

        return list(await asyncio.gather(*map(one, places)))
