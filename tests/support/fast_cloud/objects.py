"""Buckets and S3 keys of the fast cloud; objects go over S3, to a server that each process which asks for one starts in itself."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from chiops.cloud.base import Bucket, Ec2Credential, Identity, Mark, S3Endpoint
from chiops.errors import Conflict, InvalidRequest
from chiops.s3.names import bucket_name_problem
from tests.support.fast_cloud.s3_http import S3Http
from tests.support.fast_cloud.store import Row
from tests.support.fast_cloud.world import PROJECT, World


class FastObjects:
    """`base.Objects`. Its listing has no counts."""

    def __init__(self, world: World, server: S3Http) -> None:
        self._world = world
        self._server = server

    def endpoint(self) -> S3Endpoint:
        return S3Endpoint(self._server.url, provider="Other")

    def swift(self) -> None:
        return None

    def list(self) -> Sequence[Bucket]:
        with self._world.turn() as store:
            return [_bucket(row) for row in store.rows("bucket")]

    def get(self, name: str) -> Bucket:
        with self._world.turn():
            row = self._world.need("bucket", name, "bucket")
            return _bucket(row, *self._server.objects.count(name))

    def create(self, name: str, *, mark: Mark) -> Bucket:
        if problem := bucket_name_problem(name):
            raise InvalidRequest(problem)
        with self._world.turn() as store:
            self._world.check_quota("bucket", "bucket")
            if store.row("bucket", name):
                raise Conflict(f"there is a bucket {name} already")
            return _bucket(store.add(Row("bucket", name, self._world.user, mark, id=name)), 0, 0)

    def purge(self, name: str, on_progress: Callable[[int], None]) -> tuple[int, int]:
        with self._world.turn():
            self._world.need("bucket", name, "bucket")
            counted = self._server.objects.count(name)
            for one in self._server.objects.current(name):
                self._server.objects.delete(name, one.key)
        on_progress(counted[0])
        return counted

    def outpaces_s3(self, name: str) -> bool:
        return False

    def purge_segments(self, name: str) -> int:
        return 0

    def delete(self, name: str) -> None:
        with self._world.turn() as store:
            row = self._world.need("bucket", name, "bucket")
            if not self._server.objects.is_empty(name):
                raise Conflict(f"the bucket {name} is not empty")
            store.remove(row)


class FastIdentity:
    """`base.IdentityService`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def whoami(self) -> Identity:
        return Identity(self._world.user, self._world.user, PROJECT, "the project")

    def ec2_credentials(self) -> Sequence[Ec2Credential]:
        with self._world.turn() as store:
            return [_credential(row) for row in store.rows("credential") if row.user == self._world.user]

    def create_ec2_credential(self, *, mark: Mark) -> Ec2Credential:
        with self._world.turn() as store:
            self._world.check_quota("credential", "EC2 credential")
            access, secret = secrets.token_hex(16), secrets.token_hex(16)
            row = Row("credential", access, self._world.user, mark, body={"secret": secret}, id=access)
            return _credential(store.add(row))

    def delete_ec2_credential(self, access: str) -> None:
        with self._world.turn() as store:
            row = self._world.need("credential", access, "EC2 credential")
            if row.user != self._world.user:
                self._world.need("credential", f"{access} of {self._world.user}", "EC2 credential")
            store.remove(row)


def _bucket(row: Row, objects: int | None = None, size: int | None = None) -> Bucket:
    return Bucket(
        id=row.id, name=row.name, status="ready", mark=row.mark, created=row.created, objects=objects, size_bytes=size
    )


def _credential(row: Row) -> Ec2Credential:
    return Ec2Credential(
        access=row.id, secret=row.body["secret"], project_id=PROJECT, mark=row.mark, created=row.created
    )
