"""Requests in flight across batches: each worker keeps a window of reads under way ahead of the sample it decodes.

Within a batch, a worker waits for the slowest of its samples and then decodes while nothing is under way. Here reading goes on
while it decodes, so that latency costs once, at the start. The order is that of torch's sampler with the same workers: the
batches are dealt out to them in turn, and a worker's samples come in the order in which they were asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch.utils.data import IterableDataset, get_worker_info

from ..config import ArmConfig
from ..layers import Watch
from ..source import Item, Source
from .window import share, through


def dataset(config: ArmConfig, source: Source, order: Sequence[int], watch: Watch) -> Stream:
    """An iterable dataset of the pass whose order is given."""
    return Stream(source, watch, order, config.batch_size, config.in_flight)


class Stream(IterableDataset):  # type: ignore[misc]
    """Reads ahead with ``in_flight`` threads and hands out in order."""

    def __init__(self, source: Source, watch: Watch, order: Sequence[int], batch_size: int, in_flight: int) -> None:
        self._source, self._watch, self._order = source, watch, order
        self._batch_size, self._in_flight = batch_size, in_flight

    def __iter__(self) -> Iterator[Item]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        places = share(self._order, self._batch_size, worker, workers)
        return through(self._source.open(), places, self._in_flight, self._watch)
