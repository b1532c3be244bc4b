"""The input pipelines: one file each, found by its name.

``imagefolder_local.py`` is the format ``imagefolder-local``. A file defines ``open(config: ArmConfig) -> Pipeline`` and
whatever it needs for that; decoding, hashing, batching, worker processes, timing and accounting are common to all and live
outside, so that formats differ in nothing but how the bytes come.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any, Protocol, cast

from ..cache import CacheState
from ..config import ArmConfig
from ..protocol import ArmError


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
        """True if the dataset shuffles and shares itself out among the workers; False if the sampler is to do it."""

    def prepare_cache(self) -> None:
        """Bring every cache of this pipeline into the declared state, as far as it can be done."""

    def cache_state(self) -> CacheState:
        """What the caches hold now, measured without warming them."""

    def dataset(self) -> Any:
        """A torch dataset, map style or iterable, of ``(key, jpeg bytes, label)``.

        A map-style one may define ``__getitems__`` to fetch a whole batch in one go.
        """


def names() -> list[str]:
    """Every format there is."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__) if module.name[0] != "_")


def load(name: str) -> Callable[[ArmConfig], Pipeline]:
    """The pipeline's ``open``; loading it imports its libraries, which is no part of any measurement."""
    if name not in names():
        raise ArmError(f"there is no format {name!r}", todo=f"choose one of: {', '.join(names())}")
    module = importlib.import_module("." + name.replace("-", "_"), __name__)
    return cast("Callable[[ArmConfig], Pipeline]", module.open)
