"""The keys of a split whose samples are objects of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..bucket import Bucket
from ..clients import Client
from ..config import ArmConfig
from ..labels import classes_of, numbering
from ..protocol import ArmError
from ..samples import canonical_order
from ..source import Item

_IMAGES = (".jpg", ".jpeg")


@dataclass(frozen=True, slots=True)
class Keys:
    """What is below ``prefix``, in the order of storage.

    Args:
        names: the keys without the prefix, ``<class>/<file>``.
        labels: the label of each.
        split_samples: how many there are, chosen or not.
        split_bytes: their size.
    """

    prefix: str
    names: list[str]
    labels: list[int]
    split_samples: int
    split_bytes: int


def list_keys(config: ArmConfig) -> Keys:
    """List the split in the bucket and choose the arm's samples.

    Raises:
        ArmError: there is nothing, or the bucket cannot be read.
    """
    prefix = f"{config.root}/{config.split}/"
    s3 = config.need_s3()
    bucket = Bucket(s3)
    try:
        sizes = {name: size for name, size in bucket.listing(prefix) if "/" in name and name.lower().endswith(_IMAGES)}
        classes = classes_of(bucket.read_json(f"manifests/{config.root}.json"))
    finally:
        bucket.close()
    if not sizes:
        raise ArmError(
            f"there is no {config.split} split of {config.root} in the bucket {s3.bucket}",
            todo=f"run `chiops data prepare --dataset {config.dataset} --format imagefolder`",
        )
    label_of = numbering((name.partition("/")[0] for name in sizes), classes)
    names = canonical_order(sizes)[: config.samples or None]
    labels = [label_of[name.partition("/")[0]] for name in names]
    return Keys(prefix, names, labels, len(sizes), sum(sizes.values()))


class ObjectReader:
    """Reads samples with a client of this process."""

    def __init__(self, keys: Keys, client: Client) -> None:
        self._keys, self._client = keys, client

    def read(self, place: int) -> Item:
        name = self._keys.names[place]
        try:
            return name, self._client.get(self._keys.prefix + name), self._keys.labels[place]
        except Exception as error:
            if failure := self._client.explain(error, f"the sample {name}"):
                raise failure from error
            raise

    async def read_async(self, place: int) -> Item:
        name = self._keys.names[place]
        try:
            return name, await self._client.get_async(self._keys.prefix + name), self._keys.labels[place]
        except Exception as error:
            if failure := self._client.explain(error, f"the sample {name}"):
                raise failure from error
            raise


class Objects:
    """A `Source` of objects."""

    def __init__(self, keys: Keys, make_client: Callable[[], Client], *, asynchronous: bool) -> None:
        self._keys, self._make_client, self.asynchronous = keys, make_client, asynchronous

    def __len__(self) -> int:
        return len(self._keys.names)

    def open(self) -> Any:
        return ObjectReader(self._keys, self._make_client())
