"""The result of a run, and so the schema of its file: one JSON document with every raw value.

A file of another major version is refused; a newer minor version only adds, and what it adds is ignored.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict

from chiops.bench.matrix import Combination

SCHEMA_VERSION = "1.1"
PREFIX = "bench-"
"""What the names of result files begin with."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Layer(_Frozen):
    """How long the calls of one layer took. The median is within 1 %; everything else is exact."""

    calls: int
    total_s: float
    min_s: float
    mean_s: float
    median_s: float
    max_s: float


class Metrics(_Frozen):
    """What one arm measured; the meaning of each number is stated in ``loaders.metrics``. Seconds and bytes.

    What came with 1.1 has a default, which stands for "not measured" in a file of 1.0.
    """

    samples: int
    sample_bytes: int
    content_hash: str
    batches: int
    warmup_batches: int
    timed_samples: int
    timed_s: float
    images_per_s: float
    batches_per_s: float
    avg_batch_s: float
    whole_images_per_s: float
    open_s: float
    first_batch_s: float
    total_s: float
    wait_p50_s: float
    wait_p95_s: float
    wait_p99_s: float
    batch_wait_s: tuple[float, ...]
    batch_samples: tuple[int, ...]
    cpu_s: float
    cpu_s_per_1000: float
    decode_s: float
    hash_s: float
    peak_rss_bytes: int
    peak_rss_worker_bytes: int
    net_interface: str | None
    net_received_bytes: int | None
    net_sent_bytes: int | None
    net_received_by_interface: dict[str, int]
    # Since 1.1
    epochs: int = 1
    epoch_s: tuple[float, ...] = ()
    epoch_images_per_s: tuple[float, ...] = ()
    layers: dict[str, Layer] = {}
    """By name: ``getitem``, ``decode``, ``fetch``, ``worker_loop``, ``epoch``."""
    bytes_per_sample: float | None = None
    net_bytes_per_sample: float | None = None
    net_ratio: float | None = None
    """Bytes that the interface received over the bytes of the samples delivered."""
    client_requests: int | None = None
    client_received_bytes: int | None = None
    client_ratio: float | None = None
    emulated_s: float = 0.0
    accelerator_utilisation: float | None = None
    peak_memory_bytes: int | None = None


class Cache(_Frozen):
    """The caches just before the first sample: declared, measured, and whether the two agree."""

    declared: Literal["cold", "warm"]
    measured: Literal["cold", "warm", "mixed", "unknown"]
    verified: bool
    page_share: float | None = None
    chunk_files: int | None = None
    chunk_bytes: int | None = None
    chunk_share: float | None = None
    note: str = ""


class Method(_Frozen):
    """How the pipeline came by its samples, as it says itself; None for a choice that it does not have."""

    client: str | None = None
    client_version: str | None = None
    fetcher: str = "vanilla"
    in_flight: int = 1
    order: str = ""
    mount: str | None = None


class MountState(_Frozen):
    """A FUSE mount, seen from the node: what its daemon has cached and counted.

    ``restarted`` says that the daemon is another than when it was last looked at; ``flags`` are the kernel's; ``counters`` are
    the backend's own, as it names them, and empty where it keeps none.
    """

    backend: str
    options: tuple[str, ...]
    version: str = "unknown"
    flags: str = "unknown"
    restarted: bool = False
    cache_files: int = 0
    cache_bytes: int = 0
    daemon_cpu_s: float | None = None
    """User and system time since it was started; None where it is not known."""
    daemon_peak_rss_bytes: int | None = None
    """The highest resident size since then."""
    counters: dict[str, float] = {}

    @property
    def is_empty(self) -> bool:
        """Whether it has nothing cached, in memory or on disk."""
        return self.restarted and self.cache_files == 0


class ArmResult(_Frozen):
    """One arm: measured, or failed and why. ``place`` counts from 0 in the order of execution.

    ``client``, ``fetcher`` and ``mount`` are "" where the format has no such choice.
    """

    place: int
    format: str
    client: str = ""
    fetcher: str = ""
    mount: str = ""
    access: Literal["random", "serial"] = "random"
    workers: int
    cache_declared: Literal["cold", "warm"]
    repetition: int
    seed: int
    started: datetime
    metrics: Metrics | None = None
    cache: Cache | None = None
    method: Method | None = None
    mount_before: MountState | None = None
    mount_after: MountState | None = None
    error: str = ""

    @property
    def daemon_cpu_s(self) -> float | None:
        """What the mount's daemon computed for the arm, the walk through the tree included; None for want of one, or unknown."""
        before, after = self.mount_before, self.mount_after
        if before is None or after is None or before.daemon_cpu_s is None or after.daemon_cpu_s is None:
            return None
        return max(0.0, after.daemon_cpu_s - before.daemon_cpu_s)

    @property
    def combination(self) -> Combination:
        """Which row it belongs to."""
        return Combination(
            self.format, self.client, self.fetcher, self.mount, self.access, self.workers, self.cache_declared
        )


class FormatFacts(_Frozen):
    """How much there is of a format's split; bytes as stored."""

    samples: int
    split_samples: int
    split_bytes: int


class BenchRun(_Frozen):
    """A run.

    ``state`` is ``running`` in the file while it goes on, and stays so if it was killed; ``partial`` if an arm failed or it was
    interrupted; ``failed`` if the pipelines did not deliver the same samples, so that no number may be compared.
    """

    schema_version: str = SCHEMA_VERSION
    state: Literal["running", "complete", "partial", "failed"]
    lab: str
    started: datetime
    finished: datetime | None = None
    options: dict[str, Any]
    planned_arms: int
    left_out: tuple[str, ...] = ()
    formats: dict[str, FormatFacts]
    environment: dict[str, Any]
    arms: tuple[ArmResult, ...] = ()

    @property
    def file_name(self) -> str:
        """``bench-20261120T201500Z-object-lab.json``: sorts by time."""
        lab = re.sub(r"[^A-Za-z0-9._-]+", "-", self.lab).strip("-.") or "lab"
        return f"{PREFIX}{self.started.astimezone(UTC):%Y%m%dT%H%M%SZ}-{lab}.json"

    @property
    def measured(self) -> tuple[ArmResult, ...]:
        """The arms that have numbers."""
        return tuple(arm for arm in self.arms if arm.metrics)

    @property
    def failures(self) -> tuple[ArmResult, ...]:
        """The arms that have none."""
        return tuple(arm for arm in self.arms if not arm.metrics)

    def content_hashes(self) -> dict[str, tuple[str, ...]]:
        """The distinct content hashes, each with the formats that delivered it; more than one means incomparable numbers."""
        found: dict[str, set[str]] = {}
        for arm in self.arms:
            if arm.metrics:
                found.setdefault(arm.metrics.content_hash, set()).add(arm.format)
        return {content: tuple(sorted(names)) for content, names in found.items()}

    def with_arm(self, arm: ArmResult) -> Self:
        """The run with one more arm."""
        return self.model_copy(update={"arms": (*self.arms, arm)})
