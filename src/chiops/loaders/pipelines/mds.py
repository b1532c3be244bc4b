"""MosaicML's shards by its own `StreamingDataset`: fetched whole, kept on disk for the next pass."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torch.utils.data import IterableDataset

from .. import pagecache
from ..bucket import Bucket, explain
from ..cache import CacheState
from ..config import ArmConfig
from ..layers import Watch
from ..protocol import ArmError
from ..source import Item
from ..traffic import Traffic
from ..vision import torchvision

torchvision()  # streaming imports it, and it may need our help
from streaming import StreamingDataset  # noqa: E402

_INDEX = "index.json"


def open(config: ArmConfig, traffic: Traffic) -> MdsPipeline:  # noqa: A001, ARG001
    """Fetch the split's index and lay out which shards are needed."""
    return MdsPipeline(config)


class MdsPipeline:
    """`streaming.StreamingDataset` over ``s3://<bucket>/<root>-mds/<split>``.

    The library has no argument for the endpoint and the key; it takes them from the environment. They are put there in this
    process alone, whose environment nobody else sees.
    """

    keeps_order = True
    counts_traffic = True
    has_client = False

    def __init__(self, config: ArmConfig) -> None:
        self._config, self._s3 = config, config.need_s3()
        self._prefix = f"{config.root}-mds/{config.split}"
        self._folder = config.cache_dir / "mds" / self._s3.bucket / self._prefix
        if config.cache == "cold":
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._index = self._fetch_index()
        self._limit = min(config.samples or self.split_samples, self.split_samples)
        self._needed = self._lay_out()
        self._opened: Any = None

    def _fetch_index(self) -> dict[str, Any]:
        """The index, always from the bucket: a cached one could be of data since replaced."""
        bucket = Bucket(self._s3)
        index: dict[str, Any] | None = bucket.read_json(f"{self._prefix}/{_INDEX}")
        bucket.close()
        if index is None:
            raise ArmError(
                f"there is no MDS set at s3://{self._s3.bucket}/{self._prefix}",
                todo=f"run `chiops data prepare --dataset {self._config.dataset} --format mds`",
            )
        return index

    def _lay_out(self) -> list[dict[str, Any]]:
        """The shards that hold the first ``samples`` samples, the last one cut to what is wanted of it.

        The library has no way to read the first samples only: a smaller ``epoch_size`` draws them from everywhere. So its cache
        gets an index that ends where the arm ends; it takes one that is there for the one in the bucket.
        """
        needed, left = [], self._limit
        for shard in self._index["shards"]:
            if left > 0:
                needed.append(shard | {"samples": min(int(shard["samples"]), left)})
            left -= int(shard["samples"])
        index = self._folder / _INDEX
        index.with_suffix(".part").write_text(json.dumps(self._index | {"shards": needed}))
        index.with_suffix(".part").replace(index)
        return needed

    @property
    def samples(self) -> int:
        return self._limit

    @property
    def split_samples(self) -> int:
        return sum(int(shard["samples"]) for shard in self._index["shards"])

    @property
    def split_bytes(self) -> int:
        return sum(int(shard["raw_data"]["bytes"]) for shard in self._index["shards"])

    @property
    def order(self) -> str:
        if self._config.access == "serial":
            return "as stored, batches shared out among the workers"
        return "MosaicML's py1e: shards shuffled, samples shuffled among neighbouring shards"

    def _files(self) -> dict[Path, int]:
        """The needed shards in the cache, there or not, and their sizes."""
        return {self._folder / shard["raw_data"]["basename"]: int(shard["raw_data"]["bytes"]) for shard in self._needed}

    def _cached(self) -> list[Path]:
        """Those that are there whole."""
        return [path for path, size in self._files().items() if path.is_file() and path.stat().st_size == size]

    def prepare_cache(self) -> None:
        """Cold was done before the index came; a warm cache is what the cold partner left, with its pages in memory."""
        if self._config.cache == "warm":
            pagecache.fill(self._cached())

    def cache_state(self) -> CacheState:
        cached = self._cached()
        return CacheState(
            page_share=pagecache.resident_share(cached),
            chunk_files=len(cached),
            chunk_bytes=sum(path.stat().st_size for path in cached),
            chunk_share=len(cached) / len(self._needed),
        )

    def dataset(self, epoch: int, order: Sequence[int], watch: Watch) -> Any:  # noqa: ARG002
        """One for all passes: it counts them itself, in memory that it shares with its workers."""
        if self._opened is None:
            os.environ |= {
                "S3_ENDPOINT_URL": self._s3.url,
                "AWS_ACCESS_KEY_ID": self._s3.access,
                "AWS_SECRET_ACCESS_KEY": self._s3.secret,
                "AWS_DEFAULT_REGION": self._s3.region,
                "AWS_MAX_ATTEMPTS": "4",
            }
            self._opened = StreamingDataset(
                remote=f"s3://{self._s3.bucket}/{self._prefix}",
                local=str(self._folder),
                batch_size=self._config.batch_size,
                shuffle=self._config.access == "random",
                shuffle_seed=self._config.seed,
                num_canonical_nodes=1,
                download_timeout=self._config.timeout_s,
            )
        return Keyed(self._opened)

    def explain(self, error: Exception) -> ArmError:
        """The library wraps what happened in its threads; the cause is what counts."""
        cause: BaseException | None = error
        while cause:
            if found := explain(cause, self._s3, f"a shard of {self._prefix}"):
                return found
            cause = cause.__cause__ or cause.__context__
        return ArmError(
            "MosaicML streaming could not give a sample", f"{type(error).__name__}: {error}", "prepare again"
        )


class Keyed(IterableDataset):  # type: ignore[misc]
    """Items as ``(key, bytes, label)``."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset

    def __iter__(self) -> Iterator[Item]:
        for item in self._dataset:
            yield item["key"], item["image"], int(item["label"])
