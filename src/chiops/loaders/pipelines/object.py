"""One object and one request per sample, by a client and a fetcher of choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import clients, fetchers
from ..cache import CacheState
from ..config import ArmConfig
from ..layers import Watch
from ..protocol import ArmError
from ..traffic import Traffic
from ._objects import Objects, list_keys

FETCHERS = True


def open(config: ArmConfig, traffic: Traffic) -> ObjectPipeline:  # noqa: A001
    """List the split; the listing requests are part of the time it takes to open."""
    return ObjectPipeline(config, traffic)


class ObjectPipeline:
    """Nothing is kept on the node, so every pass is cold."""

    keeps_order = False
    counts_traffic = True
    has_client = True

    def __init__(self, config: ArmConfig, traffic: Traffic) -> None:
        self._config = config
        self._keys = list_keys(config)
        self._source = Objects(
            self._keys, clients.opener(config, traffic), asynchronous=config.client in clients.ASYNCHRONOUS
        )

    @property
    def samples(self) -> int:
        return len(self._source)

    @property
    def split_samples(self) -> int:
        return self._keys.split_samples

    @property
    def split_bytes(self) -> int:
        return self._keys.split_bytes

    @property
    def order(self) -> str:
        return "a permutation of all samples" if self._config.access == "random" else "as stored"

    def prepare_cache(self) -> None:
        """There is none."""

    def cache_state(self) -> CacheState:
        return CacheState.without_any()

    def dataset(self, epoch: int, order: Sequence[int], watch: Watch) -> Any:  # noqa: ARG002
        return fetchers.dataset(self._config, self._source, order, watch)

    def explain(self, error: Exception) -> ArmError:
        if isinstance(error, ArmError):
            return error
        return ArmError(f"{self._config.client} failed", f"{type(error).__name__}: {error}")
