"""s3fs: blocking as the storage lab uses it, ``open`` and ``read``, which is a HEAD and a GET per object; its coroutine
sends the GET alone. Requests are counted by botocore's events.
"""

from __future__ import annotations

import asyncio
from typing import Any, BinaryIO, cast

import s3fs

from .. import bucket
from ..config import S3
from ..protocol import ArmError
from ..traffic import Traffic


def open(s3: S3, traffic: Traffic, in_flight: int, timeout_s: float) -> S3fs:  # noqa: A001, ARG001
    """A file system on the endpoint."""
    return S3fs(s3, in_flight, timeout_s)


class S3fs:
    """See `Client`."""

    def __init__(self, s3: S3, in_flight: int, timeout_s: float) -> None:
        self._s3 = s3
        self._options: dict[str, Any] = {
            "key": s3.access,
            "secret": s3.secret,
            "endpoint_url": s3.url,
            "client_kwargs": {"region_name": s3.region},
            "config_kwargs": {
                "connect_timeout": bucket.CONNECT_S,
                "read_timeout": timeout_s,
                "max_pool_connections": in_flight,
                "retries": {"mode": "standard", "total_max_attempts": bucket.ATTEMPTS},
                "s3": {"addressing_style": "path"},
            },
            "skip_instance_cache": True,
        }
        self._blocking: Any = s3fs.S3FileSystem(**self._options)
        self._coroutines: Any = None
        self._opening = asyncio.Lock()

    def get(self, key: str) -> bytes:
        with self._blocking.open(f"{self._s3.bucket}/{key}", "rb") as file:
            return cast("bytes", file.read())

    async def get_async(self, key: str) -> bytes:
        async with self._opening:
            if self._coroutines is None:
                opened = s3fs.S3FileSystem(asynchronous=True, loop=asyncio.get_running_loop(), **self._options)
                await opened.set_session()
                self._coroutines = opened
        return cast("bytes", await self._coroutines._cat_file(f"{self._s3.bucket}/{key}", max_concurrency=1))

    def open(self, key: str) -> BinaryIO:
        return cast("BinaryIO", self._blocking.open(f"{self._s3.bucket}/{key}", "rb"))

    def explain(self, error: BaseException, what: str) -> ArmError | None:
        if isinstance(error, PermissionError):
            return bucket.refused(self._s3, str(error))
        if isinstance(error, FileNotFoundError):
            return bucket.gone(what)
        return bucket.explain(error, self._s3, what) or (
            bucket.unreachable(self._s3, f"{what}: {error}") if isinstance(error, OSError) else None
        )
