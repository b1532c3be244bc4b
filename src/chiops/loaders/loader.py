"""The same torch `DataLoader` around every pipeline: decode, hash, collate; order and workers as configured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .config import ArmConfig
from .pipelines import Pipeline
from .protocol import ArmError
from .samples import Tally, combine, digest
from .vision import CROP, decoder

Item = tuple[str, Any, int]

# DataLoader's own default, named because the shared memory needed depends on it.
PREFETCH = 2
BATCH_BYTES_PER_SAMPLE = 3 * CROP * CROP * 4


class Collate:
    """From items to a batch and its `Tally`; runs in the worker.

    A failure is returned in place of the batch: torch would turn a worker's exception into the text of its traceback.
    """

    def __init__(self, decode: Callable[[bytes], Any]) -> None:
        self._decode = decode

    def __call__(self, items: Sequence[Item]) -> tuple[Any, Any, Tally] | ArmError:
        try:
            return self._collate(items)
        except ArmError as failure:
            return failure

    def _collate(self, items: Sequence[Item]) -> tuple[Any, Any, Tally]:
        import torch

        images, digests, decode_s, hash_s = [], [], 0.0, 0.0
        for key, jpeg, label in items:
            if not isinstance(jpeg, bytes):
                what = f"the sample {key} is stored as {type(jpeg).__name__}, not as JPEG bytes"
                raise ArmError(what, "its decoding would not be timed", "make the set again with `chiops data prepare`")
            begun = time.perf_counter()
            digests.append(digest(jpeg, label))
            hashed = time.perf_counter()
            try:
                images.append(self._decode(jpeg))
            except (OSError, ValueError, SyntaxError) as error:  # what PIL raises for a broken image
                raise ArmError(f"the sample {key} cannot be decoded", str(error)) from None
            hash_s += hashed - begun
            decode_s += time.perf_counter() - hashed
        size = sum(len(jpeg) for _, jpeg, _ in items)
        labels = torch.tensor([label for _, _, label in items], dtype=torch.int64)
        return torch.stack(images), labels, Tally(len(items), size, combine(digests), decode_s, hash_s)


class Loader:
    """Iterates over the tallies of checked batches."""

    def __init__(self, config: ArmConfig, pipeline: Pipeline) -> None:
        import torch
        from torch.utils.data import DataLoader, RandomSampler, SequentialSampler

        dataset = pipeline.dataset()
        sampler = None
        if not pipeline.keeps_order:
            order = torch.Generator().manual_seed(config.seed)
            sampler = (
                RandomSampler(dataset, generator=order) if config.access == "random" else SequentialSampler(dataset)
            )
        self._loader = DataLoader(
            dataset,
            batch_size=config.batch_size,
            sampler=sampler,
            num_workers=config.workers,
            collate_fn=Collate(decoder()),
            timeout=config.timeout_s if config.workers else 0,
            prefetch_factor=PREFETCH if config.workers else None,
            multiprocessing_context="fork" if config.workers else None,
        )

    def __iter__(self) -> Iterator[Tally]:
        # Not a generator: the workers must start when the iterator is asked for, not at its first batch.
        return map(_checked, iter(self._loader))


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


def shared_memory_needed(config: ArmConfig) -> int:
    """Bytes of /dev/shm that batches in flight take: by worker those prefetched and one being made, and one consumed."""
    batch = config.batch_size * BATCH_BYTES_PER_SAMPLE
    return batch * (config.workers * (PREFETCH + 1) + 1) if config.workers else 0
