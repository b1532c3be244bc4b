"""Volumes on real nodes: only what is blank is formatted, what is there stays, and nobody's files are pulled away."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from chiops.cloud.base import Node, Volume
from chiops.errors import RemoteFailed
from chiops.lab.volumes import RIGHT_DISK
from chiops.remote.ansible import PlaybookRun, run_playbook
from chiops.remote.ssh import Ssh
from tests.conftest import ServerFactory
from tests.support.nodes import as_root, succeeds, wait_ssh
from tests.support.poll import wait_for
from tests.support.scratch import Scratch
from tests.support.target import Target

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(900)]

PATH = "/mnt/block"
UNIT = "mnt-block.mount"


@dataclass
class Bench:
    """A node with a volume of 1 GiB attached, and what moves it about."""

    node: Node
    volume: Volume
    scratch: Scratch
    new_node: ServerFactory
    size_gib: int = field(default=1)

    @property
    def disk(self) -> str:
        return f"/dev/disk/by-id/virtio-{self.volume.id[:20]}"

    def mount(self, path: str = PATH) -> PlaybookRun:
        mounts = [{"volume": self.volume.id, "path": path, "name": self.volume.name, "size_gib": self.size_gib}]
        return run_playbook("mount_volume", [self.node], variables={"volume_mounts": mounts})

    def unmount(self, if_used: str = "fail") -> PlaybookRun:
        variables = {"volume_ids": {self.node.name: [self.volume.id]}, "volume_if_used": if_used}
        return run_playbook("unmount_volume", [self.node], variables=variables)

    def root(self, script: str) -> str:
        return as_root(self.node, script)

    def blank(self) -> None:
        """An unmounted disk without a byte on it."""
        self.unmount("end")
        self.root(f"blkdiscard -f {self.disk}; udevadm settle; rmdir {PATH} 2>/dev/null || true")

    def written(self) -> str:
        """How many sectors were ever written to the disk or dropped from it, as the kernel counts, and what is at its start."""
        count = "awk '{print $7, $14}' /sys/dev/block/$(stat -Lc %Hr:%Lr $D)/stat"
        return self.root(f"sync; D={self.disk}; {count}; head -c 4M $D | sha256sum")

    def attach(self) -> None:
        self.scratch.attached(self.volume, self.scratch.cloud.compute.get(self.node.server_id))

    def detach(self) -> None:
        self.scratch.cloud.volumes.detach(self.volume.id, self.node.server_id)
        self.scratch.until_free(self.volume)


@pytest.fixture(scope="module")
def bench(server: ServerFactory, local_target: Target, run_name: str) -> Iterator[Bench]:
    with Scratch(local_target, run_name) as scratch:
        bench = Bench(server(), scratch.volume(), scratch, server)
        bench.attach()
        yield bench
        if succeeds(bench.node, f"test -e {bench.disk}"):
            bench.unmount("end")


def test_a_blank_volume_gets_a_filesystem(bench: Bench) -> None:
    assert bench.mount().changed > 0
    assert bench.root(f"findmnt -rno FSTYPE,OPTIONS {PATH}").startswith("ext4 rw")
    assert bench.root(f"stat -c '%U %G' {PATH}") == "cc cc"
    table = bench.root(f"sfdisk --dump {bench.disk}")
    assert "label: gpt" in table
    assert table.count("start=") == 1
    assert 'name="chiops"' in table
    unit = bench.root(f"cat /etc/systemd/system/{UNIT}")
    assert f"What={bench.disk}-part1\n" in unit
    assert "nofail" in unit
    Ssh(bench.node).run("sh", "-c", f"echo word > {PATH}/file")


def test_a_second_run_changes_nothing(bench: Bench) -> None:
    assert bench.mount().changed == 0


def test_owners_of_files_that_are_there_stay(bench: Bench) -> None:
    bench.root(f"install -d -o 1234 {PATH}/theirs; chown 1234 {PATH}")
    bench.unmount()
    bench.mount()
    assert bench.root(f"stat -c %u {PATH} {PATH}/theirs").split() == ["1234", "1234"]
    bench.root(f"chown cc {PATH}; rm -r {PATH}/theirs")


def test_it_survives_a_reboot(bench: Bench) -> None:
    boot = "cut -d' ' -f22 /proc/1/stat"
    before = bench.root(boot)
    as_root(bench.node, "systemctl reboot", check=False)
    Ssh(bench.node).close()

    def booted_anew() -> bool:
        try:
            return as_root(bench.node, boot, timeout=10) != before
        except RemoteFailed:
            return False

    wait_for("the node's reboot", booted_anew, within=120)
    wait_ssh(bench.node)
    wait_for("the mount", lambda: succeeds(bench.node, f"mountpoint -q {PATH}"), within=60)
    assert bench.root(f"cat {PATH}/file") == "word"
    assert bench.mount().changed == 0


def test_a_copy_of_it_is_not_mounted_in_its_place(bench: Bench) -> None:
    """A unit that an earlier version wrote is written anew, and what is mounted stays so meanwhile."""
    uuid = bench.root(f"blkid -p -s UUID -o value {bench.disk}-part1")
    by_uuid = f"/dev/disk/by-uuid/{uuid}"
    bench.root(f"sed -i s,^What=.*,What={by_uuid}, /etc/systemd/system/{UNIT}; systemctl daemon-reload")
    at = f"findmnt -rno ID,SOURCE --mountpoint {PATH}"
    before = bench.root(at)
    assert bench.mount().changed > 0
    assert bench.root(at) == before
    copy = bench.scratch.volume()
    bench.scratch.attached(copy, bench.scratch.cloud.compute.get(bench.node.server_id))
    theirs = f"/dev/disk/by-id/virtio-{copy.id[:20]}"
    bench.root(
        f"systemctl stop {UNIT}; dd if={bench.disk} of={theirs} bs=4M conv=sparse,fsync status=none; udevadm settle"
    )
    bench.root(f"ln -sfn $(readlink -f {theirs}-part1) {by_uuid}; systemctl start {UNIT}")
    own = bench.root(f"readlink -f {bench.disk}-part1")
    assert bench.root(f"findmnt -rno SOURCE --mountpoint {PATH}") == own
    assert right(bench)
    bench.root(f"systemctl stop {UNIT}; mount {theirs}-part1 {PATH}")
    assert not right(bench)
    with pytest.raises(
        RemoteFailed, match=rf"is mounted at {PATH} in the place of the volume.*run `sudo umount {PATH}`"
    ):
        bench.mount()
    bench.root(f"umount {PATH}; blkdiscard -f {theirs}; udevadm settle")
    bench.mount()
    bench.scratch.cloud.volumes.detach(copy.id, bench.node.server_id)
    bench.scratch.until_free(copy)
    assert bench.root(f"cat {PATH}/file") == "word"


def right(bench: Bench) -> bool:
    """Whether the volume's own disk is what is mounted, as `up` and `status` see it."""
    return Ssh(bench.node).run("sh", "-c", f"{RIGHT_DISK}right_disk {PATH}", check=False).returncode == 0


