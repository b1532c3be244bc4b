"""Formats by name, one module each. A new one is a module with a class like `base.Format`, and a line here."""

from __future__ import annotations

from ..config import Options
from ..errors import EtlError
from .base import Format

SMALLEST_SHARD = 2**20
"""A shard must hold several images; bytes."""

LARGEST_SHARD = 2**32 - 1
"""MDS writes offsets in 32 bits."""

NAMES = ("imagefolder", "webdataset", "litdata", "mds")


def open_format(name: str, options: Options) -> Format:
    """The format of that name, with its parameters taken from ``options``.

    Raises:
        EtlError: there is no such format, or the shard size does not do.
    """
    size = options.shard_bytes
    if size and not SMALLEST_SHARD <= size <= LARGEST_SHARD:
        todo = f"take 0, or {SMALLEST_SHARD} to {LARGEST_SHARD}"
        raise EtlError(f"shards of {size} bytes do not do for images", todo=todo, kind="usage")
    match name:
        case "imagefolder":
            from .imagefolder import ImageFolder

            return ImageFolder()
        case "webdataset":
            from .webdataset import WebDataset

            return WebDataset(size)
        case "litdata":
            from .litdata import LitData

            return LitData(size)
        case "mds":
            from .mds import Mds

            return Mds(size)
    raise EtlError(f"there is no format {name!r}", todo=f"take one of {', '.join(NAMES)}", kind="usage")
