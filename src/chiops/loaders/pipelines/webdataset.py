"""Tar shards by the webdataset library: read as streams from front to back, one request per shard.

The library reads what ``gopen`` opens; ours opens ``s3:`` with the arm's client. Its handlers stay at their default, which is to
raise: the others drop what fails.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import unquote

import webdataset
from torch.utils.data import IterableDataset
from webdataset.gopen import gopen_schemes

from .. import clients
from ..bucket import Bucket
from ..cache import CacheState
from ..clients import Client
from ..config import ArmConfig
from ..layers import Watch
from ..protocol import ArmError
from ..source import Item
from ..traffic import Traffic

_BUFFER = 1000
_INDEX = "index.json"


def open(config: ArmConfig, traffic: Traffic) -> WebdatasetPipeline:  # noqa: A001
    """Fetch the index and lay out which shards are needed."""
    return WebdatasetPipeline(config, traffic)


class WebdatasetPipeline:
    """`webdataset.WebDataset` over ``s3://<bucket>/<root>-webdataset/<split>``. Nothing is kept on the node."""

    keeps_order = True
    counts_traffic = True
    has_client = True

    def __init__(self, config: ArmConfig, traffic: Traffic) -> None:
        self._config, self._s3 = config, config.need_s3()
        self._prefix = f"{config.root}-webdataset/{config.split}/"
        self._make_client = clients.opener(config, traffic)
        self._shards = self._fetch_index()
        self._limit = min(config.samples or self.split_samples, self.split_samples)

    def _fetch_index(self) -> dict[str, tuple[int, int]]:
        """By shard: samples and bytes."""
        bucket = Bucket(self._s3)
        index = bucket.read_json(self._prefix + _INDEX)
        bucket.close()
        if index is None:
            raise ArmError(
                f"there are no tar shards at s3://{self._s3.bucket}/{self._prefix}",
                todo=f"run `chiops data prepare --dataset {self._config.dataset} --format webdataset`",
            )
        return {one["url"]: (int(one["nsamples"]), int(one.get("filesize", 0))) for one in index["shardlist"]}

    @property
    def samples(self) -> int:
        return self._limit

    @property
    def split_samples(self) -> int:
        return sum(samples for samples, _ in self._shards.values())

    @property
    def split_bytes(self) -> int:
        return sum(size for _, size in self._shards.values())

    @property
    def order(self) -> str:
        if self._config.access == "serial":
            return "as stored, shards shared out among the workers"
        return f"shards shuffled and shared out among the workers, samples shuffled in a buffer of {_BUFFER}"

    def _needed(self) -> dict[str, int]:
        """The shards that hold the first ``samples`` samples, and how many are wanted of each."""
        needed, left = {}, self._limit
        for name, (samples, _) in self._shards.items():
            if left > 0:
                needed[self._prefix + name] = min(samples, left)
            left -= samples
        return needed

    def prepare_cache(self) -> None:
        """There is none."""

    def cache_state(self) -> CacheState:
        return CacheState.without_any()

    def dataset(self, epoch: int, order: Sequence[int], watch: Watch) -> Any:  # noqa: ARG002
        return Shards(self._needed(), self._make_client, self._config, epoch)

    def explain(self, error: Exception) -> ArmError:
        if isinstance(error, ArmError):
            return error
        why = f"{type(error).__name__}: {error.args[0] if error.args else error}"
        return ArmError("webdataset could not read a shard", why, "see with `chiops data verify` what the bucket holds")


class Shards(IterableDataset):  # type: ignore[misc]
    """The wanted samples of the shards, by a client made in the worker."""

    def __init__(self, wanted: dict[str, int], make_client: Any, config: ArmConfig, epoch: int) -> None:
        self._wanted, self._make_client, self._config = wanted, make_client, config
        self._seed = f"{config.seed} {epoch}"

    def __iter__(self) -> Iterator[Item]:
        client: Client = self._make_client()
        gopen_schemes["s3"] = lambda url, *_, **__: client.open(url.removeprefix("s3:"))
        urls = [f"s3:{key}" for key in self._wanted]
        if self._config.access == "random":
            random.Random(self._seed).shuffle(urls)  # noqa: S311 - reproducible, not secret
        pipeline = webdataset.WebDataset(urls, shardshuffle=False, empty_check=False, seed=self._config.seed)
        pipeline = pipeline.compose(self._choose)
        if self._config.access == "random":
            pipeline = pipeline.shuffle(_BUFFER, rng=random.Random(self._seed))  # noqa: S311
        try:
            for sample in pipeline:
                yield _key(sample["__key__"]), sample["jpg"], int(sample["cls"])
        except KeyError as error:
            raise ArmError(f"a sample in the shards has no {error}", todo="run `chiops data prepare` again") from None
        except Exception as error:
            if failure := client.explain(error, f"a shard of {self._config.root}-webdataset"):
                raise failure from error
            raise

    def _choose(self, samples: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The first wanted samples of each shard. One that ends early is an error: tarfile takes a torn end for the end."""
        shard, seen = "", 0
        for sample in samples:
            url = sample["__url__"].removeprefix("s3:")
            if url != shard:
                self._check(shard, seen)
                shard, seen = url, 0
            seen += 1
            if seen <= self._wanted[shard]:
                yield sample
        self._check(shard, seen)

    def _check(self, shard: str, seen: int) -> None:
        if shard and seen < self._wanted[shard]:
            raise ArmError(
                f"the shard {shard} ends after {seen} of {self._wanted[shard]} samples",
                todo="see with `chiops data verify` what the bucket holds, then prepare the data again",
            )


def _key(name: str) -> str:
    """A sample's key as other formats have it, from its name in the shard, where dots are written ``%2E``."""
    key = unquote(name)
    return key if key.lower().endswith((".jpg", ".jpeg")) else f"{key}.jpg"
