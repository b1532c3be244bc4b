"""Empties a bucket: objects, their versions and delete markers, unfinished uploads; as fast as the server lets us."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from chiops.cloud.base import S3Access
from chiops.errors import CloudError, DataError
from chiops.etl.parallel import through
from chiops.names import format_bytes
from chiops.s3 import client as s3
from chiops.s3.deletion import Deleter, Entry, Outcome
from chiops.s3.listing import entries, uploads

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

IN_FLIGHT = 16
"""Most batches at once; Ceph RGW works on as many keys of a batch at once."""
BATCH = 1000
"""Keys per request, the most that S3 allows."""


@dataclass(frozen=True, slots=True)
class Purged:
    """What is gone: current objects and their bytes, old versions and delete markers, unfinished uploads."""

    objects: int = 0
    bytes: int = 0
    versions: int = 0
    uploads: int = 0

    def __add__(self, other: Purged) -> Purged:
        return Purged(
            self.objects + other.objects,
            self.bytes + other.bytes,
            self.versions + other.versions,
            self.uploads + other.uploads,
        )

    def words(self) -> str:
        """For people: ``1,200 objects (5.0 MiB), 3 old versions``."""
        more = {"old versions": self.versions, "unfinished uploads": self.uploads}
        objects = f"{self.objects:,} objects ({format_bytes(self.bytes)})"
        return ", ".join([objects, *(f"{count:,} {what}" for what, count in more.items() if count)])


def purge(access: S3Access, *, on_progress: Callable[[Purged], None] = lambda _: None) -> Purged:
    """Delete everything in the bucket ``access.bucket``; the bucket itself stays. What is gone already is no error.

    Args:
        access: bucket, endpoint and key.
        on_progress: told the totals after every batch, from this thread.

    Raises:
        DataError: something cannot be deleted, or is being added as fast as we delete; names one such key, and says how much
            went and how much did not.
        NotFound, Auth, Transient, Timeout: as the S3 server says.
    """
    with s3.translated(f"Emptying the bucket {access.bucket}"):
        return _Purge(access, on_progress).run()


class _Purge:
    def __init__(self, access: S3Access, on_progress: Callable[[Purged], None]) -> None:
        self._bucket = access.bucket
        self._lister = s3.client(access, connections=2)
        # One attempt: an overloaded server's SlowDown must reach us, who ask for less at once
        self._deleter = Deleter(s3.client(access, connections=IN_FLIGHT, attempts=1), access.bucket)
        self._gate = Gate(IN_FLIGHT)
        self._on_progress = on_progress
        self._total = Purged()
        self._stuck: tuple[Entry, CloudError] | None = None
        self._refused = 0

    def run(self) -> Purged:
        """Passes until one finds nothing. Each must find less than the one before, or we stop."""
        before = -1
        while found := self._pass():
            if 0 <= before <= found:
                raise self._no_progress(found)
            before = found
        return self._total

    def _pass(self) -> int:
        """Delete all that is listed now; how much that was."""
        found = 0
        self._stuck, self._refused = None, 0
        batches = _batches(entries(self._lister, self._bucket))
        with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="purge") as pool:
            for outcome in through(pool, IN_FLIGHT, self._delete, batches):
                found += len(outcome.deleted) + len(outcome.failed)
                self._count(outcome)
        return found + self._abort_uploads()

    def _delete(self, batch: list[Entry]) -> Outcome:
        return self._deleter.delete(batch, self._gate)

    def _count(self, outcome: Outcome) -> None:
        if outcome.failed:
            self._stuck = outcome.failed[0]
            self._refused += len(outcome.failed)
        current = [entry for entry in outcome.deleted if entry.current]
        self._add(Purged(len(current), sum(entry.size for entry in current), len(outcome.deleted) - len(current)))

    def _add(self, gone: Purged) -> None:
        self._total += gone
        self._on_progress(self._total)

    def _abort_uploads(self) -> int:
        aborted = 0
        for page in uploads(self._lister, self._bucket):
            for upload in page.get("Uploads", []):
                _abort(self._lister, self._bucket, upload["Key"], upload["UploadId"])
                aborted += 1
        if aborted:
            self._add(Purged(uploads=aborted))
        return aborted

    def _no_progress(self, left: int) -> DataError:
        if self._stuck is None:
            return still_written(self._bucket, self._total, left)
        entry, error = self._stuck
        return not_emptied(self._bucket, self._total, self._refused, entry.key, error.why or error.what)


def still_written(bucket: str, gone: Purged, left: int) -> DataError:
    """The error for a bucket to which objects are added as fast as they go; says how many went and how many were there."""
    return DataError(
        f"The bucket {bucket} cannot be emptied: {gone.words()} are gone, {left:,} are there",
        why="something is still writing to it",
        todo="stop what writes to it and try again",
    )


def not_emptied(bucket: str, gone: Purged, left: int, key: str, why: str) -> DataError:
    """The error that says what went and how many keys would not, and names one of them."""
    told = f"{gone.words()} are gone, {left:,} would not go, such as {key!r}"
    return DataError(f"The bucket {bucket} cannot be emptied: {told}", why=why)


def _abort(client: S3Client, bucket: str, key: str, upload: str) -> None:
    from botocore.exceptions import ClientError

    try:
        client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "NoSuchUpload":
            raise


def _batches(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while batch := list(islice(entries, BATCH)):
        yield batch


class Gate:
    """Lets so many through at once: half as many after each refusal for overload, slowly more again after successes."""

    def __init__(self, most: int, sleep: Callable[[float], None] = time.sleep) -> None:
        self.width = most
        self._most = most
        self._inside = 0
        self._successes = 0
        self._changed = threading.Condition()
        self._sleep = sleep

    def __enter__(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._inside < self.width)
            self._inside += 1

    def __exit__(self, *exc: object) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def succeeded(self) -> None:
        """A request came through."""
        with self._changed:
            self._successes += 1
            if self._successes >= self.width and self.width < self._most:
                self.width, self._successes = self.width + 1, 0
                self._changed.notify_all()

    def overloaded(self, attempt: int) -> None:
        """The server had too much; waits a moment, longer at each ``attempt`` (0, 1 …)."""
        with self._changed:
            self.width, self._successes = max(1, self.width // 2), 0
        self._sleep(min(0.5 * 2**attempt, 8.0))
