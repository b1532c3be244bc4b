"""obstore: one GET per object by Rust's object_store, which lets go of the GIL.

Requests are counted here, one per object; what the library tries again by itself cannot be seen.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, BinaryIO, cast

import obstore
from obstore import exceptions
from obstore.store import S3Store

from .. import bucket
from ..config import S3
from ..protocol import ArmError
from ..traffic import Traffic

_CHUNK = 1 << 20


def open(s3: S3, traffic: Traffic, in_flight: int, timeout_s: float) -> Obstore:  # noqa: A001, ARG001
    """A store on the bucket; connections come as they are needed."""
    return Obstore(s3, traffic, timeout_s)


class Obstore:
    """See `Client`."""

    def __init__(self, s3: S3, traffic: Traffic, timeout_s: float) -> None:
        self._s3, self._traffic = s3, traffic
        self._store: Any = S3Store(
            s3.bucket,
            endpoint=s3.url,
            region=s3.region,
            access_key_id=s3.access,
            secret_access_key=s3.secret,
            virtual_hosted_style_request=False,
            client_options={
                "allow_http": True,
                "connect_timeout": timedelta(seconds=bucket.CONNECT_S),
                # For each read, and not for a request: a shard may take longer than one sample may.
                "read_timeout": timedelta(seconds=timeout_s),
                "timeout": timedelta(hours=1),
            },
            retry_config={"max_retries": bucket.ATTEMPTS - 1, "retry_timeout": timedelta(seconds=timeout_s)},
        )

    def get(self, key: str) -> bytes:
        content = bytes(obstore.get(self._store, key).bytes())
        self._traffic.count(1, len(content))
        return content

    async def get_async(self, key: str) -> bytes:
        answer = await obstore.get_async(self._store, key)
        content = bytes(await answer.bytes_async())
        self._traffic.count(1, len(content))
        return content

    def open(self, key: str) -> BinaryIO:
        answer = obstore.get(self._store, key)
        self._traffic.count(1)
        return cast("BinaryIO", io.BufferedReader(_Stream(answer.stream(_CHUNK), self._traffic), _CHUNK))

    def explain(self, error: BaseException, what: str) -> ArmError | None:
        if isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError):
            return bucket.refused(self._s3, _first_line(error))
        if isinstance(error, exceptions.NotFoundError | FileNotFoundError):
            return bucket.gone(what)
        if isinstance(error, exceptions.BaseError):
            return bucket.unreachable(self._s3, f"{what}: {_first_line(error)}")
        return None


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


class _Stream(io.RawIOBase):
    """The chunks of a body as a file."""

    def __init__(self, chunks: Iterator[Any], traffic: Traffic) -> None:
        self._chunks, self._traffic = iter(chunks), traffic
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
            self._traffic.count(received=len(self._rest))
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
