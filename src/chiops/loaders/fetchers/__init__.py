"""How a worker asks for its samples: one file per way, found by its name.

``vanilla``, ``threaded`` and ``asyncio`` fetch one batch after the other; ``stream`` keeps requests in flight across batches.
All deliver the same samples in the same batches in the same order. Decoding is never part of it: it belongs to the
worker's own thread in every way, so that they differ in nothing but how the bytes come.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from typing import Any

from ..config import ArmConfig
from ..layers import Watch
from ..protocol import ArmError
from ..source import Item, Reader, Source


def dataset(config: ArmConfig, source: Source, order: Sequence[int], watch: Watch) -> Any:
    """A torch dataset of ``source`` that fetches in the configured way.

    Args:
        order: the places in the order of this pass; only ``stream`` needs it, the others are led by torch's sampler.
        watch: told of each sample's time.

    Raises:
        ArmError: the way asks for a client with coroutines, and the arm's has none.
    """
    if config.fetcher == "asyncio" and not source.asynchronous:
        who = config.client if config.format == "object" else config.format
        raise ArmError(
            f"the fetcher asyncio needs an asynchronous client, and {who} is none",
            todo="take --client obstore or s3fs with --format object, or --fetcher threaded",
        )
    module = importlib.import_module("." + config.fetcher.replace("asyncio", "coroutines"), __name__)
    return module.dataset(config, source, order, watch)


def timed(reader: Reader, place: int, watch: Watch) -> Item:
    """Read a sample and tell the watch how long it took."""
    begun = time.perf_counter()
    item = reader.read(place)
    watch.item(time.perf_counter() - begun)
    return item


async def timed_async(reader: Reader, place: int, watch: Watch) -> Item:
    """The same as a coroutine."""
    begun = time.perf_counter()
    item = await reader.read_async(place)
    watch.item(time.perf_counter() - begun)
    return item