def test_mounts_of_folders_of_it_that_somebody_made_stay(bench: Bench) -> None:
    bench.root(f"mkdir {PATH}/db /srv/db; mount --bind {PATH}/db /srv/db")
    assert bench.mount().changed == 0
    bench.mount("/mnt/my-other.place")
    assert succeeds(bench.node, "mountpoint -q /srv/db")
    bench.mount()
    assert bench.unmount().changed > 0
    assert not succeeds(bench.node, "mountpoint -q /srv/db")
    bench.mount()
    bench.root(f"rmdir {PATH}/db /srv/db")


def test_it_moves_to_another_mount_point(bench: Bench) -> None:
    assert bench.mount("/mnt/my-other.place").changed > 0
    assert bench.root("cat /mnt/my-other.place/file") == "word"
    assert not succeeds(bench.node, f"mountpoint -q {PATH} || test -e /etc/systemd/system/{UNIT}")
    bench.mount()


@pytest.mark.parametrize(
    ("hold", "name"),
    [
        (f"exec 3>>{PATH}/file; exec sleep 600", "sleep"),
        (f"cd {PATH}; exec tail -f /dev/null", "tail"),
        (f"cp /bin/sleep {PATH}/mine; exec {PATH}/mine 600", "mine"),
    ],
)
def test_what_holds_it_is_named_and_it_stays_mounted(bench: Bench, hold: str, name: str) -> None:
    Ssh(bench.node).run("sh", "-c", f"({hold}) >/dev/null 2>&1 </dev/null & sleep 1")
    with pytest.raises(RemoteFailed, match=rf"{PATH} is in use by {name} \(process \d+ of cc\)"):
        bench.unmount()
    (user,) = bench.unmount("report").told["volume_users"][bench.node.name][bench.volume.id]
    assert (user["kind"], user["name"], user["account"]) == ("process", name, "cc")
    assert bench.root(f"cat {PATH}/file") == "word"
    assert bench.unmount("end").changed > 0
    assert not succeeds(bench.node, f"mountpoint -q {PATH} || pgrep -x {name}")
    bench.mount()


