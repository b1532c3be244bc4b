"""Killed at any point while a server is made, rebuilt or deleted: whoever opens the site next brings it to an end."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from chiops.cloud.base import BootVolume, Mark, Server, ServerRequest, State
from chiops.cloud.local import containers
from chiops.cloud.local.cloud import LocalCloud
from chiops.errors import CloudError
from tests.support.poll import wait_for
from tests.support.target import IMAGE

pytestmark = pytest.mark.nodes

HERE = "chiops.cloud.local"


@pytest.fixture
def keypair(local_cloud: LocalCloud, key: tuple[Path, str]) -> Iterator[str]:
    name = f"killed-{secrets.token_hex(3)}"
    local_cloud.compute.create_keypair(name, key[1], mark=Mark("doomed", "me"))
    yield name
    local_cloud.compute.delete_keypair(name)


@pytest.fixture
def server(local_cloud: LocalCloud, keypair: str) -> Iterator[Server]:
    request = ServerRequest(
        name="doomed", image_id=IMAGE, flavor_id="m1.tiny", keypair=keypair, mark=Mark("doomed", "me")
    )
    yield local_cloud.compute.create(request)
    for left in doomed(local_cloud):
        local_cloud.compute.delete(left.id)


def doomed(cloud: LocalCloud) -> list[Server]:
    """The servers of these tests."""
    return [server for server in cloud.compute.list() if server.name == "doomed"]


def kill(action: str, point: str, moment: str, keypair: str, server_id: str = "") -> None:
    command = [
        sys.executable,
        "-m",
        "tests.unit.cloud.local.killed",
        action,
        f"{HERE}.{point}",
        moment,
        keypair,
        server_id,
    ]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, f"it was to be killed, but: {done.stderr}"


def remains(cloud: LocalCloud) -> dict[str, set[str]]:
    """What the site still knows of servers that Docker does not have."""
    there = containers.server_ids(cloud.local)
    known = {
        "folders": {entry.name for entry in cloud.local.nodes_dir.glob("*/")},
        "files": {entry.name.split(".")[0] for entry in cloud.local.nodes_dir.iterdir() if entry.is_file()},
    }
    for table in ("fixed_ips", "slot_blocks", "server_groups"):
        known[table] = {row["server_id"] for row in cloud.local.store.rows(f"SELECT server_id FROM {table}")}  # noqa: S608
    return {kind: ids - there for kind, ids in known.items() if ids - there}


@pytest.mark.parametrize(
    ("point", "moment"),
    [
        ("addresses:Addresses.reserve_fixed", "after"),
        ("slots:Slots.reserve", "after"),
        ("network:LocalNetwork.write_node_files", "after"),
        ("containers:put", "before"),
        ("node:start", "before"),
        ("node:start", "after"),
    ],
)
def test_making(local_cloud: LocalCloud, keypair: str, point: str, moment: str) -> None:
    kill("create", point, moment, keypair)
    with LocalCloud():
        pass
    assert remains(local_cloud) == {}
    found = doomed(local_cloud)
    assert len(found) <= 1
    for server in found:
        assert server.state is State.READY, "what can be completed is"
        local_cloud.compute.delete(server.id)
    assert doomed(local_cloud) == []


@pytest.mark.parametrize(
    ("point", "moment"),
    [
        ("shelf:Shelf.add", "after"),
        ("rootfs:_remove", "after"),
        ("attaching:Disks.bind", "before"),
        ("node:start", "before"),
    ],
)
def test_making_with_a_boot_volume(local_cloud: LocalCloud, keypair: str, point: str, moment: str) -> None:
    """A volume without name and mark is never left over, and a server that is there boots from its volume."""
    before = {volume.id for volume in local_cloud.volumes.list()}
    kill("boot", point, moment, keypair)
    with LocalCloud():
        pass
    assert remains(local_cloud) == {}
    found = doomed(local_cloud)
    assert len(found) <= 1
    for server in found:
        assert server.state is State.READY, "what can be completed is"
        wait_for("the move into the volume", partial(root_of, local_cloud, server.id), until="/dev/vda\n".__eq__)
        local_cloud.compute.delete(server.id)
    assert {volume.id for volume in local_cloud.volumes.list()} == before


def root_of(cloud: LocalCloud, server_id: str) -> str:
    """The device that a node's root file system is on; "" while it moves there, when nothing can be started in it."""
    with suppress(CloudError):
        return containers.run(cloud.local, server_id, ["findmnt", "-no", "SOURCE", "/"])
    return ""


def test_deleting_with_a_boot_volume(local_cloud: LocalCloud, keypair: str) -> None:
    """Killed before the volume that is to go is gone: then it goes with the rest."""
    request = ServerRequest(
        name="doomed",
        image_id=IMAGE,
        flavor_id="m1.tiny",
        keypair=keypair,
        mark=Mark("doomed", "me"),
        boot_volume=BootVolume(size_gib=2),
    )
    made = local_cloud.compute.create(request)
    (volume,) = made.volumes
    kill("delete", "shelf:Shelf.remove", "before", keypair, made.id)
    with LocalCloud():
        pass
    assert remains(local_cloud) == {}
    assert doomed(local_cloud) == []
    assert volume not in {found.id for found in local_cloud.volumes.list()}


@pytest.mark.parametrize(
    ("point", "moment"),
    [
        ("servers:LocalCompute._remove_container", "before"),
        ("servers:LocalCompute._remove_container", "after"),
        ("slots:Slots.release", "after"),
        ("network:LocalNetwork.forget_server", "after"),
    ],
)
def test_deleting(local_cloud: LocalCloud, keypair: str, server: Server, point: str, moment: str) -> None:
    kill("delete", point, moment, keypair, server.id)
    with LocalCloud():
        pass
    assert remains(local_cloud) == {}
    for left in doomed(local_cloud):
        assert left.state is State.READY, "it is either there or gone"


@pytest.mark.parametrize(
    ("point", "moment"),
    [
        ("servers:LocalCompute._remove_container", "before"),
        ("servers:LocalCompute._remove_container", "after"),
        ("containers:put", "before"),
        ("node:start", "after"),
    ],
)
def test_rebuilding(local_cloud: LocalCloud, keypair: str, server: Server, point: str, moment: str) -> None:
    kill("rebuild", point, moment, keypair, server.id)
    (between,) = doomed(local_cloud)
    assert between.id == server.id, "it is never missing from the list"
    with LocalCloud():
        pass
    assert remains(local_cloud) == {}
    (after,) = doomed(local_cloud)
    assert (after.id, after.state, after.fixed_address) == (server.id, State.READY, server.fixed_address)


def test_docker_itself(local_cloud: LocalCloud, server: Server) -> None:
    """Nodes outlive the site's own daemon, and are never taken for gone while it is down."""
    if not local_cloud.local.engine.own:
        pytest.skip("this machine's own Docker carries the nodes, and is not ours to kill")
    daemon = local_cloud.local.engine.daemon
    os.kill(daemon.pid(), signal.SIGKILL)
    wait_for("Docker's end", lambda: daemon.pid() == 0)
    found = local_cloud.compute.get(server.id)
    assert (found.state, found.fixed_address) == (State.READY, server.fixed_address)
    assert containers.run(local_cloud.local, server.id, ["echo", "alive"]) == "alive\n"
