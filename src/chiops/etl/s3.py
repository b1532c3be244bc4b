"""The S3 client of a run, and what the service's refusals mean."""

from __future__ import annotations

from typing import Any

from .config import S3Config
from .errors import EtlError, Kind

_AUTH = {
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "Forbidden", "403", "401",
    "ExpiredToken", "InvalidToken", "AuthorizationHeaderMalformed", "RequestTimeTooSkewed",
}  # fmt: skip
_ABSENT = {"NoSuchBucket"}
_FULL = {"QuotaExceeded", "InsufficientStorage", "EntityTooLarge"}


def connect(s3: S3Config, connections: int) -> Any:
    """A client for up to ``connections`` requests at once, safe to share among threads.

    Passing failures are tried again with growing pauses, by botocore's ``standard`` rules; refusals are not.
    """
    import boto3
    from botocore.config import Config

    return boto3.session.Session().client(
        "s3",
        endpoint_url=s3.endpoint,
        region_name=s3.region,
        aws_access_key_id=s3.access,
        aws_secret_access_key=s3.secret,
        config=Config(
            max_pool_connections=connections,
            retries={"mode": "standard", "total_max_attempts": 6},
            connect_timeout=10,
            read_timeout=60,
            s3={"addressing_style": "path"},
            # Ceph RGW refuses the checksum trailers that boto3 adds of late; Content-MD5 guards each upload instead.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def explain(error: Exception, s3: S3Config) -> EtlError:
    """The failure in words: whose fault it is, and what to do."""
    from botocore.exceptions import BotoCoreError, ClientError

    kind: Kind
    if isinstance(error, ClientError):
        fault = error.response.get("Error", {})
        code, why = str(fault.get("Code", "")), str(fault.get("Message", "") or fault.get("Code", ""))
        if code in _AUTH:
            kind, todo = "auth", "make a new key (`chiops up` does) and see that the clock is right"
            return EtlError(f"{s3.endpoint} refuses the S3 key for bucket {s3.bucket}", why=why, todo=todo, kind=kind)
        if code in _ABSENT:
            todo = "run `chiops up` first"
            return EtlError(f"there is no bucket {s3.bucket} at {s3.endpoint}", todo=todo, kind="not-found")
        kind = "capacity" if code in _FULL else "transient"
        todo = "delete what is not needed" if kind == "capacity" else "prepare again; it continues"
        return EtlError(f"the bucket {s3.bucket} failed a request", why=f"{code}: {why}", todo=todo, kind=kind)
    if isinstance(error, BotoCoreError):
        return EtlError(
            f"{s3.endpoint} does not answer as an S3 server",
            why=str(error),
            todo="see that it is up and reachable from the node, then prepare again; it continues",
            kind="transient",
        )
    return EtlError("the upload failed", why=f"{type(error).__name__}: {error}", kind="internal")
