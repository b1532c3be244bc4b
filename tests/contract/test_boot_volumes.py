"""Servers that boot from volumes: what is on one outlives the server, or goes with it."""

from __future__ import annotations

import pytest

from chiops.cloud.base import BootVolume, Cloud, Image, Server, State, Volume
from chiops.errors import Conflict, InvalidRequest
from tests.support.nodes import as_root, succeeds
from tests.support.poll import is_gone, wait_for, wait_gone
from tests.support.scratch import Scratch
from tests.support.target import NewServer, Reach

SIZE_GIB = 3
ROOT_DEVICES = {"/dev/vda", "/dev/sda"}


def root_volume(cloud: Cloud, server: Server) -> Volume:
    (volume_id,) = server.volumes
    volume = cloud.volumes.get(volume_id)
    assert (volume.size_gib, volume.bootable, volume.state) == (SIZE_GIB, True, State.IN_USE)
    assert [(at.server_id, at.device in ROOT_DEVICES) for at in volume.attachments] == [(server.id, True)]
    return volume


def test_one_that_goes_is_gone_with_its_server(
    cloud: Cloud, scratch: Scratch, new_server: NewServer, request: pytest.FixtureRequest
) -> None:
    server = new_server(boot_volume=BootVolume(size_gib=SIZE_GIB, delete_on_termination=True))
    volume = root_volume(cloud, server)
    assert volume.mark is None, "the service makes it, so it is nobody's to take away but the server's"
    if scratch.target.real_nodes:
        node = request.getfixturevalue("reach")(server)
        assert int(as_root(node, "df --output=size -BM / | tail -1").removesuffix("M")) > SIZE_GIB * 900
    cloud.compute.delete(server.id)
    wait_gone("server", lambda: cloud.compute.get(server.id), within=scratch.target.patience)
    wait_gone("its volume", lambda: cloud.volumes.get(volume.id), within=scratch.target.patience)


def test_one_that_stays_is_free_again_and_boots_another(
    cloud: Cloud, scratch: Scratch, image: Image, new_server: NewServer
) -> None:
    volume = scratch.boot_volume(image, SIZE_GIB)
    assert (volume.bootable, volume.mark) == (True, scratch.mark)
    boot = BootVolume(volume_id=volume.id, delete_on_termination=False)
    for _ in range(2):
        server = new_server(boot_volume=boot)
        assert root_volume(cloud, server).id == volume.id
        with pytest.raises((Conflict, InvalidRequest)):
            cloud.volumes.detach(volume.id, server.id)
        with pytest.raises((Conflict, InvalidRequest)):
            cloud.volumes.delete(volume.id)
        refused_or_failed(cloud, scratch, new_server, boot)
        cloud.compute.delete(server.id)
        wait_gone("server", lambda at=server: cloud.compute.get(at.id), within=scratch.target.patience)  # type: ignore[misc]
        assert scratch.until_free(volume).bootable


def refused_or_failed(cloud: Cloud, scratch: Scratch, new_server: NewServer, boot: BootVolume) -> None:
    """A second server at the same volume is refused, or never comes to run."""
    before = {found.id for found in cloud.compute.list()}
    with pytest.raises((Conflict, InvalidRequest, AssertionError)):
        new_server(boot_volume=boot)
    for left in {found.id for found in cloud.compute.list()} - before:
        cloud.compute.delete(left)
        wait_for("server gone", lambda at=left: is_gone(lambda: cloud.compute.get(at)), within=scratch.target.patience)  # type: ignore[misc]


def test_a_rebuild_never_overwrites_what_a_server_boots_from(cloud: Cloud, image: Image, new_server: NewServer) -> None:
    server = new_server(boot_volume=BootVolume(size_gib=SIZE_GIB, delete_on_termination=True))
    with pytest.raises(InvalidRequest):
        cloud.compute.rebuild(server.id, image.id)
    assert cloud.compute.get(server.id).state is State.READY
    root_volume(cloud, server)


def test_a_volume_that_holds_no_system_is_refused(scratch: Scratch, new_server: NewServer) -> None:
    with pytest.raises((Conflict, InvalidRequest)):
        new_server(boot_volume=BootVolume(volume_id=scratch.volume().id, delete_on_termination=False))


def test_what_is_written_to_the_root_disk_outlives_the_server(
    cloud: Cloud, scratch: Scratch, image: Image, new_server: NewServer, reach: Reach
) -> None:
    volume = scratch.boot_volume(image, SIZE_GIB)
    boot = BootVolume(volume_id=volume.id, delete_on_termination=False)
    first = new_server(boot_volume=boot, name=scratch.name("first"))
    node = reach(first)
    as_root(node, "echo precious >/root/kept; touch /run/in-memory; sync")
    host_key = as_root(node, "cat /etc/ssh/ssh_host_ed25519_key.pub")
    # programs of the node's own Docker are the reason to want a larger root disk
    assert "vda" in as_root(node, "mkdir -p /var/lib/docker && findmnt -no SOURCE --target /var/lib/docker")
    attachment = scratch.attached(scratch.volume(), first)
    assert succeeds(node, f"test -b {attachment.by_id}")
    cloud.compute.reboot(first.id)
    wait_for("reboot", lambda: succeeds(node, "test ! -e /run/in-memory"), within=scratch.target.patience)
    assert as_root(node, "cat /root/kept") == "precious"
    assert as_root(node, "cat /etc/ssh/ssh_host_ed25519_key.pub") == host_key, "the same server keeps its identity"

    cloud.compute.delete(first.id)
    wait_gone("server", lambda: cloud.compute.get(first.id), within=scratch.target.patience)
    cloud.volumes.extend(scratch.until_free(volume).id, SIZE_GIB + 1)
    scratch.until_free(volume)
    second = new_server(boot_volume=boot)
    node = reach(second)
    assert as_root(node, "cat /root/kept; hostname").split() == ["precious", second.name]
    assert as_root(node, "cat /etc/ssh/ssh_host_ed25519_key.pub") != host_key, "another server is another host"
    assert int(as_root(node, "df --output=size -BM / | tail -1").removesuffix("M")) > (SIZE_GIB + 1) * 900
    assert as_root(node, "systemctl --failed --no-legend --plain") == ""
