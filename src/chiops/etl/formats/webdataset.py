"""``webdataset``: tar shards, one folder per split, for each sample ``<class>/<stem>.jpg`` and ``<class>/<stem>.cls``.

Written with Python's tarfile, no time and no owner in it: the webdataset library's own writer does the same, but needs the library
here, and equal data is to give equal files. ``index.json`` beside the shards is the library's own kind of index.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..inventory import Inventory, Sample
from ..stages import PART, write_atomically
from .base import Advance, shard_bytes

_BLOCK = tarfile.BLOCKSIZE


@dataclass(frozen=True, slots=True)
class WebDataset:
    """Shards of about ``shard`` bytes, 0 for a size that suits the split. A shard appears only when it is whole."""

    name: ClassVar[str] = "webdataset"
    suffix: ClassVar[str] = "-webdataset"
    is_tree: ClassVar[bool] = False
    continues: ClassVar[bool] = True
    shard: int = 0

    @property
    def parameters(self) -> Mapping[str, object]:
        """The shard size asked for."""
        return {"shard_bytes": self.shard}

    def build(self, tree: Path, images: Inventory, split: str, target: Path, advance: Advance) -> None:
        """Write the shards that are not there yet, and the index."""
        limit = shard_bytes(self.shard, images.size(split))
        done, index = 0, []
        for number, samples in enumerate(shards(images.in_order(split), limit)):
            place = target / f"shard-{number:06d}.tar"
            if not place.exists():
                partial = place.with_suffix(PART)
                with tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as tar:
                    for sample in samples:
                        _add(tar, f"{member(sample.key)}.jpg", (tree / sample.path).read_bytes())
                        _add(tar, f"{member(sample.key)}.cls", str(sample.label).encode())
                        done += sample.size
                        advance(done)
                partial.replace(place)
            else:
                done += sum(sample.size for sample in samples)
            index.append({"url": place.name, "nsamples": len(samples), "filesize": place.stat().st_size})
        document = {"__kind__": "wids-shard-index-v1", "wids_version": 1, "shardlist": index}
        write_atomically(target / "index.json", json.dumps(document).encode())
        advance(done)


def shards(samples: Iterable[Sample], limit: int) -> Iterator[list[Sample]]:
    """The samples of one shard after another, each of at most ``limit`` bytes but of one sample at least."""
    mine: list[Sample] = []
    size = 0
    for sample in samples:
        weight = 3 * _BLOCK + sample.size + -sample.size % _BLOCK  # two headers, a label's block, the image's blocks
        if mine and size + weight > limit:
            yield mine
            mine, size = [], 0
        mine.append(sample)
        size += weight
    if mine:
        yield mine


def member(key: str) -> str:
    """A sample's name in a shard, without its ending.

    The library ends a sample's name at the first dot of the file's, so dots are written ``%2E``, and ``%`` as ``%25``. A name that
    ends otherwise than in ``.jpg`` keeps its ending, so that no two samples get one name (none begins with a dot).
    """
    folder, _, name = key.rpartition("/")
    stem = name.removesuffix(".jpg").replace("%", "%25").replace(".", "%2E")
    return f"{folder}/{stem}"


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o644
    tar.addfile(entry, io.BytesIO(data))
