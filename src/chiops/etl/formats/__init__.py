"""Formats by name, one module each. A new one is a module with a class like `base.Format`, and a line here."""

from __future__ import annotations

from ..config import Options
from ..errors import EtlError
from .base import Format

SMALLEST_CHUNK = 2**20
"""A chunk must hold several images."""

NAMES = ("imagefolder", "litdata")


def open_format(name: str, options: Options) -> Format:
    """The format of that name, with its parameters taken from ``options``.

    Raises:
        EtlError: there is no such format.
    """
    if name == "imagefolder":
        from .imagefolder import ImageFolder

        return ImageFolder()
    if name == "litdata":
        from .litdata import LitData

        if options.chunk_bytes and options.chunk_bytes < SMALLEST_CHUNK:
            raise EtlError("chunk_bytes is too small for images", todo="take 0 or at least 1048576", kind="usage")
        return LitData(options.chunk_bytes)
    raise EtlError(f"there is no format {name!r}", todo=f"take one of {', '.join(NAMES)}", kind="usage")
