"""What no pipeline on this node can be faster than: the samples are in memory already; decoding and collating are left."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .. import fetchers
from ..bucket import boto_options, explain
from ..cache import CacheState
from ..config import ArmConfig
from ..layers import Watch
from ..protocol import ArmError
from ..source import Item
from ..traffic import Traffic
from ._objects import Keys, list_keys

_THREADS = 32
_SHARE = 0.5  # of the memory that is free: the workers need some too


def open(config: ArmConfig, traffic: Traffic) -> CeilingPipeline:  # noqa: A001, ARG001
    """List the split; the samples come into memory when the caches are set, which is not timed."""
    return CeilingPipeline(config)


class CeilingPipeline:
    """The samples of ``<root>/<split>``, from the bucket, in memory."""

    keeps_order = False
    counts_traffic = False
    has_client = False

    def __init__(self, config: ArmConfig) -> None:
        self._config = config
        self._keys = list_keys(config)
        self._held: list[bytes] = []

    @property
    def samples(self) -> int:
        return len(self._keys.names)

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
        """Fetch every sample into memory.

        Raises:
            ArmError: they do not fit, or one cannot be read.
        """
        import boto3

        needed = self.split_bytes * self.samples // self.split_samples
        if needed > _SHARE * (free := _memory_free()):
            raise ArmError(
                f"the samples ({needed >> 20} MiB) do not fit into memory",
                f"{free >> 20} MiB are free, and at most half of that is taken",
                "take fewer with --batches",
            )
        s3 = self._config.need_s3()
        client = boto3.session.Session().client("s3", **boto_options(s3, connections=_THREADS))

        def fetch(name: str) -> bytes:
            try:
                jpeg: bytes = client.get_object(Bucket=s3.bucket, Key=self._keys.prefix + name)["Body"].read()
            except Exception as error:
                if failure := explain(error, s3, f"the sample {name}"):
                    raise failure from error
                raise
            return jpeg

        with ThreadPoolExecutor(_THREADS) as pool:
            self._held = list(pool.map(fetch, self._keys.names))
        client.close()

    def cache_state(self) -> CacheState:
        size = sum(map(len, self._held))
        return CacheState(chunk_bytes=size, chunk_share=1.0, note="all samples are in the process's memory, always")

    def dataset(self, epoch: int, order: Sequence[int], watch: Watch) -> Any:  # noqa: ARG002
        return fetchers.dataset(self._config, Held(self._keys, self._held), order, watch)

    def explain(self, error: Exception) -> ArmError:
        return (
            error if isinstance(error, ArmError) else ArmError("the ceiling failed", f"{type(error).__name__}: {error}")
        )


class Held:
    """Samples in memory: `Source` and its reader in one."""

    asynchronous = False

    def __init__(self, keys: Keys, held: list[bytes]) -> None:
        self._keys, self._held = keys, held

    def __len__(self) -> int:
        return len(self._held)

    def open(self) -> Held:
        return self

    def read(self, place: int) -> Item:
        return self._keys.names[place], self._held[place], self._keys.labels[place]

    async def read_async(self, place: int) -> Item:
        return self.read(place)


def _memory_free() -> int:
    """Bytes that the kernel could give without swapping, or that the container's limit leaves, whichever is less."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    for limit, used in _LIMITS:
        try:
            free = min(free, int(Path(limit).read_text()) - int(Path(used).read_text()))
        except (OSError, ValueError):  # no such cgroup version, or no limit ("max")
            continue
    return free


_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
