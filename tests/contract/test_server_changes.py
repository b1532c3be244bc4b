"""What a reboot, a start and a rebuild keep, and what they take."""

from __future__ import annotations

import pytest

from chiops.cloud.base import Attachment, Cloud, Image, Node, Server, State
from tests.support.halting import halt
from tests.support.nodes import as_root, port_answers, succeeds, wait_ssh
from tests.support.poll import wait_for
from tests.support.scratch import Scratch
from tests.support.target import NewServer, Reach


def written(node: Node, attachment: Attachment) -> str:
    """Put a word at the start of the volume and wait until it is on the disk."""
    as_root(node, f"printf 'kept word' | dd of={attachment.by_id} conv=fsync,notrunc status=none")
    return read(node, attachment)


def read(node: Node, attachment: Attachment) -> str:
    return as_root(node, f"head -c 9 {attachment.by_id}")


def test_reboot_keeps_disk_address_volumes_and_firewall(
    cloud: Cloud, scratch: Scratch, new_server: NewServer, reach: Reach
) -> None:
    server = new_server()
    node = reach(server)
    attachment = scratch.attached(scratch.volume(), server)
    assert written(node, attachment) == "kept word"
    as_root(node, "echo here >/root/on-disk; echo here >/run/in-memory; sync")
    cloud.compute.reboot(server.id)
    wait_for("reboot", lambda: succeeds(node, "test ! -e /run/in-memory"), within=scratch.target.patience)

    after = scratch.until_ready(server)
    assert (after.fixed_address, after.volumes) == (server.fixed_address, (attachment.volume_id,))
    assert after.floating_address == node.address
    assert as_root(node, "cat /root/on-disk") == "here"
    assert read(node, attachment) == "kept word"
    as_root(node, "systemd-run --quiet python3 -m http.server 8080")
    wait_for("listener", lambda: succeeds(node, "timeout 2 bash -c ':>/dev/tcp/127.0.0.1/8080'"))
    assert not port_answers(node.address, 8080), "the firewall is there again after a reboot"


def test_a_reboot_from_inside_is_as_good(cloud: Cloud, scratch: Scratch, new_server: NewServer, reach: Reach) -> None:
    server = new_server()
    node = reach(server)
    attachment = scratch.attached(scratch.volume(), server)
    assert written(node, attachment) == "kept word"
    as_root(
        node,
        "echo here >/run/in-memory; systemd-run --quiet --on-active=1 --timer-property=AccuracySec=100ms systemctl reboot",
    )
    wait_for("reboot", lambda: succeeds(node, "test ! -e /run/in-memory"), within=scratch.target.patience)
    assert read(node, attachment) == "kept word"
    assert scratch.until_ready(server).fixed_address == server.fixed_address


def halted(cloud: Cloud, scratch: Scratch, server: Server, status: str) -> Server:
    """The server once somebody else has halted it."""
    if not halt(cloud, server.id, status):
        pytest.skip(f"no server of this cloud is ever {status}")
    return wait_for(
        status,
        lambda: cloud.compute.get(server.id),
        until=lambda found: found.status == status,
        within=scratch.target.patience,
    )


def started(cloud: Cloud, scratch: Scratch, server: Server) -> Server:
    """The server once it runs again, of which the cloud says nothing at first."""
    cloud.compute.start(server.id)
    return wait_for(
        "start",
        lambda: cloud.compute.get(server.id),
        until=lambda found: found.state is State.READY,
        within=scratch.target.patience,
    )


@pytest.mark.parametrize("status", ["SHUTOFF", "PAUSED", "SUSPENDED"])
def test_one_that_was_halted_goes_on(cloud: Cloud, scratch: Scratch, new_server: NewServer, status: str) -> None:
    server = new_server()
    assert halted(cloud, scratch, server, status).state is State.STOPPED
    after = started(cloud, scratch, server)
    assert (after.id, after.fixed_address, after.security_groups) == (
        server.id,
        server.fixed_address,
        server.security_groups,
    )
    cloud.compute.start(server.id)
    assert cloud.compute.get(server.id).state is State.READY, "one that runs is left alone"


@pytest.mark.parametrize("status", ["PAUSED", "SUSPENDED"])
def test_one_that_was_halted_keeps_its_memory_and_what_it_has_mounted(
    cloud: Cloud, scratch: Scratch, new_server: NewServer, reach: Reach, status: str
) -> None:
    server = new_server()
    node = reach(server)
    attachment = scratch.attached(scratch.volume(), server)
    assert written(node, attachment) == "kept word"
    as_root(node, "echo here >/run/in-memory")
    halted(cloud, scratch, server, status)
    started(cloud, scratch, server)
    wait_ssh(node, within=scratch.target.patience)
    assert as_root(node, "cat /run/in-memory") == "here"
    assert read(node, attachment) == "kept word"


def test_rebuild_makes_the_disk_new_and_keeps_address_and_volumes(
    cloud: Cloud, scratch: Scratch, image: Image, new_server: NewServer, reach: Reach
) -> None:
    server = new_server()
    node = reach(server)
    attachment = scratch.attached(scratch.volume(), server)
    assert written(node, attachment) == "kept word"
    as_root(node, "echo here >/root/on-disk; sync")
    cloud.compute.rebuild(server.id, image.id)
    fresh = Node(
        name=node.name,
        address=node.address,
        user=node.user,
        key_file=node.key_file,
        known_hosts=node.known_hosts.with_name(f"{node.known_hosts.name}-rebuilt"),
    )
    wait_for("rebuilt", lambda: succeeds(fresh, "test ! -e /root/on-disk"), within=scratch.target.patience)
    wait_ssh(fresh, within=scratch.target.patience)

    after: Server = scratch.until_ready(server)
    assert (after.id, after.name, after.mark) == (server.id, server.name, scratch.mark)
    assert (after.fixed_address, after.floating_address) == (server.fixed_address, node.address)
    assert after.volumes == (attachment.volume_id,)
    assert after.security_groups == server.security_groups
    assert read(fresh, attachment) == "kept word"
