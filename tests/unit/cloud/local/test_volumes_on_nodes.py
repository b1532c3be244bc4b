"""What the local site's volumes do beyond the contract: they see who uses them, and mend what a killed process left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chiops.cloud.base import Attachment, Node, State, Volume
from chiops.cloud.local import loop
from chiops.cloud.local.cloud import LocalCloud
from chiops.cloud.local.privilege import in_container
from chiops.errors import Conflict
from tests.conftest import ServerFactory
from tests.support.nodes import as_root
from tests.support.scratch import Scratch
from tests.support.target import Target

pytestmark = pytest.mark.nodes


@pytest.fixture(scope="module")
def node(server: ServerFactory) -> Node:
    return server()


@pytest.fixture
def scratch(local_target: Target, run_name: str) -> Iterator[Scratch]:
    with Scratch(local_target, run_name) as scratch:
        yield scratch


@pytest.fixture
def volume(scratch: Scratch) -> Volume:
    return scratch.volume()


@pytest.fixture
def attachment(local_cloud: LocalCloud, volume: Volume, node: Node) -> Attachment:
    return local_cloud.volumes.attach(volume.id, node.server_id)


def loops_of(cloud: LocalCloud, volume: Volume) -> list[int]:
    """Loop devices that show the volume's file."""
    return loop.bound_below(str(cloud.local.root / "volumes" / volume.id))


def test_a_mounted_volume_stays_and_the_mount_point_is_named(
    local_cloud: LocalCloud, volume: Volume, node: Node, attachment: Attachment
) -> None:
    as_root(
        node, f"mkfs.ext4 -q {attachment.device}; mkdir -p '/mnt/my data'; mount {attachment.device} '/mnt/my data'"
    )
    with pytest.raises(Conflict, match="mounted at /mnt/my data"):
        local_cloud.volumes.detach(volume.id, node.server_id)
    as_root(node, "echo still here >'/mnt/my data/file'; umount '/mnt/my data'")
    assert local_cloud.volumes.get(volume.id).state is State.IN_USE
    local_cloud.volumes.detach(volume.id, node.server_id)
    assert loops_of(local_cloud, volume) == []


def test_a_mounted_partition_counts(
    local_cloud: LocalCloud, volume: Volume, node: Node, attachment: Attachment
) -> None:
    disk = attachment.device
    as_root(
        node,
        f"parted -s {disk} mklabel gpt mkpart primary 1MiB 100%; udevadm settle;"
        f"mkfs.xfs -q {disk}1; mkdir -p /mnt/p; mount {disk}1 /mnt/p",
    )
    with pytest.raises(Conflict, match="mounted at /mnt/p"):
        local_cloud.volumes.detach(volume.id, node.server_id)
    as_root(node, "umount /mnt/p")
    local_cloud.volumes.detach(volume.id, node.server_id)
    assert as_root(node, f"ls {disk}* 2>/dev/null || true") == ""


def test_a_volume_held_open_stays_and_the_program_is_named(
    local_cloud: LocalCloud, volume: Volume, node: Node, attachment: Attachment
) -> None:
    holder = as_root(node, f"sleep 600 <{attachment.device} >/dev/null 2>&1 & echo $!")
    with pytest.raises(Conflict, match="open in sleep"):
        local_cloud.volumes.detach(volume.id, node.server_id)
    as_root(node, f"kill {holder}; while kill -0 {holder} 2>/dev/null; do sleep 0.05; done")
    local_cloud.volumes.detach(volume.id, node.server_id)


def test_growing_while_attached_is_seen_at_once(
    local_cloud: LocalCloud, volume: Volume, node: Node, attachment: Attachment
) -> None:
    """With XFS, because growing a mounted ext4 takes a right that nodes do not have."""
    disk = attachment.device
    as_root(node, f"mkfs.xfs -q {disk}; mkdir -p /mnt/g; mount {disk} /mnt/g; echo kept >/mnt/g/file")
    local_cloud.volumes.extend(volume.id, 2)
    assert as_root(node, f"blockdev --getsize64 {disk}") == str(2 * 2**30)
    grown = as_root(
        node, "xfs_growfs /mnt/g >/dev/null; cat /mnt/g/file; df --output=size -BM /mnt/g | tail -1; umount /mnt/g"
    )
    word, size = grown.split()
    assert word == "kept"
    assert int(size.removesuffix("M")) > 1900


@pytest.mark.parametrize("status", ["attaching", "in-use", "detaching"])
def test_what_a_killed_process_left_is_finished_by_the_next(
    local_cloud: LocalCloud, volume: Volume, node: Node, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at each step: before the loop device is bound, after it, and half way out."""
    volumes = local_cloud.volumes
    with monkeypatch.context() as patch:
        if status == "attaching":
            patch.setattr(volumes._disks, "bind", _die)
        elif status == "in-use":
            patch.setattr(volumes._disks, "show", _die)
        else:
            volumes.attach(volume.id, node.server_id)
            patch.setattr(volumes._disks, "unbind", _die)
        with pytest.raises(SystemExit):
            (volumes.detach if status == "detaching" else _attach_without_clean_up(volumes))(volume.id, node.server_id)
    found = volumes.get(volume.id)
    if status == "detaching":
        assert (found.state, found.attachments) == (State.READY, ())
        assert loops_of(local_cloud, volume) == []
        return
    assert found.state is State.IN_USE
    assert len(loops_of(local_cloud, volume)) == 1
    assert as_root(node, f"test -b {found.attachments[0].by_id} && echo there") == "there"


def test_a_lost_file_is_told_and_not_made_anew(local_cloud: LocalCloud, volume: Volume, node: Node) -> None:
    file = local_cloud.local.root / "volumes" / volume.id / "disk.img"
    kept = file.rename(file.with_suffix(".kept"))
    found = local_cloud.volumes.get(volume.id)
    assert (found.state, str(file) in found.fault) == (State.FAILED, True)
    with pytest.raises(Conflict, match="is gone"):
        local_cloud.volumes.attach(volume.id, node.server_id)
    with pytest.raises(Conflict, match="is gone"):
        local_cloud.volumes.extend(volume.id, 2)
    assert not file.exists()
    kept.rename(file)


def test_an_account_without_root_has_a_container_do_it(local_cloud: LocalCloud, tmp_path: Path) -> None:
    site = local_cloud.local
    file = site.root / "volumes" / "probe.img"
    file.write_bytes(bytes(1 << 20))
    number = 900_001
    try:
        in_container(site, "bind", number, str(file))
        assert loop.backing(number) == str(file)
        with Path(f"/dev/loop{number}").open("rb"):
            assert any("open in" in user for user in in_container(site, "users", [number]))
        in_container(site, "unbind", number)
        assert loop.backing(number) == ""
        with pytest.raises(FileNotFoundError):
            in_container(site, "bind", number, str(file.with_suffix(".none")))
    finally:
        loop.unbind(number)
        file.unlink()


def _die(*args: object, **options: object) -> None:
    raise SystemExit("killed")


def _attach_without_clean_up(volumes: object):  # type: ignore[no-untyped-def]
    """`attach`, as a process leaves it that is killed rather than failing."""

    def attach(volume_id: str, server_id: str) -> None:
        shelf = volumes._shelf  # type: ignore[attr-defined]
        shelf.place(volume_id, server_id, "vdb")
        volumes._steps.finish(shelf.row(volume_id))  # type: ignore[attr-defined]

    return attach
