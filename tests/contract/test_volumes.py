"""Volumes: their data is safe, and is where it was attached to and nowhere else."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from chiops.cloud.base import Cloud, Node, Server, State
from chiops.errors import Conflict, InvalidRequest, NotFound
from tests.support.nodes import as_root, succeeds
from tests.support.poll import wait_for, wait_gone
from tests.support.scratch import Scratch
from tests.support.target import NewServer, Reach

GIB = 2**30


def device_appears(node: Node, path: str, within: float) -> None:
    wait_for(f"{path} on the node", lambda: succeeds(node, f"test -b {path}"), within=within)


def test_create_list_get_delete(cloud: Cloud, scratch: Scratch) -> None:
    made = scratch.volume(size_gib=2)
    found = cloud.volumes.get(made.id)
    (listed,) = (volume for volume in cloud.volumes.list() if volume.id == made.id)
    for volume in (found, listed):
        assert (volume.name, volume.size_gib, volume.mark) == (made.name, 2, scratch.mark)
        assert (volume.state, volume.attachments, volume.bootable) == (State.READY, (), False)
    cloud.volumes.delete(made.id)
    wait_gone("volume", lambda: cloud.volumes.get(made.id), within=scratch.target.patience)
    assert made.id not in {volume.id for volume in cloud.volumes.list()}
    with pytest.raises(NotFound):
        cloud.volumes.delete(made.id)


@pytest.mark.parametrize("size", [0, -1])
def test_an_impossible_size_is_refused(cloud: Cloud, scratch: Scratch, size: int) -> None:
    name = scratch.name("volume")
    with pytest.raises(InvalidRequest):
        cloud.volumes.create(name, size_gib=size, mark=scratch.mark)
    assert name not in {volume.name for volume in cloud.volumes.list()}


def test_what_is_unknown_is_not_found(cloud: Cloud, scratch: Scratch, shared_server: Server) -> None:
    unknown, volume = str(uuid.uuid4()), scratch.volume()
    asked: list[Callable[[], object]] = [
        lambda: cloud.volumes.get(unknown),
        lambda: cloud.volumes.extend(unknown, 2),
        lambda: cloud.volumes.attach(unknown, shared_server.id),
        lambda: cloud.volumes.attach(volume.id, unknown),
        lambda: cloud.volumes.detach(unknown, shared_server.id),
        lambda: cloud.volumes.delete(unknown),
    ]
    for ask in asked:
        with pytest.raises(NotFound):
            ask()
    assert cloud.volumes.get(volume.id).state is State.READY


def test_attached_means_seen_from_both_sides(cloud: Cloud, scratch: Scratch, shared_server: Server) -> None:
    volume = scratch.volume()
    attachment = scratch.attached(volume, shared_server)
    assert attachment.device.startswith("/dev/")
    assert attachment.by_id.startswith("/dev/disk/by-id/")
    assert volume.id in cloud.compute.get(shared_server.id).volumes
    cloud.volumes.detach(volume.id, shared_server.id)
    scratch.until_free(volume)
    assert volume.id not in cloud.compute.get(shared_server.id).volumes


def test_an_attached_volume_is_neither_deleted_nor_attached_again(
    cloud: Cloud, scratch: Scratch, shared_server: Server
) -> None:
    volume = scratch.volume()
    scratch.attached(volume, shared_server)
    with pytest.raises(Conflict):
        cloud.volumes.delete(volume.id)
    with pytest.raises(Conflict):
        cloud.volumes.attach(volume.id, shared_server.id)
    found = cloud.volumes.get(volume.id)
    assert found.state is State.IN_USE
    assert [attachment.server_id for attachment in found.attachments] == [shared_server.id]


def test_what_is_not_attached_is_not_detached(cloud: Cloud, scratch: Scratch, shared_server: Server) -> None:
    volume = scratch.volume()
    with pytest.raises((Conflict, NotFound, InvalidRequest)):
        cloud.volumes.detach(volume.id, shared_server.id)
    assert cloud.volumes.get(volume.id).state is State.READY


def test_data_moves_with_the_volume_to_another_server(
    cloud: Cloud, scratch: Scratch, shared_server: Server, shared_node: Node, new_server: NewServer, reach: Reach
) -> None:
    volume, within = scratch.volume(), scratch.target.patience
    attachment = scratch.attached(volume, shared_server)
    device_appears(shared_node, attachment.by_id, within)
    as_root(
        shared_node,
        f"mkfs.ext4 -q {attachment.by_id}; mkdir -p /mnt/t; mount {attachment.by_id} /mnt/t; echo word >/mnt/t/file; umount /mnt/t",
    )
    cloud.volumes.detach(volume.id, shared_server.id)
    scratch.until_free(volume)
    wait_for("device gone", lambda: succeeds(shared_node, f"test ! -e {attachment.by_id}"), within=within)

    other = new_server()
    node = reach(other)
    second = scratch.attached(volume, other)
    device_appears(node, second.by_id, within)
    assert as_root(node, f"mkdir -p /mnt/t; mount {second.by_id} /mnt/t; cat /mnt/t/file; umount /mnt/t") == "word"
    assert not succeeds(shared_node, f"test -e {attachment.by_id}")


def test_data_survives_the_server(
    cloud: Cloud, scratch: Scratch, shared_server: Server, shared_node: Node, new_server: NewServer, reach: Reach
) -> None:
    volume, within = scratch.volume(), scratch.target.patience
    server = new_server()
    node = reach(server)
    attachment = scratch.attached(volume, server)
    device_appears(node, attachment.by_id, within)
    as_root(node, f"printf survivor | dd of={attachment.by_id} conv=fsync,notrunc status=none")
    cloud.compute.delete(server.id)
    wait_gone("server", lambda: cloud.compute.get(server.id), within=within)
    scratch.until_free(volume)
    again = scratch.attached(volume, shared_server)
    device_appears(shared_node, again.by_id, within)
    assert as_root(shared_node, f"head -c 8 {again.by_id}") == "survivor"


def test_partitions_appear(cloud: Cloud, scratch: Scratch, shared_server: Server, shared_node: Node) -> None:
    attachment = scratch.attached(scratch.volume(), shared_server)
    device_appears(shared_node, attachment.by_id, within=scratch.target.patience)
    as_root(
        shared_node,
        f"""
        disk=$(readlink -f {attachment.by_id})
        parted -s "$disk" mklabel gpt mkpart primary ext4 1MiB 100%
        udevadm settle
        mkfs.ext4 -q "$disk"1
        mkdir -p /mnt/t; mount "$disk"1 /mnt/t; echo word >/mnt/t/file; umount /mnt/t
        """,
    )


def test_several_volumes_at_once_are_told_apart(
    cloud: Cloud, scratch: Scratch, shared_server: Server, shared_node: Node
) -> None:
    sizes = (1, 2, 3)
    attachments = [scratch.attached(scratch.volume(size_gib=size), shared_server) for size in sizes]
    assert len({attachment.device for attachment in attachments}) == len(sizes)
    for size, attachment in zip(sizes, attachments, strict=True):
        device_appears(shared_node, attachment.by_id, within=scratch.target.patience)
        assert as_root(shared_node, f"blockdev --getsize64 {attachment.by_id}") == str(size * GIB)


def test_extend_grows_and_keeps_the_data(
    cloud: Cloud, scratch: Scratch, shared_server: Server, shared_node: Node
) -> None:
    volume, within = scratch.volume(), scratch.target.patience
    first = scratch.attached(volume, shared_server)
    device_appears(shared_node, first.by_id, within)
    as_root(shared_node, f"printf longer | dd of={first.by_id} conv=fsync,notrunc status=none")
    cloud.volumes.detach(volume.id, shared_server.id)
    scratch.until_free(volume)
    cloud.volumes.extend(volume.id, 2)
    wait_for("extended", lambda: cloud.volumes.get(volume.id).size_gib == 2, within=within)
    second = scratch.attached(scratch.until_free(volume), shared_server)
    device_appears(shared_node, second.by_id, within)
    assert as_root(shared_node, f"blockdev --getsize64 {second.by_id}") == str(2 * GIB)
    assert as_root(shared_node, f"head -c 6 {second.by_id}") == "longer"


def test_volumes_never_shrink(cloud: Cloud, scratch: Scratch) -> None:
    volume = scratch.volume(size_gib=2)
    with pytest.raises((InvalidRequest, Conflict)):
        cloud.volumes.extend(volume.id, 1)
    assert cloud.volumes.get(volume.id).size_gib == 2
