"""``litdata``: chunks for `litdata.StreamingDataset`, one folder per split.

An item is ``{"image": the JPEG's bytes, "label": int}``. Bytes, not a picture: litdata would store a picture's decoded pixels,
several times as large, and a benchmark would then compare formats that do different work.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import ClassVar

from ..errors import EtlError
from ..inventory import Inventory, storage_rank
from ..stages import write_atomically
from .base import Advance, shard_bytes
from .child import write

_RUN = 500
"""Samples that litdata counts as one input."""


@dataclass(frozen=True, slots=True)
class LitData:
    """Chunks of ``shard`` bytes, 0 for a size that suits the split."""

    name: ClassVar[str] = "litdata"
    suffix: ClassVar[str] = "-litdata"
    is_tree: ClassVar[bool] = False
    continues: ClassVar[bool] = False
    shard: int = 0

    @property
    def parameters(self) -> Mapping[str, object]:
        """The chunk size asked for."""
        return {"shard_bytes": self.shard}

    def build(self, tree: Path, images: Inventory, split: str, target: Path, advance: Advance) -> None:
        """Write the split's chunks.

        Raises:
            EtlError: litdata failed, or what it wrote does not hold all samples.
        """
        size = shard_bytes(self.shard, images.size(split))
        chunks = (target, "chunk-*.bin")
        write(
            f"litdata's chunks of {split}", _optimize, str(images.path), str(tree), split, str(target), size,
            shards=chunks, advance=advance,
        )  # fmt: skip
        _settle_index(target, images.count(split))


def _optimize(inventory: str, tree: str, split: str, target: str, size: int) -> None:
    """Runs in the child process. One worker: it is bound by the disk, and more of them would change the chunks."""
    scratch = tempfile.mkdtemp(prefix=".litdata-", dir=Path(target).parent)
    # litdata empties these two when it starts, by default /tmp/chunks and /tmp/data, whoever they belong to.
    os.environ["DATA_OPTIMIZER_CACHE_FOLDER"] = f"{scratch}/chunks"
    os.environ["DATA_OPTIMIZER_DATA_CACHE_FOLDER"] = f"{scratch}/data"
    os.environ["LITDATA_DISABLE_VERSION_CHECK"] = "1"  # or it asks the package index and waits up to 30 s
    import litdata

    try:
        litdata.optimize(
            fn=_items,
            inputs=[(inventory, tree, split, *bounds) for bounds in _ranges(inventory, split)],
            output_dir=target,
            chunk_bytes=size,
            num_workers=1,
            reorder_files=False,  # the default sorts by size, and then the classes are no longer mixed
            keep_data_ordered=True,
            start_method="fork",
            verbose=False,
        )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _ranges(inventory: str, split: str) -> list[tuple[bytes, bytes]]:
    """The split cut into runs of samples, by the ranks between which they lie: litdata wants all its inputs in a list."""
    with Inventory(Path(inventory)) as images:
        cuts = [storage_rank(sample.key) for sample in islice(images.in_order(split), _RUN - 1, None, _RUN)]
    return list(pairwise([b"", *cuts, b"\xff" * 33]))


def _items(run: tuple[str, str, str, bytes, bytes]) -> Iterator[dict[str, object]]:
    inventory, tree, split, after, up_to = run
    with Inventory(Path(inventory)) as images:
        for sample in images.in_order(split, after=after, up_to=up_to):
            yield {"image": (Path(tree) / sample.path).read_bytes(), "label": sample.label}


def _settle_index(folder: Path, expected: int) -> None:
    """See that the chunks are whole, and put a hash of them where the index tells the time.

    litdata takes that field as a name for the version: a cache of chunks is dropped when it differs. With a time in it equal
    data would be unequal files.
    """
    try:
        index = json.loads((folder / "index.json").read_bytes())
        held = sum(int(chunk["chunk_size"]) for chunk in index["chunks"])
        torn = [
            chunk["filename"]
            for chunk in index["chunks"]
            if (folder / chunk["filename"]).stat().st_size != int(chunk["chunk_bytes"])
        ]
    except (OSError, ValueError, KeyError) as error:
        raise EtlError(
            f"litdata left no usable index in {folder.name}", why=str(error), todo="prepare again"
        ) from error
    if held != expected or torn:
        why = f"{torn[0]} is not whole" if torn else f"they hold {held} samples instead of {expected}"
        raise EtlError(f"litdata's chunks of {folder.name} are not complete", why=why, todo="prepare again")
    version = hashlib.sha256()
    for chunk in index["chunks"]:
        with (folder / chunk["filename"]).open("rb") as stream:
            version.update(hashlib.file_digest(stream, "sha256").digest())
    index["updated_at"] = version.hexdigest()[:16]
    write_atomically(folder / "index.json", json.dumps(index, sort_keys=True).encode())
