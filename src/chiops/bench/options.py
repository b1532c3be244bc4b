"""What a person may choose of a benchmark run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from chiops.bench import formats
from chiops.errors import UsageError

SPLITS = ("training", "validation", "evaluation")

CacheName = Literal["cold", "warm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """One run's options; checked when made.

    Args:
        lab: the lab's name, for the result and its file name.
        dataset: the dataset's name, as given to ``chiops data prepare``.
        formats: names out of `formats.FORMATS`.
        split: which part of the dataset.
        caches: ``cold`` alone, or ``cold`` and ``warm``; a warm arm directly follows the cold one that warmed it.
        workers: numbers of DataLoader worker processes to try.
        repetitions: how often each combination runs, in fresh containers.
        batch_size: images per batch.
        batches: how many batches an arm reads; 0 for the whole split.
        warmup_batches: batches that are delivered but not timed.
        access: order of the samples, ``random`` (seeded) or ``serial``.
        seed: of sample order, arm order and bootstrap. Repetitions use ``seed``, ``seed + 1`` and so on.
        batch_timeout_s: longest wait for one batch before the arm fails.
        arm_timeout_s: longest time for one arm, container included.
        memory: limit of the container's memory as Docker writes it (``4g``), None for all that the node has. A limit below a
            fifth of the split keeps the page cache from holding it.
        mount: where the bucket is mounted on the node.
    """

    lab: str
    dataset: str = "food11-synthetic"
    formats: tuple[str, ...] = (formats.BASELINE, "litdata")
    split: Literal["training", "validation", "evaluation"] = "training"
    caches: tuple[CacheName, ...] = ("cold", "warm")
    workers: tuple[int, ...] = (2,)
    repetitions: int = 3
    batch_size: int = 32
    batches: int = 0
    warmup_batches: int = 2
    access: Literal["random", "serial"] = "random"
    seed: int = 42
    batch_timeout_s: float = 120.0
    arm_timeout_s: float = 1800.0
    memory: str | None = None
    mount: str = "/mnt/object"

    def __post_init__(self) -> None:
        for name in self.formats:
            formats.find(name)
        lowest = {"repetitions": 1, "batch_size": 1, "batches": 0, "warmup_batches": 0, "seed": 0}
        for name, least in lowest.items():
            if getattr(self, name) < least:
                raise UsageError(f"{name.replace('_', '-')} must be at least {least}, not {getattr(self, name)}")
        for name in ("formats", "workers", "caches"):
            if not getattr(self, name):
                raise UsageError(f"at least one of {name} is needed")
        if any(count < 0 for count in self.workers):
            raise UsageError(f"workers must be at least 0, not {min(self.workers)}")
        if unknown := set(self.caches) - {"cold", "warm"}:
            raise UsageError(f"there is no cache state {sorted(unknown)[0]!r}", todo="use cold or warm")
        if self.split not in SPLITS:
            raise UsageError(f"there is no split {self.split!r}", todo=f"choose one of: {', '.join(SPLITS)}")
        if self.access not in ("random", "serial"):
            raise UsageError(f"there is no access order {self.access!r}", todo="use random or serial")
        if 0 < self.batches <= self.warmup_batches:
            raise UsageError(f"of {self.batches} batches {self.warmup_batches} are for warm-up, so none is timed")

    @property
    def samples(self) -> int:
        """How many samples an arm reads; 0 for the whole split."""
        return self.batches * self.batch_size

    def as_json(self) -> dict[str, Any]:
        """For the result: values as JSON has them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