def test_who_has_the_disk_itself_open_is_named(bench: Bench) -> None:
    """Mounted or not: a database on the bare disk has no file of it open."""
    hold = f"exec sleep 600 3<>$(readlink -f {bench.disk})"
    bench.root(f"({hold}) >/dev/null 2>&1 </dev/null & sleep 1")
    with pytest.raises(RemoteFailed, match=rf"{PATH} is in use by sleep \(process \d+ of root\)"):
        bench.unmount()
    bench.unmount("end")
    bench.root(f"({hold}) >/dev/null 2>&1 </dev/null & sleep 1")
    with pytest.raises(RemoteFailed, match=r"/dev/vd[b-z] is in use by sleep \(process \d+ of root\)"):
        bench.unmount()
    (user,) = bench.unmount("report").told["volume_users"][bench.node.name][bench.volume.id]
    assert (user["kind"], user["name"], user["account"]) == ("process", "sleep", "root")
    bench.unmount("end")
    assert not succeeds(bench.node, "pgrep -x sleep")
    bench.mount()


def test_a_mount_within_it_is_named(bench: Bench) -> None:
    bench.root(f"mkdir {PATH}/within; mount -t tmpfs none {PATH}/within")
    with pytest.raises(RemoteFailed, match=f"in use by mount {PATH}/within"):
        bench.unmount()
    bench.root(f"umount {PATH}/within; rmdir {PATH}/within")


def test_a_container_with_a_folder_of_it_is_named(bench: Bench) -> None:
    """It keeps the folder when the node unmounts the volume, although it has no file of it open."""
    files = "/usr/bin/sleep $(ldd /usr/bin/sleep | grep -o '/[^ ]*')"
    bench.root(f"tar -chP {files} | docker import - tiny; mkdir -p {PATH}/folder")
    bench.root(f"docker run -d --name holder -v {PATH}/folder:/work tiny /usr/bin/sleep 600")
    with pytest.raises(RemoteFailed, match=f"{PATH} is in use by container holder"):
        bench.unmount()
    assert bench.root("docker inspect -f '{{.State.Running}}' holder") == "true"
    assert bench.unmount("end").changed > 0
    bench.root("docker rm holder")
    bench.mount()


def test_a_services_own_namespace_does_not_hold_it(bench: Bench) -> None:
    """It gets what the node mounts and unmounts."""
    # exec: it is there, in its namespace, when this returns
    bench.root("systemd-run --quiet --unit private-tmp -p Type=exec -p PrivateTmp=yes sleep 600")
    bench.root(f"nsenter -m -t $(systemctl show --value -p MainPID private-tmp) mountpoint -q {PATH}")
    assert bench.unmount().changed > 0
    bench.root("systemctl stop private-tmp")
    bench.mount()


