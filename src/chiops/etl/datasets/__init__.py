"""Datasets by name, one module each. A new one is a module with a class like `base.Dataset`, and a line here."""

from __future__ import annotations

from ..config import Options
from ..errors import EtlError
from .base import Dataset

NAMES = ("food11", "food11-synthetic")


def open_dataset(name: str, options: Options) -> Dataset:
    """The dataset of that name, with its parameters taken from ``options``.

    Raises:
        EtlError: there is no such dataset, or a parameter does not suit it.
    """
    if name == "food11":
        from .food11 import Food11

        return Food11.from_options(options)
    if name == "food11-synthetic":
        from .food11_synthetic import Food11Synthetic

        return Food11Synthetic.from_options(options)
    raise EtlError(f"there is no dataset {name!r}", todo=f"take one of {', '.join(NAMES)}", kind="usage")
