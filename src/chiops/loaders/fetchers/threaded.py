"""A batch's samples at once, by a pool of threads in each worker."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from ..config import ArmConfig
from ..layers import Watch
from ..source import Item, Reader, Source
from . import timed


def dataset(config: ArmConfig, source: Source, order: Sequence[int], watch: Watch) -> Threaded:  # noqa: ARG001
    """A map-style dataset."""
    return Threaded(source, watch, config.in_flight)


class Threaded:
    """Reads in ``in_flight`` threads and gives a batch when all of it is there."""

    def __init__(self, source: Source, watch: Watch, in_flight: int) -> None:
        self._source, self._watch, self._in_flight = source, watch, in_flight

    @cached_property
    def _tools(self) -> tuple[Reader, ThreadPoolExecutor]:
        return self._source.open(), ThreadPoolExecutor(self._in_flight, "fetch")

    def __len__(self) -> int:
        return len(self._source)

    def __getitems__(self, places: Sequence[int]) -> list[Item]:
        reader, pool = self._tools
        return list(pool.map(lambda place: timed(reader, place, self._watch), places))
