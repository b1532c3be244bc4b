"""The input pipelines: one file each, found by its name.

``imagefolder_local.py`` is the format ``imagefolder-local``. A file defines ``open(config: ArmConfig, traffic: Traffic) ->
Pipeline`` and whatever it needs for that; decoding, hashing, batching, worker processes, timing and accounting are common to
all and live outside, so that formats differ in nothing but how the bytes come.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from ..cache import CacheState
from ..config import ArmConfig
from ..layers import Watch
from ..protocol import ArmError
from ..traffic import Traffic


class Pipeline(Protocol):
    """How the bytes of a split come.

    Opening may cost time (a directory scan, an index); it is measured. A pipeline is opened in the main process and its
    dataset is copied into the workers by fork: network clients must be made in the worker, at first use.
    """

    @property
    def samples(self) -> int:
        """Samples that a pass delivers."""

    @property
    def split_samples(self) -> int:
        """Samples in the whole split."""

    @property
    def split_bytes(self) -> int:
        """Stored size of the whole split."""

    @property
    def keeps_order(self) -> bool:
        """True if a library orders the samples and shares them out among the workers; False if we do."""

    @property
    def counts_traffic(self) -> bool:
        """True if requests and bytes are counted in `Traffic`."""

    @property
    def has_client(self) -> bool:
        """True if it reads with the arm's ``client``."""

    @property
    def order(self) -> str:
        """In which order the samples come, in words, for the result."""

    def prepare_cache(self) -> None:
        """Bring every cache of this pipeline into the declared state, as far as it can be done."""

    def cache_state(self) -> CacheState:
        """What the caches hold now, measured without warming them."""

    def dataset(self, epoch: int, order: Sequence[int], watch: Watch) -> Any:
        """The torch dataset of a pass (0, 1, …), of ``(key, jpeg bytes, label)``.

        Map style, with ``__getitems__``, led by a sampler; or iterable, which sees to the order itself. Given are the places of the
        samples in the order of this pass, for what orders by them, and the watch to tell of each sample, if `keeps_order` is
        false.
        """

    def explain(self, error: Exception) -> ArmError:
        """What an exception of this pipeline's dataset means."""


def names() -> list[str]:
    """Every format there is."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__) if module.name[0] != "_")


def load(config: ArmConfig) -> Callable[[ArmConfig, Traffic], Pipeline]:
    """The pipeline's ``open``; loading it imports its libraries, which is no part of any measurement.

    Raises:
        ArmError: there is no such format, or it has no choice of fetchers and one was chosen.
    """
    if config.format not in names():
        raise ArmError(f"there is no format {config.format!r}", todo=f"choose one of: {', '.join(names())}")
    module = importlib.import_module("." + config.format.replace("-", "_"), __name__)
    if config.fetcher != "vanilla" and not getattr(module, "FETCHERS", False):
        raise ArmError(
            f"{config.format} has no fetcher {config.fetcher}",
            "its samples are not asked for one by one",
            "use --fetcher vanilla, or a format that has: object, imagefolder-local, imagefolder-mount",
        )
    return cast("Callable[[ArmConfig, Traffic], Pipeline]", module.open)
