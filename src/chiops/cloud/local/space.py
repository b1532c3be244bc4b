"""Room on this machine's disk."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chiops.errors import Capacity, CloudError, InvalidRequest

GIB = 2**30
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def filling(doing: str, where: Path) -> Iterator[None]:
    """Turn the body's OSErrors into ours.

    Raises:
        Capacity: the disk is full.
        InvalidRequest: the file system cannot hold a file of that size.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise Capacity(
                f"{doing} failed", why=f"the disk with {where} is full", todo="free some space and try again"
            ) from error
        if error.errno == errno.EFBIG:
            raise InvalidRequest(
                f"{doing} failed", why=f"the file system with {where} holds no file of that size"
            ) from error
        raise CloudError(f"{doing} failed", why=error.strerror or str(error)) from error


def require_free(doing: str, where: Path, need: int) -> None:
    """Raise Capacity unless so many bytes are free where ``where`` is."""
    free = shutil.disk_usage(where).free
    if free < need:
        raise Capacity(
            f"{doing} is not possible",
            why=f"the disk with {where} has {free >> 20} MiB free, and {need >> 20} MiB are needed",
            todo="free some space and try again",
        )
