"""One suite for every cloud. `local` runs wherever this machine can carry nodes, `openstack` where OS_CLOUD names a cloud, and
`fast` everywhere: it is the cloud that the tests of faults run at, and only worth something if it keeps the contract.

CHIOPS_TEST_REAL_NODES=1 says that the OpenStack cloud's servers really boot; without it, what needs to log in is left out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from chiops.cloud.base import Cloud, Image, Keypair, Lease, Node, SecurityGroup, Server
from chiops.cloud.openstack.cloud import connect
from chiops.cloud.openstack.entries import facts_of
from chiops.cloud.sites import sites
from chiops.remote.ssh import Ssh
from tests.support.fast_cloud.cloud import FastCloud
from tests.support.nodes import new_key, node_at, wait_ssh
from tests.support.scratch import Scratch
from tests.support.target import FLAVOR, IMAGE, SSH, NewServer, Reach, Target

OS_CLOUD = os.environ.get("OS_CLOUD", "")
CLOUDS = ["fast", "local", "openstack"] if OS_CLOUD else ["fast", "local"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the cloud that it runs at."""
    for item in items:
        if isinstance(item, pytest.Function) and "target" in getattr(item, "callspec", item).__dict__.get("params", {}):
            marker = {"local": "nodes", "openstack": "openstack"}.get(item.callspec.params["target"])
            if marker:
                item.add_marker(marker)


def _openstack() -> Cloud:
    facts = facts_of(OS_CLOUD, sites())
    assert facts, f"clouds.yaml has no entry {OS_CLOUD!r}"
    return connect(facts)


@pytest.fixture(scope="session", params=CLOUDS)
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """The cloud under test with its capabilities."""
    if request.param == "local":
        yield request.getfixturevalue("local_target")
        return
    if request.param == "fast":
        file = request.getfixturevalue("tmp_path_factory").mktemp("fast") / "cloud.db"
        with FastCloud(file) as cloud:
            other = partial(FastCloud, file, user="mate")
            yield Target(cloud, real_nodes=False, shares_kernel=False, lease_step=1, patience=20, other=other)
        return
    real = os.environ.get("CHIOPS_TEST_REAL_NODES", "") == "1"
    home = request.getfixturevalue("tmp_path_factory").mktemp("openstack")
    with pytest.MonkeyPatch.context() as patch, _openstack() as cloud:
        patch.setenv("XDG_STATE_HOME", str(home))
        cloud.prepare()
        yield Target(
            cloud, real_nodes=real, shares_kernel=False, lease_step=60, patience=900 if real else 120, keys_kept=360
        )


@pytest.fixture(scope="session")
def cloud(target: Target) -> Cloud:
    """The cloud under test."""
    return target.cloud


@pytest.fixture
def real_nodes(target: Target) -> None:
    """Leaves the test out where servers do not really boot."""
    if not target.real_nodes:
        pytest.skip("nodes are not real at this cloud, set CHIOPS_TEST_REAL_NODES=1 if they are")


@pytest.fixture
def shares_kernel(target: Target) -> None:
    """Leaves the test out where nodes are machines of their own."""
    if not target.shares_kernel:
        pytest.skip("nodes of this cloud do not run on this machine's kernel")


@pytest.fixture(scope="session")
def shared(target: Target, run_name: str) -> Iterator[Scratch]:
    """Resources that all tests at one cloud share; tests leave them as they found them."""
    with Scratch(target, run_name) as scratch:
        yield scratch


@pytest.fixture
def scratch(target: Target, run_name: str) -> Iterator[Scratch]:
    """Resources of one test."""
    with Scratch(target, run_name) as scratch:
        yield scratch


@pytest.fixture(scope="session")
def image(cloud: Cloud) -> Image:
    """The image that labs use."""
    return next(image for image in cloud.compute.images() if image.name == IMAGE)


@pytest.fixture(scope="session")
def lease(shared: Scratch) -> Lease:
    """Room for the servers of this run: the shared one and up to three of a test."""
    return shared.ready_lease(flavor=FLAVOR, amount=4)


@pytest.fixture(scope="session")
def keypair(shared: Scratch, key: tuple[Path, str]) -> Keypair:
    """The keypair that opens this run's servers."""
    return shared.keypair(key[1])


@pytest.fixture(scope="session")
def ssh_group(shared: Scratch) -> SecurityGroup:
    """Opens ssh and nothing else."""
    return shared.group(SSH)


@pytest.fixture
def new_server(scratch: Scratch, image: Image, lease: Lease, keypair: Keypair, ssh_group: SecurityGroup) -> NewServer:
    """Makes a ready server of this test; keyword arguments replace those of `Scratch.server`."""

    def make(**changes: object) -> Server:
        given: dict[str, object] = {"image": image, "lease": lease, "keypair": keypair, "groups": [ssh_group]}
        return scratch.until_ready(scratch.server(**(given | changes)))  # type: ignore[arg-type]

    return make


def _reach(scratch: Scratch, key_file: Path, server: Server) -> Node:
    if not server.floating_address:
        address = scratch.floating_ip()
        server_address = scratch.cloud.network.bind_floating_ip(address.id, server.id).address
    else:
        server_address = server.floating_address
    node = node_at(server_address, key_file, server_id=server.id, name=server.name)
    scratch.on_close(Ssh(node).close)
    wait_ssh(node, within=scratch.target.patience)
    return node


@pytest.fixture
def reach(real_nodes: None, scratch: Scratch, key: tuple[Path, str]) -> Reach:
    """The node behind a server, over a floating IP, once ssh answers."""
    return lambda server: _reach(scratch, key[0], server)


@pytest.fixture(scope="session")
def shared_server(shared: Scratch, image: Image, lease: Lease, keypair: Keypair, ssh_group: SecurityGroup) -> Server:
    """One ready server for all tests that leave it as it was."""
    return shared.until_ready(shared.server(image=image, lease=lease, keypair=keypair, groups=[ssh_group]))


@pytest.fixture(scope="session")
def _shared_node(target: Target, shared: Scratch, shared_server: Server, key: tuple[Path, str]) -> Node | None:
    return _reach(shared, key[0], shared_server) if target.real_nodes else None


@pytest.fixture
def shared_node(real_nodes: None, _shared_node: Node) -> Node:
    """The shared server as a node, ssh answers."""
    return _shared_node


@pytest.fixture(scope="session")
def other_key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A second ssh key, which opens nothing unless a test says so."""
    return new_key(tmp_path_factory.mktemp("other-key"))
