"""The S3 server as it really runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from urllib.parse import urlsplit

import pytest

from chiops.cloud.base import S3Access
from chiops.cloud.local.cloud import LocalCloud
from chiops.cloud.local.keys import Keys
from chiops.cloud.local.s3server import S3Server
from chiops.cloud.local.seaweed import PORT
from chiops.errors import Auth, CloudError
from chiops.s3 import client as s3
from chiops.s3.purge import purge
from tests.support.nodes import port_answers
from tests.support.scratch import Scratch
from tests.support.target import Target

pytestmark = pytest.mark.nodes


@pytest.fixture
def scratch(local_target: Target, run_name: str) -> Iterator[Scratch]:
    with Scratch(local_target, run_name) as scratch:
        yield scratch


@pytest.fixture
def access(local_cloud: LocalCloud, scratch: Scratch) -> Iterator[S3Access]:
    bucket, credential = scratch.bucket(), scratch.credential()
    access = S3Access(
        bucket=bucket.name,
        endpoint=local_cloud.objects.endpoint(),
        access=credential.access,
        secret=credential.secret,
    )
    yield access
    purge(access)


@pytest.fixture
def server(local_cloud: LocalCloud) -> S3Server:
    return local_cloud.identity.s3_server


def kill(cloud: LocalCloud) -> None:
    """Kill the server's container as the machine's end would."""
    api = cloud.local.engine.client().api
    (container,) = api.containers(filters=cloud.local.filters("s3"))
    api.kill(container["Id"], "SIGKILL")
    api.wait(container["Id"])


def test_only_the_s3_port_answers(local_cloud: LocalCloud) -> None:
    address = urlsplit(local_cloud.objects.endpoint().url).hostname or ""
    assert port_answers(address, PORT)
    assert not [
        port
        for port in (8080, 8888, 9333, 18080, 18888, 19333, 10000 + PORT)
        if port_answers(address, port, timeout=0.3)
    ]


def test_what_was_acknowledged_survives_a_kill(local_cloud: LocalCloud, server: S3Server, access: S3Access) -> None:
    client = s3.client(access)
    bodies = {f"k{number}": bytes([number]) * 10_000 for number in range(40)}
    for key, body in bodies.items():
        client.put_object(Bucket=access.bucket, Key=key, Body=body)
    kill(local_cloud)
    assert not server.running()
    server.ensure()

    asked_once = s3.client(access, attempts=1)
    assert {key: asked_once.get_object(Bucket=access.bucket, Key=key)["Body"].read() for key in bodies} == bodies
    assert local_cloud.objects.get(access.bucket).objects == 40


def test_a_key_that_a_killed_process_told_nobody_of_is_good_all_the_same(
    local_cloud: LocalCloud, server: S3Server, scratch: Scratch, access: S3Access
) -> None:
    keys = Keys(local_cloud.local.store)
    made, gone = keys.add(scratch.mark), local_cloud.identity.create_ec2_credential(mark=scratch.mark)
    keys.revoke(gone.access)
    local_cloud.objects.endpoint()
    for key, good in ((made, True), (gone, False)):
        client = s3.client(
            S3Access(bucket=access.bucket, endpoint=access.endpoint, access=key.access, secret=key.secret)
        )
        with nullcontext() if good else pytest.raises(Auth, match="revoked"), s3.translated("Reading"):
            client.list_objects_v2(Bucket=access.bucket)
    local_cloud.identity.delete_ec2_credential(made.access)


def test_a_key_revoked_while_the_server_was_down_stays_refused(
    local_cloud: LocalCloud, server: S3Server, scratch: Scratch, access: S3Access
) -> None:
    revoked = local_cloud.identity.create_ec2_credential(mark=scratch.mark)
    kill(local_cloud)
    local_cloud.identity.delete_ec2_credential(revoked.access)
    server.ensure()
    client = s3.client(
        S3Access(bucket=access.bucket, endpoint=access.endpoint, access=revoked.access, secret=revoked.secret)
    )
    with pytest.raises(Auth, match="revoked"), s3.translated("Reading"):
        client.list_objects_v2(Bucket=access.bucket)
    assert s3.client(access).list_objects_v2(Bucket=access.bucket)["KeyCount"] == 0


def test_secrets_are_nowhere_to_be_seen(local_cloud: LocalCloud, access: S3Access) -> None:
    site = local_cloud.local
    api = site.engine.client().api
    (container,) = api.containers(filters=site.filters("s3"))
    shown = json.dumps(api.inspect_container(container["Id"])) + api.logs(container["Id"]).decode(errors="replace")
    for secret in (access.secret, Keys(site.store).admin().secret):
        assert secret not in shown
    assert (site.root / "s3" / "config" / "identities.json").stat().st_mode & 0o077 == 0


def test_a_server_that_ends_says_why(
    local_cloud: LocalCloud, server: S3Server, access: S3Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.stop()
    with monkeypatch.context() as patch:
        patch.setattr("chiops.cloud.local.seaweed.COMMAND", ("weed", "-logtostderr", "server", "-dir=/nowhere"))
        with pytest.raises(CloudError, match=r"The S3 server ended: .*nowhere"):
            server.ensure()
    server.ensure()
    s3.client(access).put_object(Bucket=access.bucket, Key="works", Body=b"again")
