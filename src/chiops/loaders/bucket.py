"""The bucket as the main process reads it before the clock starts, by boto3 whatever client the arm uses.

Not by the arm's own: obstore's threads do not survive the fork that makes the workers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .config import S3
from .protocol import ArmError

CONNECT_S = 10
ATTEMPTS = 4
_REFUSED = {
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "Forbidden", "403", "401",
    "ExpiredToken", "InvalidToken", "AuthorizationHeaderMalformed", "RequestTimeTooSkewed",
}  # fmt: skip
ABSENT = {"NoSuchKey", "NoSuchBucket", "404"}


def boto_options(s3: S3, *, connections: int = 10, read_timeout_s: float = 60) -> dict[str, Any]:
    """For a boto3 client: the endpoint, the key, and few attempts, since a dead endpoint must not hang the arm."""
    from botocore.config import Config

    return {
        "endpoint_url": s3.url,
        "region_name": s3.region,
        "aws_access_key_id": s3.access,
        "aws_secret_access_key": s3.secret,
        "config": Config(
            max_pool_connections=connections,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            connect_timeout=CONNECT_S,
            read_timeout=read_timeout_s,
            s3={"addressing_style": "path"},
            response_checksum_validation="when_required",
        ),
    }


class Bucket:
    """Listings and small files."""

    def __init__(self, s3: S3) -> None:
        import boto3

        self._s3 = s3
        self._client = boto3.session.Session().client("s3", **boto_options(s3, connections=32))

    def listing(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Every object below ``prefix``: its key without the prefix, and its size.

        Raises:
            ArmError: the bucket cannot be listed.
        """
        try:
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._s3.bucket, Prefix=prefix):
                for entry in page.get("Contents", []):
                    yield entry["Key"][len(prefix) :], int(entry["Size"])
        except Exception as error:
            if failure := explain(error, self._s3):
                raise failure from None
            raise

    def read(self, key: str) -> bytes | None:
        """An object's bytes; None if there is no such object, or no such bucket.

        Raises:
            ArmError: the bucket cannot be read.
        """
        from botocore.exceptions import ClientError

        try:
            content: bytes = self._client.get_object(Bucket=self._s3.bucket, Key=key)["Body"].read()
        except Exception as error:
            if isinstance(error, ClientError) and error.response.get("Error", {}).get("Code", "") in ABSENT:
                return None
            if failure := explain(error, self._s3):
                raise failure from None
            raise
        return content

    def read_json(self, key: str) -> Any:
        """An object's JSON; None if there is no such object."""
        text = self.read(key)
        try:
            return None if text is None else json.loads(text)
        except ValueError as error:
            raise ArmError(f"s3://{self._s3.bucket}/{key} is no JSON", str(error), "prepare the data again") from None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def refused(s3: S3, why: str) -> ArmError:
    """The key does not open the bucket, or does so no longer."""
    return ArmError(
        f"the bucket {s3.bucket} cannot be read",
        why,
        "the key was refused: make a new one with `chiops up`, then run again",
    )


def unreachable(s3: S3, why: str) -> ArmError:
    """The endpoint does not answer."""
    return ArmError(f"{s3.url} does not answer", why, "see with `chiops doctor` whether the object store is up")


def gone(what: str, why: str = "") -> ArmError:
    """An object that was listed is not there."""
    return ArmError(f"{what} is not in the bucket any more", why, "run `chiops data prepare` again")


def explain(error: BaseException, s3: S3, what: str = "") -> ArmError | None:
    """What botocore's failures mean; None if it is none of them. ``what`` is what was read."""
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, ArmError):
        return error
    if isinstance(error, ClientError):
        fault = error.response.get("Error", {})
        code, message = str(fault.get("Code", "")), str(fault.get("Message", ""))
        if code in _REFUSED:
            return refused(s3, code)
        if code in ABSENT:
            return gone(what or f"s3://{s3.bucket}", code)
        return ArmError(f"{what or s3.bucket} cannot be read", f"{code}: {message}", "run again; it may have passed")
    if isinstance(error, BotoCoreError):
        return unreachable(s3, str(error))
    return None
