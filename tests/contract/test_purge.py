"""Emptying a bucket on a real server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import openstack
import pytest

from chiops import progress
from chiops.cloud.base import Cloud, Ec2Credential, S3Access
from chiops.cloud.openstack.cloud import OpenStackCloud
from chiops.errors import Auth, Conflict, NotFound
from chiops.ops import buckets
from chiops.s3 import client as s3
from chiops.s3.purge import Purged, purge
from tests.support.scratch import Scratch

ODD_KEYS = (
    "a",
    "a/b",
    "sp ace+plus%25&<>\"'",
    "ünï/雪",
    "line\nbreak",
    "tab\t",
    "ctl\x01",
    "q?x=1#f",
    "trailing ",
)


@pytest.fixture(scope="module")
def credential(shared: Scratch) -> Ec2Credential:
    return shared.credential()


@pytest.fixture
def access(cloud: Cloud, scratch: Scratch, credential: Ec2Credential) -> Iterator[S3Access]:
    """A bucket and the key to it; emptied at the end even if the test is not."""
    bucket = scratch.bucket()
    access = S3Access(
        bucket=bucket.name, endpoint=cloud.objects.endpoint(), access=credential.access, secret=credential.secret
    )
    yield access
    purge(access)


def test_all_goes_whatever_its_name(cloud: Cloud, access: S3Access) -> None:
    client = s3.client(access)
    for key in ODD_KEYS:
        client.put_object(Bucket=access.bucket, Key=key, Body=b"12345")
    with pytest.raises(Conflict):
        cloud.objects.delete(access.bucket)
    assert purge(access) == Purged(objects=len(ODD_KEYS), bytes=5 * len(ODD_KEYS))
    assert purge(access) == Purged()


def test_all_goes_without_a_key_too(cloud: Cloud, access: S3Access) -> None:
    client = s3.client(access)
    for key in ODD_KEYS:
        client.put_object(Bucket=access.bucket, Key=key, Body=b"12345")
    counts: list[int] = []
    assert cloud.objects.purge(access.bucket, counts.append) == (len(ODD_KEYS), 5 * len(ODD_KEYS))
    assert counts[-1] == len(ODD_KEYS)
    assert client.list_objects_v2(Bucket=access.bucket)["KeyCount"] == 0


def emptied(cloud: Cloud, access: S3Access) -> Purged:
    """As `chiops bucket purge` does it, by whichever way is the faster one here."""
    with progress.task("purge") as task:
        return buckets.purge_bucket(cloud, cloud.objects.get(access.bucket), task)


def test_more_than_a_page_goes(cloud: Cloud, access: S3Access) -> None:
    client, told = s3.client(access), list[float]()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: client.put_object(Bucket=access.bucket, Key=f"p/{n:04}", Body=b"x"), range(1100)))

    class Told:
        def note(self, text: str) -> None: ...
        def finish(self, text: str = "") -> None: ...
        def advance(self, done: float, *, total: float | None = None, unit: str = "") -> None:
            told.append(done)

    assert buckets.purge_bucket(cloud, cloud.objects.get(access.bucket), Told()).objects == 1100
    assert len(told) >= 2, "progress is told batch by batch"
    assert (told, told[-1]) == (sorted(told), 1100)
    assert client.list_objects_v2(Bucket=access.bucket)["KeyCount"] == 0


def test_unfinished_uploads_go(access: S3Access) -> None:
    client = s3.client(access)
    client.create_multipart_upload(Bucket=access.bucket, Key="half")
    assert purge(access) == Purged(uploads=1)
    assert client.list_multipart_uploads(Bucket=access.bucket).get("Uploads", []) == []


def test_versions_and_delete_markers_go(access: S3Access) -> None:
    client = s3.client(access)
    client.put_bucket_versioning(Bucket=access.bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"one", b"two"):
        client.put_object(Bucket=access.bucket, Key="kept twice", Body=body)
    client.put_object(Bucket=access.bucket, Key="deleted", Body=b"gone")
    client.delete_object(Bucket=access.bucket, Key="deleted")
    purged = purge(access)
    assert (purged.objects, purged.versions) == (1, 3)
    assert "Versions" not in client.list_object_versions(Bucket=access.bucket)


def test_the_faster_way_takes_large_objects_and_unfinished_uploads_too(cloud: Cloud, access: S3Access) -> None:
    client, part = s3.client(access), b"x" * (5 << 20)
    for name in ("large", "half"):
        upload = client.create_multipart_upload(Bucket=access.bucket, Key=name)["UploadId"]
        sent = client.upload_part(Bucket=access.bucket, Key=name, UploadId=upload, PartNumber=1, Body=part)
        if name == "large":
            client.complete_multipart_upload(
                Bucket=access.bucket, Key=name, UploadId=upload,
                MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": sent["ETag"]}]},
            )  # fmt: skip
    for key in ODD_KEYS:
        client.put_object(Bucket=access.bucket, Key=key, Body=b"12345")
    assert emptied(cloud, access).objects == len(ODD_KEYS) + 1
    assert client.list_objects_v2(Bucket=access.bucket)["KeyCount"] == 0
    assert client.list_multipart_uploads(Bucket=access.bucket).get("Uploads", []) == []


def test_no_way_leaves_old_versions(cloud: Cloud, access: S3Access) -> None:
    client = s3.client(access)
    client.put_object(Bucket=access.bucket, Key="before", Body=b"one")
    client.put_bucket_versioning(Bucket=access.bucket, VersioningConfiguration={"Status": "Enabled"})
    assert not cloud.objects.outpaces_s3(access.bucket), "the store's own deletion would add a marker to each"
    for key in ("before", "after", "after"):
        client.put_object(Bucket=access.bucket, Key=key, Body=b"two")
    assert (emptied(cloud, access).objects, emptied(cloud, access)) == (2, Purged())
    client.put_object(Bucket=access.bucket, Key="again", Body=b"three")
    client.put_bucket_versioning(Bucket=access.bucket, VersioningConfiguration={"Status": "Suspended"})
    client.put_object(Bucket=access.bucket, Key="suspended", Body=b"four")
    assert emptied(cloud, access).objects == 2
    assert "Versions" not in client.list_object_versions(Bucket=access.bucket)


def test_a_wrong_key_and_an_unknown_bucket_are_told(access: S3Access) -> None:
    wrong = S3Access(bucket=access.bucket, endpoint=access.endpoint, access=access.access, secret="wrong")
    with pytest.raises(Auth):
        purge(wrong)
    unknown = S3Access(
        bucket=f"{access.bucket}-not", endpoint=access.endpoint, access=access.access, secret=access.secret
    )
    with pytest.raises(NotFound):
        purge(unknown)


def test_parts_of_large_objects_go_with_them_and_what_else_is_there_stays(cloud: Cloud, access: S3Access) -> None:
    if not isinstance(cloud, OpenStackCloud):
        pytest.skip("only Swift's clients put parts of large objects beside a bucket")
    swift, bucket = openstack.connect(cloud=os.environ["OS_CLOUD"]).object_store, access.bucket
    parts = f"{bucket}_segments"
    swift.put(f"/{parts}", raise_exc=True)
    try:
        for name in ("dynamic/1", "dynamic/2", "static/1", "of somebody else/1"):
            swift.put(f"/{parts}/{name}", data=b"12345", raise_exc=True)
        swift.put(f"/{bucket}/dynamic", data=b"", headers={"X-Object-Manifest": f"{parts}/dynamic/"}, raise_exc=True)
        listed = [{"path": f"/{parts}/static/1", "size_bytes": 5}]
        swift.put(f"/{bucket}/static?multipart-manifest=put", data=json.dumps(listed), raise_exc=True)
        swift.put(f"/{bucket}/whole", data=b"12345", raise_exc=True)
        # Ceph's gateway does not say what a static large object consists of
        told = cloud.objects.endpoint().provider != "Ceph"
        assert cloud.objects.purge_segments(bucket) == (3 if told else 2)
        left = ["of somebody else/1"] if told else ["of somebody else/1", "static/1"]
        assert swift.get(f"/{parts}").text.splitlines() == left
        assert cloud.objects.purge_segments(bucket) == 0
        assert purge(access).objects == 3
    finally:
        for name in swift.get(f"/{parts}").text.splitlines():
            swift.delete(f"/{parts}/{name}")
        assert swift.delete(f"/{parts}").status_code == 204
