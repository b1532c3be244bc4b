"""A node and a bucket with some files in it, shared by the tests of one module, which build on each other's state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from chiops.cloud.base import Node, S3Access
from chiops.remote.ansible import PlaybookRun, run_playbook
from tests.conftest import ServerFactory
from tests.support.scratch import Scratch
from tests.support.target import Target

PATH = "/mnt/object"
FILES = {
    "Food-11/training/class_00/0.jpg": b"jpeg 0",
    "Food-11/training/class_01/1.jpg": b"jpeg 1",
    "index.json": b"{}",
}


@dataclass(frozen=True)
class Lab:
    """A node and the bucket that it shall mount."""

    node: Node
    access: S3Access

    @property
    def secrets(self) -> dict[str, Any]:
        """The bucket's remote, as rclone.conf will have it."""
        options = {
            "type": "s3",
            "provider": self.access.endpoint.provider,
            "access_key_id": self.access.access,
            "secret_access_key": self.access.secret,
            "endpoint": self.access.endpoint.url,
            "region": self.access.endpoint.region,
        }
        return {"rclone_remotes": {"rclone_s3": options}}

    def play(self, *names: str, secrets: dict[str, Any] | None = None, **variables: Any) -> PlaybookRun:
        """Run playbooks on the node, with the bucket as the one mount."""
        mounts = [{"bucket": self.access.bucket, "path": PATH}]
        given = {"bucket_mounts": mounts, **variables}
        return run_playbook(names, [self.node], variables=given, secrets=secrets or self.secrets)


@pytest.fixture(scope="module")
def lab(server: ServerFactory, local_target: Target, run_name: str) -> Iterator[Lab]:
    """One node, and one bucket with `FILES` in it."""
    with Scratch(local_target, run_name) as scratch:
        key, bucket, endpoint = scratch.credential(), scratch.bucket(), scratch.cloud.objects.endpoint()
        client = boto3.client(
            "s3",
            endpoint_url=endpoint.url,
            region_name=endpoint.region,
            aws_access_key_id=key.access,
            aws_secret_access_key=key.secret,
        )
        for name, content in FILES.items():
            client.put_object(Bucket=bucket.name, Key=name, Body=content)
        yield Lab(server(), S3Access(bucket=bucket.name, endpoint=endpoint, access=key.access, secret=key.secret))
        for name in FILES:
            client.delete_object(Bucket=bucket.name, Key=name)
