"""Buckets, with the keys that open them and those that do not."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Container
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from chiops.cloud.base import Bucket, Cloud, Ec2Credential, Node
from chiops.errors import Conflict, InvalidRequest, NotFound
from tests.support.nodes import as_root
from tests.support.poll import wait_for, wait_gone
from tests.support.scratch import Scratch

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


def s3(cloud: Cloud, access: str | None, secret: str | None) -> S3Client:
    """An S3 client with a key, or without one."""
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    endpoint = cloud.objects.endpoint()
    settings: dict[str, Any] = {} if access else {"signature_version": UNSIGNED}
    return boto3.client(
        "s3",
        endpoint_url=endpoint.url,
        region_name=endpoint.region,
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, **settings),
    )


def refused(ask: Callable[[], object], *, statuses: Container[int] = (401, 403)) -> bool:
    """Whether the server answers with one of ``statuses``; any other failure is the test's."""
    from botocore.exceptions import ClientError

    try:
        ask()
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] not in statuses:
            raise
        return True
    return False


@pytest.fixture(scope="session")
def credential(shared: Scratch) -> Ec2Credential:
    return shared.credential()


@pytest.fixture(scope="session")
def client(cloud: Cloud, credential: Ec2Credential) -> S3Client:
    return s3(cloud, credential.access, credential.secret)


@pytest.fixture
def bucket(scratch: Scratch, client: S3Client) -> Bucket:
    """A bucket that is emptied when the test ends."""
    made = scratch.bucket()

    def empty() -> None:
        for found in client.list_objects_v2(Bucket=made.name).get("Contents", []):
            client.delete_object(Bucket=made.name, Key=found["Key"])

    scratch.on_close(empty)
    return made


def test_create_list_get_delete(cloud: Cloud, scratch: Scratch) -> None:
    made = scratch.bucket()
    found = cloud.objects.get(made.name)
    assert (found.name, found.mark) == (made.name, scratch.mark)
    assert found.objects in (0, None)
    assert made.name in {bucket.name for bucket in cloud.objects.list()}
    cloud.objects.delete(made.name)
    wait_gone("bucket", lambda: cloud.objects.get(made.name), within=scratch.target.patience)
    assert made.name not in {bucket.name for bucket in cloud.objects.list()}
    with pytest.raises(NotFound):
        cloud.objects.delete(made.name)


def test_an_unknown_bucket_is_not_found(cloud: Cloud) -> None:
    unknown = f"no-such-bucket-{uuid.uuid4()}"
    with pytest.raises(NotFound):
        cloud.objects.get(unknown)
    with pytest.raises(NotFound):
        cloud.objects.delete(unknown)


def test_a_taken_name_is_a_conflict(cloud: Cloud, scratch: Scratch, bucket: Bucket, client: S3Client) -> None:
    client.put_object(Bucket=bucket.name, Key="here", Body=b"before")
    with pytest.raises(Conflict):
        cloud.objects.create(bucket.name, mark=scratch.mark)
    assert client.get_object(Bucket=bucket.name, Key="here")["Body"].read() == b"before"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "ab",
        "x" * 64,
        "Upper-Case",
        "under_score",
        "with space",
        "-first",
        "last-",
        "a..b",
        "192.168.10.1",
        "ä-ö",
        "a/b",
    ],
)
def test_names_that_s3_refuses_are_refused(cloud: Cloud, scratch: Scratch, name: str) -> None:
    with pytest.raises(InvalidRequest):
        cloud.objects.create(name, mark=scratch.mark)
    assert name not in {bucket.name for bucket in cloud.objects.list()}


@pytest.mark.parametrize("size", [0, 1, 100_000, 20_000_001], ids=["empty", "byte", "small", "multipart"])
def test_objects_come_back_byte_for_byte(bucket: Bucket, client: S3Client, size: int) -> None:
    import io

    body, name = os.urandom(size), "a folder/ünïcode & more+.jpg"
    client.upload_fileobj(io.BytesIO(body), bucket.name, name)
    assert client.get_object(Bucket=bucket.name, Key=name)["Body"].read() == body
    if size > 10:
        part = client.get_object(Bucket=bucket.name, Key=name, Range="bytes=3-9")["Body"].read()
        assert part == body[3:10]


