"""One sample after the other, as torch's own fetcher asks a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from ..config import ArmConfig
from ..layers import Watch
from ..source import Item, Reader, Source
from . import timed


def dataset(config: ArmConfig, source: Source, order: Sequence[int], watch: Watch) -> Vanilla:  # noqa: ARG001
    """A map-style dataset."""
    return Vanilla(source, watch)


class Vanilla:
    """Reads in the worker's own thread."""

    def __init__(self, source: Source, watch: Watch) -> None:
        self._source, self._watch = source, watch

    @cached_property
    def _reader(self) -> Reader:
        return self._source.open()

    def __len__(self) -> int:
        return len(self._source)

    def __getitems__(self, places: Sequence[int]) -> list[Item]:
        return [timed(self._reader, place, self._watch) for place in places]
