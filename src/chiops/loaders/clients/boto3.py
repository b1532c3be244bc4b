"""boto3: one GET per object, blocking. Requests are counted by botocore's events, so every attempt counts."""

from __future__ import annotations

from typing import Any, BinaryIO, cast

import boto3

from .. import bucket
from ..config import S3
from ..protocol import ArmError
from ..traffic import Traffic


def open(s3: S3, traffic: Traffic, in_flight: int, timeout_s: float) -> Boto3:  # noqa: A001, ARG001
    """A client with a connection for each request in flight."""
    return Boto3(s3, in_flight, timeout_s)


class Boto3:
    """See `Client`."""

    def __init__(self, s3: S3, in_flight: int, timeout_s: float) -> None:
        self._s3 = s3
        options = bucket.boto_options(s3, connections=in_flight, read_timeout_s=timeout_s)
        self._client: Any = boto3.session.Session().client("s3", **options)

    def get(self, key: str) -> bytes:
        return cast("bytes", self._client.get_object(Bucket=self._s3.bucket, Key=key)["Body"].read())

    async def get_async(self, key: str) -> bytes:
        raise NotImplementedError("boto3 has no coroutines")

    def open(self, key: str) -> BinaryIO:
        return cast("BinaryIO", self._client.get_object(Bucket=self._s3.bucket, Key=key)["Body"])

    def explain(self, error: BaseException, what: str) -> ArmError | None:
        return bucket.explain(error, self._s3, what)
