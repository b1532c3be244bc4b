"""What stands between a pipeline's dataset and torch's `DataLoader`: stopwatch, and failures that keep their words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch.utils.data import IterableDataset

from .layers import Watch
from .protocol import ArmError
from .source import Failed, Item

Explain = Callable[[Exception], ArmError]


class MapFeed:
    """Around a map-style dataset."""

    def __init__(self, dataset: Any, watch: Watch, explain: Explain) -> None:
        self._dataset, self._watch, self._explain = dataset, watch, explain

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitems__(self, places: Sequence[int]) -> list[Item | Failed]:
        self._watch.batch()
        try:
            items: list[Item | Failed] = self._dataset.__getitems__(places)
        except Exception as error:  # noqa: BLE001  # whatever it is fails the arm, in words
            return [Failed(self._explain(error))]
        return items


class StreamFeed(IterableDataset):  # type: ignore[misc]
    """Around an iterable dataset.

    Args:
        time_items: whether how long the next sample takes to come is the time of a sample; not if the dataset tells it.
    """

    def __init__(self, dataset: Any, watch: Watch, explain: Explain, *, time_items: bool) -> None:
        self._dataset, self._watch, self._explain, self._time_items = dataset, watch, explain, time_items

    def __iter__(self) -> Iterator[Item | Failed]:
        self._watch.batch()
        try:
            items = iter(self._dataset)
        except Exception as error:  # noqa: BLE001
            yield Failed(self._explain(error))
            return
        while True:
            self._watch.batch()
            begun = time.perf_counter()
            try:
                item = next(items)
            except StopIteration:
                return
            except Exception as error:  # noqa: BLE001
                yield Failed(self._explain(error))
                return
            if self._time_items:
                self._watch.item(time.perf_counter() - begun)
            yield item


def feed(dataset: Any, watch: Watch, explain: Explain, *, time_items: bool) -> MapFeed | StreamFeed:
    """The dataset as the loader takes it."""
    if isinstance(dataset, IterableDataset):
        return StreamFeed(dataset, watch, explain, time_items=time_items)
    return MapFeed(dataset, watch, explain)
