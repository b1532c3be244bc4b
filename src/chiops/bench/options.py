"""What a person may choose of a benchmark run."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any, Literal

from chiops.bench import emulation, formats
from chiops.bench.formats import CacheName
from chiops.errors import UsageError
from chiops.loaders.memory import shared_memory_needed
from chiops.names import suggestion
from chiops.remote import fuse

SPLITS = ("training", "validation", "evaluation")
_LEAST = {
    "repetitions": 1, "batch_size": 1, "batches": 0, "warmup_batches": 0, "seed": 0, "fetchers_in_flight": 0, "epochs": 1,
}  # fmt: skip

_SIZE = re.compile(r"\d+(\.\d+)?([kmgtp]i?)?b?", re.IGNORECASE)
"""Docker's way of writing a size."""

# No memory is taken by a limit, only by what lies there.
_LEAST_SHARED, _SPARE_SHARED = 2 << 30, 256 << 20

Access = Literal["random", "serial"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """One run's options; checked when made. The tuples are the axes of the matrix.

    Args:
        lab: the lab's name, for the result and its file name.
        dataset: the dataset's name, as given to ``chiops data prepare``.
        root: the dataset's name within its folder and in the bucket.
        formats: names out of `formats.FORMATS`.
        clients: S3 libraries, for the formats that have the choice.
        fetchers: how a worker asks for samples, for the formats that have the choice.
        fetchers_in_flight: requests at once, for all fetchers but vanilla; 0 for each one's own default.
        mounts: FUSE backends with options, as `fuse.choice` reads them, for the formats that read through a mount.
        split: which part of the dataset.
        caches: ``cold`` alone, or ``cold`` and ``warm``; a warm arm directly follows the cold one that warmed it.
        workers: numbers of DataLoader worker processes to try.
        access: orders of the samples, ``random`` (seeded) or ``serial``.
        repetitions: how often each combination runs, in fresh containers.
        epochs: passes over the samples within an arm.
        batch_size: images per batch.
        batches: how many batches an arm reads; 0 for the whole split.
        warmup_batches: batches that are delivered but not timed.
        emulate: an accelerator's name, or seconds of compute per batch; "" for none. See `emulation`.
        seed: of sample order, arm order and bootstrap. Repetitions use ``seed``, ``seed + 1`` and so on.
        batch_timeout_s: longest wait for one batch before the arm fails; without workers nothing bounds it but the arm's time.
        arm_timeout_s: longest time for one arm, container included.
        memory: limit of the container's memory as Docker writes it (``4g``), None for all that the node has. A limit below a
            fifth of the split keeps the page cache from holding it.
    """

    lab: str
    dataset: str = "food11-synthetic"
    root: str = "Food-11"
    formats: tuple[str, ...] = (formats.BASELINE, "litdata")
    clients: tuple[str, ...] = ("obstore",)
    fetchers: tuple[str, ...] = ("vanilla",)
    fetchers_in_flight: int = 0
    mounts: tuple[str, ...] = ("rclone",)
    split: Literal["training", "validation", "evaluation"] = "training"
    caches: tuple[CacheName, ...] = ("cold", "warm")
    workers: tuple[int, ...] = (2,)
    access: tuple[Access, ...] = ("random",)
    repetitions: int = 3
    epochs: int = 1
    batch_size: int = 32
    batches: int = 0
    warmup_batches: int = 2
    emulate: str = ""
    seed: int = 42
    batch_timeout_s: float = 120.0
    arm_timeout_s: float = 1800.0
    memory: str | None = None

    def __post_init__(self) -> None:
        for name in self.formats:
            formats.find(name)
        for text in self.mounts:
            fuse.choice(text)
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise UsageError(f"{name.replace('_', '-')} must be at least {least}, not {getattr(self, name)}")
        for name in ("formats", "workers", "caches", "clients", "fetchers", "mounts", "access"):
            if not getattr(self, name):
                raise UsageError(f"at least one of {name} is needed")
        for name in ("batch_timeout_s", "arm_timeout_s"):
            if getattr(self, name) <= 0:
                raise UsageError(f"{name.removesuffix('_s').replace('_', '-')} must be more than no time")
        if any(count < 0 for count in self.workers):
            raise UsageError(f"workers must be at least 0, not {min(self.workers)}")
        _known("cache state", self.caches, ("cold", "warm"))
        _known("access order", self.access, ("random", "serial"))
        _known("S3 client", self.clients, formats.CLIENTS)
        _known("fetcher", self.fetchers, formats.FETCHERS)
        _known("split", (self.split,), SPLITS)
        if self.memory is not None and not _SIZE.fullmatch(self.memory):
            raise UsageError(f"{self.memory!r} is no amount of memory", todo="write it as Docker does, 512m or 4g")
        if 0 < self.batches <= self.warmup_batches:
            raise UsageError(f"of {self.batches} batches {self.warmup_batches} are for warm-up, so none is timed")
        emulation.seconds(self.emulate, self.batch_size)

    @property
    def shared_memory_bytes(self) -> int:
        """What the container may use of /dev/shm: of what batches take at most, with head room for what libraries keep there."""
        needed = max(shared_memory_needed(self.batch_size, count) for count in self.workers)
        return max(_LEAST_SHARED, needed + needed // 4 + _SPARE_SHARED)

    @property
    def samples(self) -> int:
        """How many samples an arm reads in an epoch; 0 for the whole split."""
        return self.batches * self.batch_size

    @property
    def emulate_s(self) -> float:
        """Seconds of emulated compute per full batch."""
        return emulation.seconds(self.emulate, self.batch_size)

    def as_json(self) -> dict[str, Any]:
        """For the result: values as JSON has them."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return values | {"emulate_s": self.emulate_s}


def _known(noun: str, given: Collection[str], known: Collection[str]) -> None:
    for one in given:
        if one not in known:
            raise UsageError(f"there is no {noun} {one!r}", todo=suggestion(one, known))
