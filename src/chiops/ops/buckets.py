"""Buckets one at a time: made, emptied and deleted outside a lab's `up` and `down`, under the same rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from chiops import progress
from chiops.cloud.base import Bucket, Cloud, Ec2Credential, S3Access
from chiops.errors import Auth, ChiopsError, CloudError, Conflict, InvalidRequest, NotFound, NotOurs
from chiops.ops import moments
from chiops.ops.desk import Desk
from chiops.resources import waiting

if TYPE_CHECKING:
    from chiops.s3.purge import Purged

NOUN = "bucket"
ASKED_AT_ONCE = 8
LOOKED_AT_PAGES = 10
"""Of a thousand objects each, when a bucket's last change is looked for."""
_REFUSED = (Auth, NotFound, InvalidRequest)
"""How a server says that it does not take a key, or that it speaks no S3."""

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
    """Delete every object of a bucket of ours, versions and unfinished uploads included, having asked.

    Raises:
        NotOurs: it is not ours.
    """
    bucket = desk.own(desk.cloud.objects.get(name), NOUN, name)
    return _purged(desk.cloud, bucket, confirm)


def delete(desk: Desk, name: str, confirm: Confirm, *, purge_first: bool) -> None:
    """Delete a bucket of ours.

    Raises:
        Conflict: it holds something and ``purge_first`` is not set.
        NotOurs: it is not ours.
    """
    bucket = desk.own(desk.cloud.objects.get(name), NOUN, name)
    if purge_first:
        _purged(desk.cloud, bucket, confirm)
    elif bucket.objects:
        raise Conflict(f"the bucket {name} holds {bucket.objects:,} objects", todo="add --purge to delete them too")
    with desk.change("delete", NOUN, name, bucket.mark):
        try:
            desk.cloud.objects.delete(name)
        except Conflict as error:
            if purge_first:
                raise
            why = "it holds objects that are not counted yet, old versions or unfinished uploads"
            raise Conflict(f"the bucket {name} is not empty", why=why, todo="add --purge to delete them too") from error


def _purged(cloud: Cloud, bucket: Bucket, confirm: Confirm) -> Purged:
    """Ask, unless a look finds nothing at all, and purge: counts lag behind, and leave out old versions."""
    if bucket.objects or not _seen_empty(cloud, bucket):
        confirm(bucket)
    with progress.task(f"delete the objects of {bucket.name}") as task:
        return purge_bucket(cloud, bucket, task)


def _seen_empty(cloud: Cloud, bucket: Bucket) -> bool:
    """Whether the bucket was looked into and holds nothing; False where no key of its lab opens it in time."""
    from chiops.s3.listing import is_empty

    try:
        key = _labs_key(cloud, bucket, cloud.identity.ec2_credentials())
        return key is not None and is_empty(key)
    except ChiopsError:
        return False


def purge_bucket(cloud: Cloud, bucket: Bucket, task: progress.Task) -> Purged:
    """Delete every object of a bucket of ours, with the lab's key or, where that is gone or refused, one made for this alone.

    Objects go by the object store's own interface first where that is faster. A sign-in that gets no key, as an application
    credential where Keystone is strict, uses it alone; so does every sign-in where S3 takes no key at all.

    Raises:
        NotOurs: it carries no mark.
        DataError: something would not go; says how much did.
    """
    from chiops.s3.purge import Purged
    from chiops.s3.purge import purge as purge_objects

    if bucket.mark is None:
        raise NotOurs(f"the bucket {bucket.name} was not made by chiops")
    before = purged = Purged()

    def told(so_far: Purged) -> None:
        nonlocal purged
        waiting.pause(0)  # a purge takes long, in a thread that Ctrl-C does not reach
        purged = before + so_far
        task.advance(purged.objects, total=bucket.objects, unit="objects")

    def by_its_own() -> None:
        nonlocal before
        told(Purged(*cloud.objects.purge(bucket.name, lambda objects: told(Purged(objects)))))
        before = purged

    cloud.objects.purge_segments(bucket.name)
    if cloud.objects.outpaces_s3(bucket.name):
        try:
            by_its_own()
        except CloudError as error:
            task.note(f"not by the object store's own interface: {error.why or error.what}")
            before = purged
    with ExitStack() as stack:
        keys: tuple[Callable[[], S3Access | None], ...] = (
            lambda: _labs_key(cloud, bucket, cloud.identity.ec2_credentials()),
            lambda: stack.enter_context(_new_key(cloud, bucket)),
        )
        for find in keys:
            try:
                if key := find():
                    told(purge_objects(key, on_progress=told))
                    break
            except _REFUSED as error:
                task.note(f"not with this key to S3: {error.why or error.what}")
                before = purged  # a key may also be revoked on the way
        else:
            by_its_own()
    task.finish(f"{purged.words()} deleted")
    return purged


@dataclass(frozen=True)
class Written:
    """When a bucket was last written to; at least then, where there are more objects than the ``first`` that were looked at."""

    when: datetime
    first: int | None = None

    def words(self) -> str:
        """For people."""
        words = f"last written to {moments.local(self.when)}"
        return words if self.first is None else f"{words} or later, by its first {self.first:,} objects"


def last_change(cloud: Cloud, bucket: Bucket, credentials: Sequence[Ec2Credential]) -> Written | None:
    """When a bucket was last written to, as far as its first objects tell; None where no key of its lab opens it in time."""
    from chiops.s3 import client as s3

    try:
        access = _labs_key(cloud, bucket, credentials)
        if access is None:
            return None
        client = s3.client(access, connections=1, attempts=1, timeout_s=5)
        with s3.translated(f"reading {bucket.name}"):
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket.name)
            seen = list(islice(pages, LOOKED_AT_PAGES))
    except ChiopsError:
        return None
    times = [item["LastModified"] for page in seen for item in page.get("Contents", [])]
    return Written(max(times), len(times) if seen[-1].get("IsTruncated") else None) if times else None


def _labs_key(cloud: Cloud, bucket: Bucket, credentials: Sequence[Ec2Credential]) -> S3Access | None:
    """The key of the bucket's lab to it; None if there is none."""
    key = next((one for one in credentials if one.mark == bucket.mark), None)
    return _access(cloud, bucket, key) if key else None


@contextmanager
def _new_key(cloud: Cloud, bucket: Bucket) -> Iterator[S3Access]:
    """A key to a marked bucket, made for the body alone."""
    assert bucket.mark is not None  # noqa: S101 - the caller has looked
    credential = cloud.identity.create_ec2_credential(mark=bucket.mark)
    try:
        yield _access(cloud, bucket, credential)
    finally:
        cloud.identity.delete_ec2_credential(credential.access)


def _access(cloud: Cloud, bucket: Bucket, key: Ec2Credential) -> S3Access:
    return S3Access(bucket=bucket.name, endpoint=cloud.objects.endpoint(), access=key.access, secret=key.secret)
