"""Samples that can be asked for by place, one request each; what a fetcher draws from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from .protocol import ArmError

Item = tuple[str, Any, int]
"""Key, JPEG bytes, label. What else than bytes a library gives is found out where it is decoded."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Stands in a batch for what could not be read: torch would turn an exception into the text of its traceback."""

    failure: ArmError


class Reader(Protocol):
    """Reads samples in one process. Every failure is an `ArmError` that names the sample."""

    def read(self, place: int) -> Item:
        """The sample at that place. May be called from several threads at once."""

    async def read_async(self, place: int) -> Item:
        """The same as a coroutine, on one event loop; only for a source that is ``asynchronous``."""


class Source(Protocol):
    """The samples of an arm, in the order of storage. Made in the main process, copied into the workers by fork."""

    @property
    def asynchronous(self) -> bool:
        """True if its readers have coroutines."""

    def __len__(self) -> int:
        """How many samples."""

    def open(self) -> Reader:
        """A reader for this process."""


def unreadable(key: str, error: BaseException) -> ArmError:
    """The failure of a file: whose, why, and what can be done."""
    todo = "run `chiops data prepare` again"
    if getattr(error, "errno", None) in (5, 107):  # EIO, ENOTCONN: what a mount answers whose daemon failed or is gone
        todo = "see with `chiops status` whether the bucket is still mounted, and whether its key still works"
    return ArmError(f"the sample {key} cannot be read", getattr(error, "strerror", None) or str(error), todo)
