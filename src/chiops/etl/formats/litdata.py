"""``litdata``: chunks for `litdata.StreamingDataset`, one folder per split under ``Food-11-litdata/``.

An item is ``{"image": the JPEG's bytes, "label": int}``. Bytes, not a picture: litdata would store a picture's decoded pixels,
several times as large, and a benchmark would then compare formats that do different work.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from .. import tree as images
from ..errors import EtlError
from ..protocol import Events
from ..stages import check_room, write_atomically
from .base import shard_bytes, storage_order

_POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class LitData:
    """Chunks of ``chunk_bytes``, 0 for a size that suits the split."""

    prefix: ClassVar[str] = f"{images.NAME}-litdata"
    is_tree: ClassVar[bool] = False
    chunk_bytes: int = 0

    @property
    def parameters(self) -> Mapping[str, object]:
        """The chunk size asked for."""
        return {"chunk_bytes": self.chunk_bytes}

    def build(self, tree: Path, samples: list[images.Sample], target: Path, events: Events) -> None:
        """Write the chunks of all splits.

        Raises:
            EtlError: litdata failed, or what it wrote does not hold all samples.
        """
        total = images.measure(tree, samples)
        check_room(target, total)
        # In a process of its own: litdata installs signal handlers that leave with status 0, and forks workers.
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            for split in images.SPLITS:
                mine = storage_order(sample for sample in samples if sample.split == split)
                size = shard_bytes(self.chunk_bytes, images.measure(tree, mine))
                items = [(str(tree / sample.path), sample.label) for sample in mine]
                written = pool.submit(_optimize, items, str(target / split), size)
                while not wait([written], _POLL_S).done:
                    events.progress("Write litdata chunks", min(_size(target), total - 1), total, "bytes")
                try:
                    written.result()
                except (BrokenProcessPool, RuntimeError, OSError) as error:
                    raise EtlError(
                        f"litdata could not write the chunks of {split}", why=_last_line(error), todo="prepare again"
                    ) from error
                _settle_index(target / split, len(mine))
        events.progress("Write litdata chunks", total, total, "bytes")


def _optimize(items: list[tuple[str, int]], target: str, chunk_bytes: int) -> None:
    """Runs in the child process. One worker: it is bound by the disk, and more of them would change the chunks."""
    scratch = tempfile.mkdtemp(prefix=".litdata-", dir=Path(target).parent)
    # litdata empties these two when it starts, by default /tmp/chunks and /tmp/data, whoever they belong to.
    os.environ["DATA_OPTIMIZER_CACHE_FOLDER"] = f"{scratch}/chunks"
    os.environ["DATA_OPTIMIZER_DATA_CACHE_FOLDER"] = f"{scratch}/data"
    os.environ["LITDATA_DISABLE_VERSION_CHECK"] = "1"  # or it asks the package index and waits up to 30 s
    import litdata

    try:
        litdata.optimize(
            fn=_item,
            inputs=items,
            output_dir=target,
            chunk_bytes=chunk_bytes,
            num_workers=1,
            reorder_files=False,  # the default sorts by size, and then the classes are no longer mixed
            keep_data_ordered=True,
            start_method="fork",
            verbose=False,
        )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _item(pair: tuple[str, int]) -> dict[str, object]:
    path, label = pair
    return {"image": Path(path).read_bytes(), "label": label}


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


def _size(folder: Path) -> int:
    return sum(item.stat().st_size for item in folder.glob("*/chunk-*.bin"))


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