def test_the_data_survive_the_server(bench: Bench) -> None:
    bench.unmount()
    bench.detach()
    assert not succeeds(bench.node, f"test -e {bench.disk}")
    old, bench.node = bench.node, bench.new_node()
    bench.scratch.cloud.compute.delete(old.server_id)
    Ssh(old).close()
    bench.attach()
    uuid = f"blkid -p -s UUID -o value {bench.disk}-part1"
    before = bench.root(uuid)
    assert bench.mount().changed > 0
    assert bench.root(f"cat {PATH}/file") == "word"
    assert bench.root(uuid) == before


def test_a_folder_with_files_is_not_covered(bench: Bench) -> None:
    bench.root("mkdir -p /mnt/full; touch /mnt/full/mine")
    with pytest.raises(RemoteFailed, match="/mnt/full holds files that the volume would hide"):
        bench.mount("/mnt/full")
    assert bench.root("ls /mnt/full") == "mine"
    bench.root("mkdir -p /mnt/taken; mount -t tmpfs none /mnt/taken")
    with pytest.raises(RemoteFailed, match="/mnt/taken is taken"):
        bench.mount("/mnt/taken")
    bench.root("umount /mnt/taken")


def test_unmounting_leaves_nothing_of_it(bench: Bench) -> None:
    bench.mount()
    assert bench.unmount().changed > 0
    assert not succeeds(bench.node, f"mountpoint -q {PATH} || systemctl cat {UNIT}")
    assert bench.unmount().changed == 0


FILESYSTEMS = {
    "ext4 on a partition": "echo type=linux | sfdisk -q -X gpt $D; udevadm settle; mkfs.ext4 -q $D-part1; mount $D-part1 /mnt/t",
    "xfs on a partition": "echo type=linux | sfdisk -q -X dos $D; udevadm settle; mkfs.xfs -q $D-part1; mount $D-part1 /mnt/t",
    "bare ext4": "mkfs.ext4 -q -F $D; mount $D /mnt/t",
    "bare xfs": "mkfs.xfs -q -f $D; mount $D /mnt/t",
}


@pytest.mark.parametrize("make", FILESYSTEMS.values(), ids=FILESYSTEMS)
def test_a_filesystem_is_mounted_as_it_is(bench: Bench, make: str) -> None:
    if "xfs" in make and not succeeds(bench.node, "grep -qw xfs /proc/filesystems"):
        pytest.skip("this kernel has no xfs")
    bench.blank()
    bench.root(f"D={bench.disk}; mkdir -p /mnt/t; {make}; echo theirs >/mnt/t/file; chown 77:77 /mnt/t; umount /mnt/t")
    uuids = f"blkid -p -s UUID -o value {bench.disk} {bench.disk}-part1 || true"
    before = bench.root(uuids)
    assert bench.mount().changed > 0
    assert bench.root(f"cat {PATH}/file; stat -c %u:%g {PATH}").split() == ["theirs", "77:77"]
    assert bench.root(uuids) == before
    assert bench.mount().changed == 0


def lvm_label() -> bytes:
    """The label of an LVM physical volume, with its checksum."""
    rest = (32).to_bytes(4, "little") + b"LVM2 001" + b"x" * 32
    rest += bytes(512 - 20 - len(rest))
    checksum = zlib.crc32(rest, 0xF597A6CF ^ 0xFFFFFFFF) ^ 0xFFFFFFFF
    return b"LABELONE" + (1).to_bytes(8, "little") + checksum.to_bytes(4, "little") + rest


