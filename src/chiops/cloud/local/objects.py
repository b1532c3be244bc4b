"""Buckets of the local site."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from chiops.cloud.base import Bucket, Mark, S3Endpoint, State
from chiops.cloud.local.locks import FileLock
from chiops.cloud.local.space import require_free
from chiops.errors import ChiopsError, Conflict, InvalidRequest, NotFound, Transient
from chiops.s3 import client as s3
from chiops.s3 import names

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from chiops.cloud.local.identity import LocalIdentity
    from chiops.cloud.local.site import LocalSite

MIN_FREE = 512 << 20
"""Bytes that must be free for another bucket."""
LOOK_S, LOOKS = 10.0, 2
"""How long, and how often, the server is asked by those who only look."""


class LocalObjects:
    """`base.Objects` at the local site.

    Only we can make and delete buckets there, so the site's database knows them all, and whose they are; listing them needs
    no server. A bucket that is being made or deleted counts as unsure, and one that stays so because its process was killed
    is asked after at the server.
    """

    def __init__(self, site: LocalSite, identity: LocalIdentity) -> None:
        self._site = site
        self._store = site.store
        self._server = identity.s3_server
        self._store.define(
            "CREATE TABLE IF NOT EXISTS buckets (name TEXT PRIMARY KEY, sure INTEGER NOT NULL, lab TEXT NOT NULL,"
            " owner TEXT NOT NULL, created TEXT NOT NULL)"
        )
        site.on_node_started(self._node_started)

    def endpoint(self) -> S3Endpoint:
        """Where the S3 server answers; started if need be."""
        self._server.ensure()
        return self._server.endpoint()

    def swift(self) -> None:
        """None: its S3 server has no Swift."""

    def list(self) -> Sequence[Bucket]:
        """All buckets, without counts. While the server does not run or answer they say so; it is not started for that."""
        self._settle()
        found = [_bucket(row) for row in self._store.rows("SELECT * FROM buckets WHERE sure ORDER BY name")]
        if found and (trouble := self._trouble()):
            return [replace(one, status="not served", state=State.STOPPED, fault=trouble) for one in found]
        return found

    def _trouble(self) -> str:
        try:
            return self._server.trouble()
        except ChiopsError as error:
            return error.what

    def get(self, name: str) -> Bucket:
        """One bucket, with its objects counted.

        Raises:
            NotFound: there is none of that name.
        """
        self._settle()
        row = self._row(name)
        client = self._client(timeout_s=LOOK_S, attempts=LOOKS)
        count = size = 0
        with s3.translated(f"Listing the bucket {name}"):
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
                contents = page.get("Contents", [])
                count += len(contents)
                size += sum(item.get("Size", 0) for item in contents)
        return _bucket(row, objects=count, size_bytes=size)

    def create(self, name: str, *, mark: Mark) -> Bucket:
        """A new, empty bucket.

        Raises:
            InvalidRequest: S3 would not have that name; says which rule it breaks and suggests another.
            Conflict: there is one of that name.
            Transient: whether there is one cannot be found out now.
            Capacity: the disk is full.
        """
        if problem := names.bucket_name_problem(name):
            what, _, todo = problem.partition("; ")
            raise InvalidRequest(what, todo=todo)
        self._settle()
        with self._lock():
            if row := self._store.row("SELECT sure FROM buckets WHERE name = ?", (name,)):
                if row["sure"]:
                    raise Conflict(f"There is a bucket {name} already", todo="choose another name")
                raise Transient(
                    f"It is not known whether there is a bucket {name} already",
                    why="making or deleting it was broken off, and the S3 server does not answer",
                    todo="try again",
                )
            require_free(f"Making the bucket {name}", self._site.root, MIN_FREE)
            client = self._client()
            self._store.execute(
                "INSERT INTO buckets VALUES (?, 0, ?, ?, ?)",
                (name, mark.lab, mark.owner, datetime.now(UTC).isoformat()),
            )
            try:
                with s3.translated(f"Making the bucket {name}"):
                    client.create_bucket(Bucket=name)
            finally:
                self._ask(name, client)
        return _bucket(self._row(name), objects=0, size_bytes=0)

    def purge(self, name: str, on_progress: Callable[[int], None]) -> tuple[int, int]:
        """Delete every object, with the server's own key."""
        from chiops.s3.purge import purge

        self._settle()
        self._row(name)
        self._server.ensure()
        access = replace(self._server.access(), bucket=name)
        gone = purge(access, on_progress=lambda so_far: on_progress(so_far.objects))
        return gone.objects, gone.bytes

    def outpaces_s3(self, name: str) -> bool:
        """No: it has no other interface."""
        self._row(name)
        return False

    def purge_segments(self, name: str) -> int:
        """Nothing: S3 keeps large objects in one piece."""
        self._row(name)
        return 0

    def delete(self, name: str) -> None:
        """Delete an empty bucket.

        Raises:
            NotFound: there is none of that name.
            Conflict: it is not empty.
        """
        self._settle()
        with self._lock():
            self._row(name)
            client = self._client()
            self._store.execute("UPDATE buckets SET sure = 0 WHERE name = ?", (name,))
            try:
                with s3.translated(f"Deleting the bucket {name}"):
                    client.delete_bucket(Bucket=name)
            finally:
                self._ask(name, client)

    def _settle(self) -> None:
        """Ask the server after buckets that a killed process left unsure; if a living one is at it, leave it to that."""
        unsure = "SELECT name FROM buckets WHERE NOT sure"
        if not self._store.rows(unsure):
            return
        lock = self._lock()
        if lock.acquire(wait=False):
            try:
                with suppress(ChiopsError):
                    client = self._client(timeout_s=LOOK_S, attempts=LOOKS)
                    for row in self._store.rows(unsure):
                        self._ask(row["name"], client)
            finally:
                lock.release()

    def _ask(self, name: str, client: S3Client) -> None:
        """Make sure of a bucket: the server says whether it is there. Without an answer it stays unsure."""
        try:
            with s3.translated(f"Asking for the bucket {name}"):
                client.head_bucket(Bucket=name)
            self._store.execute("UPDATE buckets SET sure = 1 WHERE name = ?", (name,))
        except NotFound:
            self._store.execute("DELETE FROM buckets WHERE name = ?", (name,))
        except ChiopsError:
            return

    def _client(self, *, timeout_s: float | None = None, attempts: int = s3.ATTEMPTS) -> S3Client:
        self._server.ensure()
        return s3.client(self._server.access(), timeout_s=timeout_s, attempts=attempts)

    def _row(self, name: str) -> sqlite3.Row:
        if (row := self._store.row("SELECT * FROM buckets WHERE name = ? AND sure", (name,))) is None:
            raise NotFound(f"No bucket {name} at the local site")
        return row

    def _lock(self) -> FileLock:
        """One for making and deleting buckets, over processes too; a fresh object each time, for threads."""
        return FileLock(self._site.root / "buckets.lock")

    def _node_started(self, server_id: str) -> None:  # noqa: ARG002
        """A node that is up again may mount a bucket, so the server must be up, too."""
        if self._store.row("SELECT name FROM buckets LIMIT 1"):
            self._server.ensure()


def _bucket(row: sqlite3.Row, *, objects: int | None = None, size_bytes: int | None = None) -> Bucket:
    return Bucket(
        id=row["name"],
        name=row["name"],
        status="ready",
        mark=Mark(row["lab"], row["owner"]),
        created=datetime.fromisoformat(row["created"]),
        objects=objects,
        size_bytes=size_bytes,
    )
