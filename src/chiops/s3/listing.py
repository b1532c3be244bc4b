"""What is in a bucket: objects or, where it keeps them, all versions, and unfinished uploads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chiops.cloud.base import S3Access
from chiops.errors import InvalidRequest
from chiops.s3 import client as s3
from chiops.s3.deletion import Entry

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListMultipartUploadsOutputTypeDef, PaginatorConfigTypeDef

PAGE = 1000
"""Keys per request, the most that S3 allows."""
LOOK_TIMEOUT_S = 5
"""For each request that only looks whether there is anything."""


def is_empty(access: S3Access) -> bool:
    """Whether the bucket ``access.bucket`` holds nothing at all: no object, old version, delete marker or unfinished upload.

    Raises:
        CloudError: the S3 server does not say, or not soon.
    """
    client = s3.client(access, connections=1, attempts=1, timeout_s=LOOK_TIMEOUT_S)
    with s3.translated(f"Looking into the bucket {access.bucket}"):
        return not any(True for _ in entries(client, access.bucket, page=1)) and not any(
            page.get("Uploads") for page in uploads(client, access.bucket)
        )


def entries(client: S3Client, bucket: str, *, page: int = PAGE) -> Iterator[Entry]:
    """All that is in a bucket, page by page while earlier pages are being deleted."""
    size: PaginatorConfigTypeDef = {"PageSize": page}
    if not _versioned(client, bucket):
        for objects in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig=size):
            for item in objects.get("Contents", []):
                yield Entry(item["Key"], size=item.get("Size", 0))
        return
    for versions in client.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig=size):
        for version in versions.get("Versions", []):
            yield Entry(version["Key"], version["VersionId"], version.get("Size", 0), current=version["IsLatest"])
        for marker in versions.get("DeleteMarkers", []):
            yield Entry(marker["Key"], marker["VersionId"], current=False)


def _versioned(client: S3Client, bucket: str) -> bool:
    """Whether there can be versions; a server that does not know the question has none."""
    try:
        with s3.translated("asking for versioning"):
            return bool(client.get_bucket_versioning(Bucket=bucket).get("Status"))
    except InvalidRequest:
        return False


def uploads(client: S3Client, bucket: str) -> Iterator[ListMultipartUploadsOutputTypeDef]:
    """The pages of a bucket's unfinished uploads."""
    return iter(client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket))