FOREIGN = {
    "an LVM physical volume": (512, lvm_label()),
    "a LUKS encrypted volume": (0, b"LUKS\xba\xbe\x00\x01" + b"aes" + bytes(80)),
    "data of no known kind": (654_321_987, b"\x01"),
    "data of no known kind (at byte 0)": (0, bytes(range(1, 200))),
    "data of no known kind (at byte 1073741823)": (2**30 - 1, b"\xff"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_anything_else_is_told_and_never_changed(bench: Bench, kind: str) -> None:
    bench.blank()
    at, data = FOREIGN[kind]
    write = f"dd of={bench.disk} bs=1M seek={at} oflag=seek_bytes conv=notrunc,fsync status=none"
    Ssh(bench.node).run("sudo", "sh", "-c", write, input=data)
    before = bench.written()
    with pytest.raises(RemoteFailed) as caught:
        bench.mount()
    assert f"the volume holds {kind}" in caught.value.why
    assert "never formats" in caught.value.why
    assert bench.written() == before


TABLES = {
    "an empty gpt partition table": "echo 'label: gpt' | sfdisk -q $D",
    "no known filesystem on its partition 1": "echo type=linux | sfdisk -q -X gpt $D",
    "swap space on its partition 1": "echo type=swap | sfdisk -q -X gpt $D; udevadm settle; mkswap -q $D-part1",
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_partition_that_cannot_be_mounted_is_told(bench: Bench, kind: str) -> None:
    bench.blank()
    bench.root(f"D={bench.disk}; {TABLES[kind]}; udevadm settle")
    before = bench.written()
    with pytest.raises(RemoteFailed) as caught:
        bench.mount()
    assert f"the volume holds {kind}" in caught.value.why
    assert bench.written() == before


def test_a_run_that_was_killed_while_it_formatted_is_gone_on_with(bench: Bench) -> None:
    bench.blank()
    bench.root(
        f"D={bench.disk}; echo 'type=linux, name=chiops-unfinished' | sfdisk -q -X gpt $D; udevadm settle;"
        " dd if=/dev/urandom of=$D-part1 bs=1M seek=130 count=1 status=none"
    )
    assert bench.mount().changed > 0
    assert bench.root(f"stat -c %U {PATH}") == "cc"
    assert 'name="chiops"' in bench.root(f"sfdisk --dump {bench.disk}")
    assert bench.mount().changed == 0


def test_a_volume_that_is_not_attached_is_told(bench: Bench) -> None:
    mounts = [{"volume": "00000000-0000-4000-8000-000000000000", "path": PATH}]
    with pytest.raises(RemoteFailed, match="no disk of the volume appeared within 1 s"):
        run_playbook("mount_volume", [bench.node], variables={"volume_mounts": mounts, "mount_volume_timeout": 1})


def test_the_filesystem_grows_with_the_volume(bench: Bench) -> None:
    bench.root(f"echo word > {PATH}/file")
    bench.unmount()
    bench.detach()
    bench.scratch.cloud.volumes.extend(bench.volume.id, 2)
    bench.size_gib = 2
    bench.attach()
    assert bench.mount().changed > 0
    assert int(bench.root(f"df --output=size -B1M {PATH} | tail -1")) > 1900
    assert bench.root(f"cat {PATH}/file") == "word"
    assert bench.mount().changed == 0


def test_a_filesystem_that_can_not_grow_stays_mounted(bench: Bench) -> None:
    """And while it grows unmounted, its unit is there: a run that is killed then can be gone on with."""
    bench.scratch.cloud.volumes.extend(bench.volume.id, 3)
    bench.size_gib = 3
    bench.root(f"mkdir {PATH}/db /srv/db; mount --bind {PATH}/db /srv/db")
    with pytest.raises(RemoteFailed, match=f"{PATH} is in use by mount /srv/db"):
        bench.mount()
    bench.root(f"umount /srv/db; rmdir {PATH}/db /srv/db")
    refusing = "/usr/local/sbin/e2fsck"
    script = f"#!/bin/sh\\nmountpoint -q {PATH} || systemctl is-enabled {UNIT} >/run/unit-while-growing\\nexit 4\\n"
    bench.root(f"printf '{script}' >{refusing}; chmod +x {refusing}")
    with pytest.raises(RemoteFailed, match="the filesystem has errors"):
        bench.mount()
    assert bench.root("cat /run/unit-while-growing") == "enabled"
    assert bench.root(f"cat {PATH}/file") == "word"
    bench.root(f"rm {refusing}")


def test_a_mounted_filesystem_grows(bench: Bench) -> None:
    bench.scratch.cloud.volumes.extend(bench.volume.id, 4)
    bench.size_gib = 4
    assert bench.mount().changed > 0
    assert int(bench.root(f"df --output=size -B1M {PATH} | tail -1")) > 3900
    assert bench.mount().changed == 0
