"""What one arm is told: plain values, checked once, passed unchanged to the pipeline."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from .protocol import ArmError

CacheName = Literal["cold", "warm"]
ClientName = Literal["obstore", "boto3", "s3fs"]
FetcherName = Literal["vanilla", "threaded", "asyncio", "stream"]

CLIENTS = ("obstore", "boto3", "s3fs")
FETCHERS = ("vanilla", "threaded", "asyncio", "stream")
_IN_FLIGHT = {"vanilla": 1, "threaded": 16, "asyncio": 16, "stream": 64}
_LEAST = {
    "samples": 0, "batch_size": 1, "workers": 0, "warmup_batches": 0, "fetchers": 0, "epochs": 1, "emulate_s": 0,
}  # fmt: skip
_CHOICES = (
    ("cache", "cache state", ("cold", "warm")),
    ("access", "access order", ("random", "serial")),
    ("client", "S3 client", CLIENTS),
    ("fetcher", "fetcher", FETCHERS),
)


@dataclass(frozen=True, slots=True)
class S3:
    """The bucket and the key that opens it. The secret is in memory only: neither in the environment nor in a file."""

    url: str
    region: str
    bucket: str
    access: str = field(repr=False)
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmConfig:
    """One arm.

    Args:
        format: the pipeline's name, as `pipelines.names` lists them.
        dataset: the dataset's folder below ``data_dir``.
        root: the dataset's name within that folder and in the bucket: ``<root>/<split>/…``, ``<root>-litdata/<split>/…``.
        split: training, validation or evaluation.
        cache: the state the caches are in before the first sample.
        access: ``random`` (seeded) or ``serial`` order.
        samples: how many samples, the first of the canonical order; 0 means all of the split.
        workers: DataLoader worker processes; 0 loads in the main process.
        client: the S3 library of pipelines that read the bucket by requests of our own (object, webdataset).
        fetcher: how a worker asks for samples: one after the other, many at once within a batch (by threads or asyncio), or
            many at once across its batches.
        fetchers: requests in flight: within a batch, or in a worker's window for ``stream``; 0 means 16, for ``stream`` 64.
        epochs: passes over the samples, in one process.
        emulate_s: seconds of emulated compute per full batch; a shorter batch takes its part of it.
        mount: name of the FUSE backend behind ``mount_dir``, for the record.
        warmup_batches: delivered and hashed, but not timed.
        timeout_s: longest wait for one batch before the arm fails.
        data_dir: staging tree of datasets, read-only.
        cache_dir: ours to fill and empty; kept from a cold arm for its warm partner.
        mount_dir: where the bucket is mounted, for pipelines that read through a mount.
    """

    format: str
    dataset: str
    root: str = "Food-11"
    split: str = "training"
    cache: CacheName = "cold"
    access: Literal["random", "serial"] = "random"
    samples: int = 0
    batch_size: int = 32
    workers: int = 2
    client: ClientName = "obstore"
    fetcher: FetcherName = "vanilla"
    fetchers: int = 0
    epochs: int = 1
    emulate_s: float = 0.0
    mount: str = ""
    warmup_batches: int = 2
    seed: int = 42
    timeout_s: float = 120.0
    data_dir: Path = Path("/data")
    cache_dir: Path = Path("/cache")
    mount_dir: Path = Path("/mnt/object")
    s3: S3 | None = None

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise ArmError(f"{name} must be at least {least}", f"it is {getattr(self, name)}")
        for name, title, known in _CHOICES:
            if getattr(self, name) not in known:
                raise ArmError(f"there is no {title} {getattr(self, name)!r}", todo=f"use {' or '.join(known)}")

    @property
    def in_flight(self) -> int:
        """How many requests of one worker may be under way at once."""
        return 1 if self.fetcher == "vanilla" else self.fetchers or _IN_FLIGHT[self.fetcher]

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """From the configuration on stdin; an unknown key is a mistake, not a wish."""
        known = {one.name for one in dataclasses.fields(cls)}
        if unknown := sorted(set(document) - known):
            raise ArmError(f"the arm's configuration has unknown keys: {', '.join(unknown)}")
        values = dict(document)
        try:
            if values.get("s3") is not None:
                values["s3"] = S3(**values["s3"])
            for name in ("data_dir", "cache_dir", "mount_dir"):
                if name in values:
                    values[name] = Path(values[name])
            return cls(**values)
        except TypeError as error:
            raise ArmError("the arm's configuration does not fit", str(error)) from None

    def need_s3(self) -> S3:
        """The bucket, for a pipeline that cannot do without."""
        if self.s3 is None:
            raise ArmError(f"{self.format} reads from a bucket, and none was given")
        return self.s3
