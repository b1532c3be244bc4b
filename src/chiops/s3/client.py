"""An S3 client that every server we meet accepts (Ceph RGW, SeaweedFS, Swift's S3 layer), and what its errors mean."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from chiops.cloud.base import S3Access
from chiops.errors import Auth, Capacity, CloudError, Conflict, InvalidRequest, NotFound, Quota, Timeout, Transient

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest
    from botocore.exceptions import ClientError
    from botocore.session import Session
    from mypy_boto3_s3 import S3Client

CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 60
ATTEMPTS = 5
"""How often a request is tried in all; botocore waits up to 20 s in between, more each time."""
CONNECTIONS = 32

_SECRET = "the secret does not belong to that access key"  # noqa: S105 - a message
_CODES: dict[str, tuple[type[CloudError], str]] = {
    "InvalidAccessKeyId": (Auth, "the S3 server does not know the access key, or it was revoked"),
    "SignatureDoesNotMatch": (Auth, _SECRET),
    "AccessDenied": (Auth, "the S3 key is not allowed to do that"),
    "RequestTimeTooSkewed": (Auth, "this machine's clock differs too much from the S3 server's"),
    "NoSuchBucket": (NotFound, "there is no such bucket"),
    "NoSuchKey": (NotFound, "there is no such object"),
    "NoSuchUpload": (NotFound, "there is no such upload"),
    "BucketNotEmpty": (Conflict, "the bucket is not empty"),
    "BucketAlreadyExists": (Conflict, "the bucket name is taken by somebody else"),
    "BucketAlreadyOwnedByYou": (Conflict, "the bucket is there already"),
    "QuotaExceeded": (Quota, "the quota for objects is used up"),
    "TooManyBuckets": (Quota, "the quota for buckets is used up"),
    "InsufficientStorage": (Capacity, "the S3 server's disk is full"),
}
# What has no entry above is judged by HTTP status; HEAD answers carry no code at all, only the status as a string.
_STATUS: dict[int, type[CloudError]] = {
    401: Auth,
    403: Auth,
    404: NotFound,
    408: Transient,
    409: Conflict,
    429: Transient,
    501: InvalidRequest,
    507: Capacity,
}


def client(
    access: S3Access, *, connections: int = CONNECTIONS, attempts: int = ATTEMPTS, timeout_s: float | None = None
) -> S3Client:
    """A client with that key at that endpoint; safe for threads. The bucket is the caller's to name in each request.

    Nothing of the person's own AWS configuration is read: no profile, credential or endpoint of theirs can get in the way.

    Args:
        access: endpoint and key.
        connections: most requests at once.
        attempts: tries per request in all; 1 means that errors such as SlowDown come through at once.
        timeout_s: seconds to connect, and to wait for an answer; as long as large requests need unless given.
    """
    from botocore.config import Config

    made = _session().create_client(
        "s3",
        endpoint_url=access.endpoint.url,
        region_name=access.endpoint.region,
        aws_access_key_id=access.access,
        aws_secret_access_key=access.secret,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            retries={"mode": "standard", "total_max_attempts": attempts},
            # Older servers refuse the checksums that botocore has been adding by default since 1.36
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connect_timeout=timeout_s or CONNECT_TIMEOUT_S,
            read_timeout=timeout_s or READ_TIMEOUT_S,
            max_pool_connections=connections,
            proxies={} if _is_private(access.endpoint.url) else None,
        ),
    )
    made.meta.events.register("before-sign.s3.DeleteObjects", add_md5)
    return cast("S3Client", made)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn botocore's errors in the body into ours; ``doing`` is the clause that says what was tried."""
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        ConnectionClosedError,
        ConnectTimeoutError,
        EndpointConnectionError,
        ReadTimeoutError,
        SSLError,
    )

    try:
        yield
    except ClientError as error:
        raise from_client_error(doing, error) from error
    except (ConnectTimeoutError, ReadTimeoutError) as error:
        raise Timeout(f"{doing}: the S3 server did not answer in time", todo="try again") from error
    except SSLError as error:
        raise CloudError(f"{doing} failed", why=f"the S3 server's certificate was not accepted: {error}") from error
    except EndpointConnectionError as error:
        raise Transient(
            f"{doing}: no S3 server answers", why=str(error), todo="check the endpoint and try again"
        ) from error
    except ConnectionClosedError as error:
        raise Transient(f"{doing}: the S3 server closed the connection", todo="try again") from error
    except BotoCoreError as error:
        raise CloudError(f"{doing} failed", why=str(error)) from error


def from_client_error(doing: str, error: ClientError) -> CloudError:
    """Our error for an answer of the S3 server that refuses."""
    details = error.response.get("Error", {})
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return from_code(doing, details.get("Code", ""), details.get("Message", ""), status=status)


def from_code(doing: str, code: str, message: str, *, status: int = 0) -> CloudError:
    """Our error for an S3 error code, as answers and per-key results carry it."""
    if code in _CODES:
        kind, why = _CODES[code]
        return kind(f"{doing} failed", why=why)
    why = f"{message} ({code})" if message and code else message or code or f"status {status}"
    if is_passing(code, status):
        return Transient(f"{doing} failed for now", why=why, todo="try again")
    if status == 0 and code.isdigit():
        status = int(code)
    return _STATUS.get(status, InvalidRequest if 400 <= status < 500 else CloudError)(f"{doing} failed", why=why)


def is_passing(code: str, status: int = 0) -> bool:
    """Whether the same request may well succeed later."""
    busy = {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "OperationAborted", "Throttling"}
    return code in busy or status in {429, 500, 502, 503, 504}


def _session() -> Session:
    from botocore.session import Session

    nothing = (None, None, None, None)
    return Session(
        session_vars={
            "profile": nothing,
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )


def add_md5(request: AWSRequest, **_: object) -> None:
    """Swift's S3 layer takes DeleteObjects only with this header, where botocore sends a newer checksum; others take both."""
    body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
    request.headers["Content-MD5"] = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _is_private(url: str) -> bool:
    """Whether the endpoint is an address of this machine or its networks, which no web proxy reaches."""
    try:
        return ipaddress.ip_address(urlsplit(url).hostname or "").is_private
    except ValueError:
        return urlsplit(url).hostname == "localhost"
