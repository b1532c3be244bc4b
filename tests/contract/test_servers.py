"""Servers: made, marked, found, deleted."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from chiops.cloud.base import Cloud, Image, Keypair, Lease, Node, SecurityGroup, Server, State
from chiops.errors import CloudError, InvalidRequest, NotFound, RemoteFailed
from tests.support.nodes import as_root, node_at, succeeds
from tests.support.poll import is_gone, wait_for, wait_gone
from tests.support.scratch import Scratch
from tests.support.target import NewServer, Reach


def test_create_tells_at_once_what_it_made(
    cloud: Cloud, scratch: Scratch, image: Image, lease: Lease, keypair: Keypair, ssh_group: SecurityGroup
) -> None:
    made = scratch.server(
        image=image, lease=lease, keypair=keypair, groups=[ssh_group], metadata={"purpose": "contract"}
    )
    assert made.state in {State.PENDING, State.READY}
    assert made.mark == scratch.mark
    assert cloud.compute.get(made.id).name == made.name
    assert made.id in {server.id for server in cloud.compute.list()}

    ready = scratch.until_ready(made)
    assert ready.mark == scratch.mark
    assert ready.metadata["purpose"] == "contract"
    assert ready.keypair == keypair.name
    assert ready.fault == ""
    assert ready.created is not None
    assert ready.created.tzinfo is not None
    assert IPv4Address(ready.fixed_address).is_private
    assert ready.floating_address == ""
    assert ready.security_groups == (ssh_group.name,)
    assert ready.volumes == ()


def test_list_and_get_agree(cloud: Cloud, shared_server: Server) -> None:
    (listed,) = (server for server in cloud.compute.list() if server.id == shared_server.id)
    found = cloud.compute.get(shared_server.id)
    for aspect in ("name", "state", "mark", "fixed_address", "floating_address", "security_groups"):
        assert getattr(listed, aspect) == getattr(found, aspect), aspect


def test_delete_until_gone(cloud: Cloud, scratch: Scratch, new_server: NewServer, shared_server: Server) -> None:
    server = new_server()
    cloud.compute.delete(server.id)
    wait_gone("server", lambda: cloud.compute.get(server.id), within=scratch.target.patience)
    remaining = {found.id for found in cloud.compute.list()}
    assert server.id not in remaining
    assert shared_server.id in remaining
    with pytest.raises(NotFound):
        cloud.compute.delete(server.id)


def test_what_is_unknown_is_not_found(cloud: Cloud, image: Image) -> None:
    unknown = str(uuid.uuid4())
    asked: list[Callable[[], object]] = [
        lambda: cloud.compute.get(unknown),
        lambda: cloud.compute.delete(unknown),
        lambda: cloud.compute.reboot(unknown),
        lambda: cloud.compute.start(unknown),
        lambda: cloud.compute.rebuild(unknown, image.id),
        lambda: cloud.compute.console_log(unknown),
    ]
    for ask in asked:
        with pytest.raises(NotFound):
            ask()


@pytest.mark.parametrize("missing", ["image", "keypair", "groups"])
def test_a_server_of_what_does_not_exist_is_refused(
    cloud: Cloud,
    scratch: Scratch,
    image: Image,
    lease: Lease,
    keypair: Keypair,
    ssh_group: SecurityGroup,
    missing: str,
) -> None:
    wrong = {
        "image": replace(image, id=str(uuid.uuid4())),
        "keypair": replace(keypair, name="no-such-key"),
        "groups": [replace(ssh_group, name="no-such-group")],
    }
    given = {"image": image, "lease": lease, "keypair": keypair, "groups": [ssh_group], missing: wrong[missing]}
    name = scratch.name("node")
    try:
        server = scratch.server(name=name, **given)  # type: ignore[arg-type]
    except (NotFound, InvalidRequest):
        assert name not in {found.name for found in cloud.compute.list()}
        return
    found = wait_for(
        "server refused",
        lambda: None if is_gone(lambda: cloud.compute.get(server.id)) else cloud.compute.get(server.id),
        until=lambda found: found is None or found.state is not State.PENDING,
        within=scratch.target.patience,
    )
    assert found is None or (found.state is State.FAILED and found.fault)


def test_ssh_answers_as_cc_with_sudo(shared_node: Node, shared_server: Server) -> None:
    assert shared_node.user == "cc"
    assert as_root(shared_node, "id -un") == "root"
    assert as_root(shared_node, "hostname") == shared_server.name


def test_only_the_servers_key_opens_it(cloud: Cloud, shared_node: Node, other_key: tuple[Path, str]) -> None:
    stranger = node_at(shared_node.address, other_key[0])
    with pytest.raises(RemoteFailed):
        as_root(stranger, "true")


def test_nodes_run_an_init_system_with_nothing_failed(shared_node: Node) -> None:
    assert as_root(shared_node, "systemctl is-system-running --wait || true") == "running"
    assert as_root(shared_node, "systemctl --failed --no-legend --plain") == ""


def test_console_log_is_the_tail_of_the_boot_log(cloud: Cloud, scratch: Scratch, shared_server: Server) -> None:
    text = wait_for(
        "console log",
        lambda: cloud.compute.console_log(shared_server.id, lines=5),
        within=scratch.target.patience,
    )
    assert 1 <= len(text.splitlines()) <= 5


def test_nodes_reach_each_other_at_their_fixed_addresses(
    shared_node: Node, shared_server: Server, new_server: NewServer, reach: Reach
) -> None:
    other = new_server()
    from_other = f"timeout 5 bash -c 'exec 3<>/dev/tcp/{shared_server.fixed_address}/22; head -c 4 <&3'"
    assert other.fixed_address != shared_server.fixed_address
    assert as_root(reach(other), from_other) == "SSH-"


def test_the_flavor_limits_memory_and_cpu(cloud: Cloud, scratch: Scratch, new_server: NewServer, reach: Reach) -> None:
    flavor = min(cloud.compute.flavors(), key=lambda flavor: (flavor.ram_mib, flavor.vcpus))
    node = reach(new_server(lease=scratch.ready_lease(flavor=flavor.name)))
    fill = "python3 -c 'len(b\"x\" * ({} << 20))'"
    assert succeeds(node, fill.format(flavor.ram_mib // 4))
    assert not succeeds(node, fill.format(flavor.ram_mib + 64))
    spin = "timeout 2 sh -c 'while :; do :; done' &\n" * (flavor.vcpus + 1)
    script = f"bash <<'EOF' 2>&1\nTIMEFORMAT='%U %S'\ntime {{ {spin} wait; }}\nEOF"
    user, system = as_root(node, script).split()
    assert float(user) + float(system) <= 2 * flavor.vcpus * 1.25


def test_an_error_of_the_cloud_says_what_and_why(cloud: Cloud) -> None:
    with pytest.raises(CloudError) as caught:
        cloud.compute.get("no-such-server")
    assert "no-such-server" in str(caught.value)
