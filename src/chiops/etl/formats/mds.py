"""``mds``: MosaicML streaming's shards, one folder per split, written with its own `MDSWriter`.

The columns are ``image`` (the JPEG's bytes), ``label`` (int) and ``key`` (``<class>/<file>``). Bytes rather than its
encoding ``jpeg``, which is for pictures: it would decode and encode each again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from ..errors import EtlError
from ..inventory import Inventory
from .base import Advance, shard_bytes
from .child import write

_COLUMNS = {"image": "bytes", "label": "int", "key": "str"}


@dataclass(frozen=True, slots=True)
class Mds:
    """Shards of about ``shard`` bytes, 0 for a size that suits the split."""

    name: ClassVar[str] = "mds"
    suffix: ClassVar[str] = "-mds"
    is_tree: ClassVar[bool] = False
    continues: ClassVar[bool] = False
    shard: int = 0

    @property
    def parameters(self) -> Mapping[str, object]:
        """The shard size asked for."""
        return {"shard_bytes": self.shard}

    def build(self, tree: Path, images: Inventory, split: str, target: Path, advance: Advance) -> None:
        """Write the split's shards.

        Raises:
            EtlError: the library failed, or what it wrote does not hold all samples.
        """
        size = shard_bytes(self.shard, images.size(split))
        shards = (target, "shard.*.mds")
        write(
            f"the MDS shards of {split}", _write, str(images.path), str(tree), split, str(target), size,
            shards=shards, advance=advance,
        )  # fmt: skip
        _check(target, split, images.count(split))


def _write(inventory: str, tree: str, split: str, target: str, size: int) -> None:
    """Runs in the child process."""
    with (
        Inventory(Path(inventory)) as images,
        _writer()(out=target, columns=_COLUMNS, size_limit=size, progress_bar=False) as writer,
    ):
        for sample in images.in_order(split):
            data = (Path(tree) / sample.path).read_bytes()
            writer.write({"image": data, "label": sample.label, "key": sample.key})


def _writer() -> Any:
    """`streaming.MDSWriter`.

    Its package imports torchvision, which beside a torch without CUDA lacks two operators at import: then they are declared.
    """
    import torch

    try:
        from streaming import MDSWriter
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
        for name in [
            name for name in sys.modules if name.split(".")[0] in ("torchvision", "streaming", "transformers")
        ]:
            del sys.modules[name]
        for operator in ("nms", "qnms"):
            _library(torch).define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        from streaming import MDSWriter
    return MDSWriter


@cache
def _library(torch: Any) -> Any:
    return torch.library.Library("torchvision", "DEF")  # kept, since collecting it undefines the operators


def _check(folder: Path, split: str, expected: int) -> None:
    try:
        shards = json.loads((folder / "index.json").read_bytes())["shards"]
        held = sum(int(shard["samples"]) for shard in shards)
        sizes = {folder / shard["raw_data"]["basename"]: int(shard["raw_data"]["bytes"]) for shard in shards}
        torn = [path.name for path, size in sizes.items() if path.stat().st_size != size]
    except (OSError, ValueError, KeyError) as error:
        raise EtlError(f"streaming left no usable index of {split}", why=str(error), todo="prepare again") from error
    if held != expected or torn:
        why = f"{torn[0]} is not whole" if torn else f"they hold {held} samples instead of {expected}"
        raise EtlError(f"the MDS shards of {split} are not complete", why=why, todo="prepare again")
