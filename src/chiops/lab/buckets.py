"""Buckets one at a time: made, emptied and deleted outside a lab's `up` and `down`, under the same rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from chiops import progress
from chiops.cloud import sites
from chiops.cloud.base import Bucket, Cloud, Mark, S3Access
from chiops.errors import Conflict, NotOurs
from chiops.lab.journal import Journal

if TYPE_CHECKING:
    from chiops.s3.purge import Purged

NO_LAB = "none"
"""The lab on the mark of a bucket that belongs to none."""

Confirm = Callable[[Bucket], None]
"""Told what the bucket holds; raises `Declined` if the person says no."""


def create(site: str | None, name: str) -> Bucket:
    """Make a bucket that belongs to no lab, so that no `down` takes it."""
    with sites.connect(site or sites.DEFAULT_SITE) as cloud:
        cloud.prepare()
        mark = Mark(NO_LAB, cloud.identity.whoami().user_id)
        with (
            progress.task(f"create bucket {name}"),
            Journal().entry(lab=NO_LAB, site=cloud.site, op="create", kind="bucket", name=name),
        ):
            return cloud.objects.create(name, mark=mark)


def purge(site: str | None, name: str, confirm: Confirm) -> Purged:
    """Delete every object of a bucket of ours, versions and unfinished uploads included.

    Raises:
        NotOurs: it is not ours.
    """
    with sites.connect(site or sites.DEFAULT_SITE) as cloud:
        bucket = _ours(cloud, name)
        if bucket.objects:
            confirm(bucket)
        with progress.task(f"delete the objects of {name}") as task:
            return purge_bucket(cloud, bucket, task)


def delete(site: str | None, name: str, confirm: Confirm, *, purge_first: bool) -> None:
    """Delete a bucket of ours.

    Raises:
        Conflict: it holds objects and ``purge_first`` is not set.
        NotOurs: it is not ours.
    """
    with sites.connect(site or sites.DEFAULT_SITE) as cloud:
        bucket = _ours(cloud, name)
        if bucket.objects and not purge_first:
            raise Conflict(f"the bucket {name} holds {bucket.objects:,} objects", todo="add --purge to delete them too")
        if bucket.objects:
            confirm(bucket)
            with progress.task(f"delete the objects of {name}") as task:
                purge_bucket(cloud, bucket, task)
        with (
            progress.task(f"delete bucket {name}"),
            Journal().entry(lab=NO_LAB, site=cloud.site, op="delete", kind="bucket", name=name),
        ):
            cloud.objects.delete(name)


def _ours(cloud: Cloud, name: str) -> Bucket:
    bucket = cloud.objects.get(name)
    if not bucket.mark or bucket.mark.owner != cloud.identity.whoami().user_id:
        raise NotOurs(f"the bucket {name} was not made by your chiops", todo="delete it with the tool that made it")
    return bucket


def purge_bucket(cloud: Cloud, bucket: Bucket, task: progress.Task) -> Purged:
    """Delete every object of a bucket of ours, with the lab's key or, where that is gone, one made for this purge alone."""
    from chiops.s3.purge import purge as purge_objects

    with _key(cloud, bucket) as key:
        purged = purge_objects(
            key, on_progress=lambda so_far: task.advance(so_far.objects, total=bucket.objects, unit="objects")
        )
    task.finish(f"{purged.objects:,} objects deleted")
    return purged


@contextmanager
def _key(cloud: Cloud, bucket: Bucket) -> Iterator[S3Access]:
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
