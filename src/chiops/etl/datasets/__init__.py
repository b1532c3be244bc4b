"""Datasets by name, one module each. A new one is a module with a class like `base.Dataset`, and a line here."""

from __future__ import annotations

from ..config import Options, S3Config
from ..errors import EtlError
from .base import Dataset

NAMES = ("food11", "food11-synthetic", "imagefolder", "index")


def open_dataset(name: str, options: Options, s3: S3Config | None = None) -> Dataset:
    """The dataset of that name, with its parameters taken from ``options``; ``s3`` for those that come from the bucket.

    Raises:
        EtlError: there is no such dataset, or a parameter does not suit it.
    """
    match name:
        case "food11":
            from .food11 import Food11

            return Food11.from_options(options)
        case "food11-synthetic":
            from .food11_synthetic import Food11Synthetic

            return Food11Synthetic.from_options(options)
        case "imagefolder" | "index":
            from .image_tree import ImageTree

            return ImageTree.from_options(options, s3)
    raise EtlError(f"there is no dataset {name!r}", todo=f"take one of {', '.join(NAMES)}", kind="usage")
