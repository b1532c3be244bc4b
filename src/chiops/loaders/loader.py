"""The same torch `DataLoader` around every pipeline: decode, hash, collate; order and workers as configured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.context import ForkContext, ForkProcess
from multiprocessing.process import BaseProcess
from typing import Any

from .config import ArmConfig
from .failures import full
from .layers import DECODE, FETCH, GETITEM, Durations, Watch
from .memory import PREFETCH
from .pipelines import Pipeline
from .protocol import ArmError
from .samples import Tally, combine, digest, epoch_order
from .source import Failed, Item
from .vision import CROP, decoder


class Collate:
    """From items to a batch and its `Tally`; runs in the worker.

    A failure is returned in place of the batch: torch would turn a worker's exception into the text of its traceback.
    """

    def __init__(self, decode: Callable[[bytes], Any], watch: Watch) -> None:
        self._decode, self._watch = decode, watch

    def __call__(self, items: Sequence[Item | Failed]) -> tuple[Any, Any, Tally] | ArmError:
        try:
            return self._collate(items)
        except ArmError as failure:
            return failure

    def _collate(self, items: Sequence[Item | Failed]) -> tuple[Any, Any, Tally]:
        import torch

        images, labels, digests, size, hash_s, decoding = [], [], [], 0, 0.0, Durations()
        for item in items:
            if isinstance(item, Failed):
                raise item.failure
            key, jpeg, label = item
            if not isinstance(jpeg, bytes):
                what = f"the sample {key} is stored as {type(jpeg).__name__}, not as JPEG bytes"
                raise ArmError(what, "its decoding would not be timed", "make the set again with `chiops data prepare`")
            begun = time.perf_counter()
            digests.append(digest(jpeg, label))
            hashed = time.perf_counter()
            try:
                images.append(self._decode(jpeg))
            except (OSError, ValueError, SyntaxError) as error:  # what PIL raises for a broken image
                todo = "see with `chiops data verify` what the bucket holds, then prepare the data again"
                raise ArmError(f"the sample {key} cannot be decoded", str(error), todo) from None
            hash_s += hashed - begun
            decoding.add(time.perf_counter() - hashed)
            labels.append(label)
            size += len(jpeg)
        batch = torch.stack(images), torch.tensor(labels, dtype=torch.int64)
        reading, fetching, now = self._watch.batch_done()
        tally = Tally(
            samples=len(items),
            size=size,
            digest=combine(digests),
            decode_s=decoding.total_s,
            hash_s=hash_s,
            layers={GETITEM: reading, DECODE: decoding, FETCH: fetching},
            worker=self._watch.worker,
            began=self._watch.began,
            ended=now,
        )
        return *batch, tally


class _Crew(ForkContext):
    """Forks processes, and lists them: torch keeps its own list to itself."""

    def __init__(self, members: list[BaseProcess]) -> None:
        super().__init__()
        self._members = members

    def Process(self, *args: Any, **options: Any) -> ForkProcess:  # type: ignore[override]  # noqa: N802  # multiprocessing's name
        process = ForkProcess(*args, **options)
        self._members.append(process)
        return process


class Loader:
    """Iterates over the tallies of checked batches; each time it is the next pass, with workers of its own.

    Attributes:
        workers: the processes of the last pass, also those that have ended.
    """

    def __init__(self, config: ArmConfig, pipeline: Pipeline) -> None:
        self._config, self._pipeline = config, pipeline
        self._decode = decoder()
        self._epoch = 0
        self.workers: list[BaseProcess] = []

    def __iter__(self) -> Iterator[Tally]:
        # Not a generator: the workers must start when the iterator is asked for, not at its first batch.
        from torch.utils.data import DataLoader

        from .feed import MapFeed, feed

        config, watch = self._config, Watch()
        order = epoch_order(self._pipeline.samples, config.access, config.seed, self._epoch)
        dataset = feed(
            self._pipeline.dataset(self._epoch, order, watch),
            watch,
            self._explain,
            time_items=self._pipeline.keeps_order,
        )
        self._epoch += 1
        self.workers = []
        watch.begin(0)
        loader = DataLoader(
            dataset,
            batch_size=config.batch_size,
            sampler=order if isinstance(dataset, MapFeed) else None,
            num_workers=config.workers,
            collate_fn=Collate(self._decode, watch),
            timeout=config.timeout_s if config.workers else 0,
            prefetch_factor=PREFETCH if config.workers else None,
            multiprocessing_context=_Crew(self.workers) if config.workers else None,
            worker_init_fn=watch.begin,
        )
        return map(_checked, iter(loader))

    def _explain(self, error: Exception) -> ArmError:
        return full(error) or self._pipeline.explain(error)


def _checked(batch: tuple[Any, Any, Tally] | ArmError) -> Tally:
    """The batch's tally, once the batch is what a training step expects. Looks at no pixel, so it costs nothing."""
    import torch

    if isinstance(batch, ArmError):
        raise batch
    images, labels, tally = batch
    expected = (tally.samples, 3, CROP, CROP)
    if tuple(images.shape) != expected or images.dtype != torch.float32 or labels.dtype != torch.int64:
        raise ArmError(f"a batch has shape {tuple(images.shape)} of {images.dtype}, not {expected} of float32")
    return tally
