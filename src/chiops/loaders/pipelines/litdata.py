"""Chunks streamed from the bucket with litdata: one request fetches many samples, kept on disk for the next pass."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import pagecache
from ..bucket import Bucket, boto_options, explain
from ..cache import CacheState
from ..config import ArmConfig
from ..layers import Watch
from ..protocol import ArmError
from ..traffic import Traffic

os.environ["LITDATA_DISABLE_VERSION_CHECK"] = "1"  # else it asks the package index for news, on the clock
from litdata import StreamingDataset
from litdata.streaming.resolver import Dir

_INDEX = "index.json"
_MAX_CACHE = "1TB"  # never evict within a run: a warm pass must find what the cold one fetched


def open(config: ArmConfig, traffic: Traffic) -> LitdataPipeline:  # noqa: A001, ARG001
    """Fetch the split's index and lay out which chunks are needed."""
    return LitdataPipeline(config)


class LitdataPipeline:
    """`litdata.StreamingDataset` over ``s3://<bucket>/<root>-litdata/<split>``."""

    keeps_order = True
    counts_traffic = True
    has_client = False

    def __init__(self, config: ArmConfig) -> None:
        self._config = config
        self._s3 = config.need_s3()
        self._prefix = f"{config.root}-litdata/{config.split}"
        self._chunk_dir = config.cache_dir / "litdata" / self._s3.bucket / self._prefix
        if config.cache == "cold":
            shutil.rmtree(self._chunk_dir, ignore_errors=True)
        self._chunk_dir.mkdir(parents=True, exist_ok=True)
        self._chunks: list[dict[str, Any]] = self._fetch_index()["chunks"]
        self._limit = min(config.samples or self.split_samples, self.split_samples)

    def _fetch_index(self) -> dict[str, Any]:
        """The index, always from the bucket: a cached one could be of data since replaced."""
        bucket = Bucket(self._s3)
        index: dict[str, Any] | None = bucket.read_json(f"{self._prefix}/{_INDEX}")
        bucket.close()
        if index is None:
            raise ArmError(
                f"there is no litdata set at s3://{self._s3.bucket}/{self._prefix}",
                todo=f"run `chiops data prepare --dataset {self._config.dataset} --format litdata`",
            )
        return index

    @property
    def samples(self) -> int:
        return self._limit

    @property
    def split_samples(self) -> int:
        return sum(int(chunk["chunk_size"]) for chunk in self._chunks)

    @property
    def split_bytes(self) -> int:
        return sum(int(chunk["chunk_bytes"]) for chunk in self._chunks)

    @property
    def order(self) -> str:
        if self._config.access == "serial":
            return "as stored, chunks shared out among the workers"
        return "chunks shuffled and shared out among the workers, samples shuffled within each chunk"

    def _needed(self) -> list[dict[str, Any]]:
        """The chunks that hold the first ``samples`` samples."""
        needed, counted = [], 0
        for chunk in self._chunks:
            if counted >= self._limit:
                break
            needed.append(chunk)
            counted += int(chunk["chunk_size"])
        return needed

    def prepare_cache(self) -> None:
        """Cold was done before the index came; a warm cache is what the cold partner left, with its pages in memory."""
        if self._config.cache == "warm":
            pagecache.fill(self._cached())

    def _cached(self) -> list[Path]:
        """The needed chunks that are in the cache whole."""
        sizes = {self._chunk_dir / chunk["filename"]: int(chunk["chunk_bytes"]) for chunk in self._needed()}
        return [path for path, size in sizes.items() if path.is_file() and path.stat().st_size >= size]

    def cache_state(self) -> CacheState:
        cached = self._cached()
        held = sum(path.stat().st_size for path in cached)
        return CacheState(
            page_share=pagecache.resident_share(cached),
            chunk_files=len(cached),
            chunk_bytes=held,
            chunk_share=len(cached) / len(self._needed()),
        )

    def dataset(self, epoch: int, order: Sequence[int], watch: Watch) -> Any:  # noqa: ARG002
        dataset = _Keyed(
            Dir(path=str(self._chunk_dir), url=f"s3://{self._s3.bucket}/{self._prefix}"),
            shuffle=False,
            drop_last=False,
            seed=self._config.seed,
            subsample=1.0 if self._limit == self.split_samples else (self._limit + 0.5) / self.split_samples,
            max_cache_size=_MAX_CACHE,
            storage_options=boto_options(self._s3),  # few attempts: its default of 1,000 would hang on a dead endpoint
        )
        # Shuffled only now: a subsample is to be the first samples as stored, not a draw of chunks.
        dataset.set_shuffle(self._config.access == "random")
        dataset.set_num_workers(self._config.workers)
        dataset.set_batch_size(self._config.batch_size)
        dataset.set_epoch(epoch + 1)
        return dataset

    def explain(self, error: Exception) -> ArmError:
        """litdata fails in a thread of its own and wraps what happened; the cause is what counts."""
        found = explain(error, self._s3, f"a chunk of {self._prefix}")
        return found or ArmError(
            "litdata could not give a sample", f"{type(error).__name__}: {error}", "prepare the data again"
        )


class _Keyed(StreamingDataset):  # type: ignore[misc]
    """Items as ``(key, bytes, label)``. What else than bytes an item holds is found out where it is decoded."""

    def __getitem__(self, index: Any) -> tuple[str, Any, int]:
        item = super().__getitem__(index)
        return f"{index.index} of chunk {index.chunk_index}", item["image"], int(item["label"])
