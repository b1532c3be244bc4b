"""The S3 libraries that an arm may read with: one file each, found by its name.

A file defines ``open(s3: S3, traffic: Traffic, in_flight: int, timeout_s: float) -> Client``. A client belongs to the
process that made it: none of these libraries survives a fork.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import BinaryIO, Protocol, cast

from ..config import S3, ArmConfig
from ..protocol import ArmError
from ..traffic import Traffic


class Client(Protocol):
    """Reads whole objects. Every method may be called from several threads at once."""

    def get(self, key: str) -> bytes:
        """An object's bytes, as somebody who uses this library would read it."""

    async def get_async(self, key: str) -> bytes:
        """The same on the event loop of the caller, always the same loop. Only where ``PACKAGE`` has coroutines."""

    def open(self, key: str) -> BinaryIO:
        """An object as a stream, for those that are large and read from front to back."""

    def explain(self, error: BaseException, what: str) -> ArmError | None:
        """What this library's exception means; None if it is not from it. ``what`` is what was read."""


ASYNCHRONOUS = ("obstore", "s3fs")
"""The clients that have coroutines."""


def opener(config: ArmConfig, traffic: Traffic) -> Callable[[], Client]:
    """A function that makes the arm's client, to be called in the process that uses it. The library is imported now."""
    s3 = config.need_s3()
    module = importlib.import_module("." + config.client, __name__)
    make = cast("Callable[[S3, Traffic, int, float], Client]", module.open)
    return lambda: make(s3, traffic, config.in_flight, config.timeout_s)
