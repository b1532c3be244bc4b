"""Buckets one at a time: made, emptied and deleted outside a lab's `up` and `down`, under the same rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from chiops import progress
from chiops.cloud.base import Bucket, Cloud, Ec2Credential, S3Access
from chiops.errors import Auth, ChiopsError, CloudError, Conflict, NotOurs
from chiops.ops.desk import Desk

if TYPE_CHECKING:
    from chiops.s3.purge import Purged

NOUN = "bucket"
ASKED_AT_ONCE = 8
LOOKED_AT_PAGES = 10
"""Of a thousand objects each, when a bucket's last change is looked for."""

Confirm = Callable[[Bucket], None]
"""Told what the bucket holds; raises `Declined` if the person says no."""


def create(desk: Desk, name: str) -> Bucket:
    """Make a bucket of the desk's lab; of none, so that no `down` takes it, at a desk without one."""
    desk.cloud.prepare()
    with desk.change("create", NOUN, name):
        return desk.cloud.objects.create(name, mark=desk.mark)


def listed(desk: Desk) -> list[Bucket]:
    """All buckets of the site, each with its mark. Those that the listing shows none of are asked, a request for each."""

    def asked(bucket: Bucket) -> Bucket:
        try:
            return bucket if bucket.mark else desk.cloud.objects.get(bucket.name)
        except CloudError:
            return bucket  # gone meanwhile, or not for us to read

    with ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="buckets") as pool:
        return list(pool.map(asked, desk.cloud.objects.list()))


def purge(desk: Desk, name: str, confirm: Confirm) -> Purged:
    """Delete every object of a bucket of ours, versions and unfinished uploads included.

    Raises:
        NotOurs: it is not ours.
    """
    bucket = desk.own(desk.cloud.objects.get(name), NOUN, name)
    if bucket.objects:
        confirm(bucket)
    with progress.task(f"delete the objects of {name}") as task:
        return purge_bucket(desk.cloud, bucket, task)


def delete(desk: Desk, name: str, confirm: Confirm, *, purge_first: bool) -> None:
    """Delete a bucket of ours.

    Raises:
        Conflict: it holds objects and ``purge_first`` is not set.
        NotOurs: it is not ours.
    """
    bucket = desk.own(desk.cloud.objects.get(name), NOUN, name)
    if bucket.objects and not purge_first:
        raise Conflict(f"the bucket {name} holds {bucket.objects:,} objects", todo="add --purge to delete them too")
    if bucket.objects:
        confirm(bucket)
        with progress.task(f"delete the objects of {name}") as task:
            purge_bucket(desk.cloud, bucket, task)
    with desk.change("delete", NOUN, name, bucket.mark):
        desk.cloud.objects.delete(name)


def purge_bucket(cloud: Cloud, bucket: Bucket, task: progress.Task) -> Purged:
    """Delete every object of a bucket of ours, with the lab's key or, where that is gone, one made for this purge alone.

    A sign-in that gets no key, as an application credential where Keystone is strict, does it slower by the object store's own
    interface.
    """
    from chiops.s3.purge import Purged
    from chiops.s3.purge import purge as purge_objects

    def told(objects: int) -> None:
        task.advance(objects, total=bucket.objects, unit="objects")

    cloud.objects.purge_segments(bucket.name)
    with ExitStack() as stack:
        try:
            key = stack.enter_context(key_to(cloud, bucket))
        except Auth:
            purged = Purged(*cloud.objects.purge(bucket.name, told))
        else:
            purged = purge_objects(key, on_progress=lambda so_far: told(so_far.objects))
    task.finish(f"{purged.objects:,} objects deleted")
    return purged


def last_change(cloud: Cloud, bucket: Bucket, credentials: Sequence[Ec2Credential]) -> datetime | None:
    """When a bucket was last written to, as far as its first objects tell; None where no key of its lab opens it in time."""
    from chiops.s3 import client as s3

    key = next((one for one in credentials if one.mark == bucket.mark), None)
    if key is None:
        return None
    try:
        access = S3Access(bucket=bucket.name, endpoint=cloud.objects.endpoint(), access=key.access, secret=key.secret)
        client = s3.client(access, connections=1, attempts=1, timeout_s=5)
        with s3.translated(f"reading {bucket.name}"):
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket.name)
            return max(
                (item["LastModified"] for page in islice(pages, LOOKED_AT_PAGES) for item in page.get("Contents", [])),
                default=None,
            )
    except ChiopsError:
        return None


@contextmanager
def key_to(cloud: Cloud, bucket: Bucket) -> Iterator[S3Access]:
    """A key to a bucket of ours: its lab's, or one made for the body alone.

    Raises:
        NotOurs: it carries no mark.
    """
    endpoint, mark = cloud.objects.endpoint(), bucket.mark
    if mark is None:
        raise NotOurs(f"the bucket {bucket.name} was not made by chiops")
    for credential in cloud.identity.ec2_credentials():
        if credential.mark == mark:
            yield S3Access(bucket=bucket.name, endpoint=endpoint, access=credential.access, secret=credential.secret)
            return
    credential = cloud.identity.create_ec2_credential(mark=mark)
    try:
        yield S3Access(bucket=bucket.name, endpoint=endpoint, access=credential.access, secret=credential.secret)
    finally:
        cloud.identity.delete_ec2_credential(credential.access)