def test_listing_goes_beyond_one_page(bucket: Bucket, client: S3Client) -> None:
    keys = {f"p/{number:02}" for number in range(25)}
    for key in keys:
        client.put_object(Bucket=bucket.name, Key=key, Body=b"x")
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=bucket.name, Prefix="p/", PaginationConfig={"PageSize": 10}
    )
    assert {found["Key"] for page in pages for found in page["Contents"]} == keys


def test_a_bucket_that_is_not_empty_is_not_deleted(cloud: Cloud, bucket: Bucket, client: S3Client) -> None:
    client.put_object(Bucket=bucket.name, Key="kept", Body=b"kept")
    with pytest.raises(Conflict):
        cloud.objects.delete(bucket.name)
    assert client.get_object(Bucket=bucket.name, Key="kept")["Body"].read() == b"kept"


def test_counts_are_right_where_they_are_given(
    cloud: Cloud, scratch: Scratch, bucket: Bucket, client: S3Client
) -> None:
    client.put_object(Bucket=bucket.name, Key="one", Body=b"12345")
    client.put_object(Bucket=bucket.name, Key="two", Body=b"123")
    wait_for(
        "counts",
        lambda: cloud.objects.get(bucket.name),
        until=lambda found: (found.objects, found.size_bytes) in [(2, 8), (None, None)],
        within=scratch.target.patience,
    )


def test_a_credential_is_listed_with_its_mark(cloud: Cloud, scratch: Scratch) -> None:
    made = scratch.credential()
    (listed,) = (found for found in cloud.identity.ec2_credentials() if found.access == made.access)
    assert made.secret
    assert listed.secret == made.secret
    assert listed.mark in (scratch.mark, None), "a credential is ours, or its service cannot tell"
    assert listed.project_id == made.project_id == cloud.identity.whoami().project_id
    assert made.secret not in repr(made)


def test_a_wrong_key_is_refused(cloud: Cloud, bucket: Bucket, client: S3Client, credential: Ec2Credential) -> None:
    client.put_object(Bucket=bucket.name, Key="private", Body=b"private")
    pairs = [
        (credential.access, credential.secret[:-1] + ("a" if credential.secret[-1] != "a" else "b")),
        ("no-such-access-key", credential.secret),
        (None, None),
    ]
    for access, secret in pairs:
        wrong = s3(cloud, access, secret)
        # Swift takes a request without a signature for one of its own API, and then finds nothing under that path
        statuses = (401, 403) if access else range(400, 500)
        asks: list[Callable[[], object]] = [
            partial(wrong.get_object, Bucket=bucket.name, Key="private"),
            partial(wrong.list_objects_v2, Bucket=bucket.name),
            partial(wrong.put_object, Bucket=bucket.name, Key="new", Body=b""),
        ]
        for ask in asks:
            assert refused(ask, statuses=statuses)


def test_a_revoked_key_is_refused_and_others_are_not(
    cloud: Cloud, scratch: Scratch, bucket: Bucket, client: S3Client
) -> None:
    client.put_object(Bucket=bucket.name, Key="private", Body=b"private")
    made = scratch.credential()
    other = s3(cloud, made.access, made.secret)
    assert other.get_object(Bucket=bucket.name, Key="private")["Body"].read() == b"private"
    cloud.identity.delete_ec2_credential(made.access)
    wait_for(
        "key refused",
        lambda: refused(lambda: other.get_object(Bucket=bucket.name, Key="private")),
        within=scratch.target.keys_kept,
    )
    assert made.access not in {found.access for found in cloud.identity.ec2_credentials()}
    assert client.get_object(Bucket=bucket.name, Key="private")["Body"].read() == b"private"
    with pytest.raises(NotFound):
        cloud.identity.delete_ec2_credential(made.access)


def test_nodes_reach_the_endpoint(cloud: Cloud, shared_node: Node) -> None:
    url = cloud.objects.endpoint().url
    ask = f"import urllib.request as r; r.urlopen('{url}', timeout=10)"
    answer = as_root(shared_node, f'python3 -c "{ask}" 2>&1 || true')
    assert answer == "" or "HTTP Error 4" in answer, "the server answers, if only to send us away"
