#!/usr/bin/python3
"""Stands in for udevadm on a node: makes the device files of the volumes attached to it, and of their partitions.

The site says in /etc/chiops-site/disks which volume is which loop device, one line each:

    vda 7:2040 <volume id> -
    vdb 7:2000 <volume id> 7:2001,7:2002,7:2003,7:2004

The kernel makes no partitions on these, so each partition is one of the spare loop devices, bound to its part of the disk. Spare
ones stay bound to a placeholder, so that no other program on the machine takes them for free. Whatever udevadm is asked,
it brings the device files up to date; partitioning tools call ``udevadm settle`` when they are done.
"""

from __future__ import annotations

import fcntl
import os
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DISKS = Path("/etc/chiops-site/disks")
DEV = Path("/dev")
SYS = Path("/sys/dev/block")
LOCK = Path("/run/chiops-disks.lock")
SECTOR = 512
GROUP_DISK = 6
LOOP_SET_STATUS64, LOOP_GET_STATUS64 = 0x4C04, 0x4C05
LOOP_INFO_BYTES, LOOP_INFO_SIZELIMIT = 232, 32


@dataclass(frozen=True)
class Disk:
    """An attached volume: its name here, its loop device's number, and the numbers for its partitions."""

    name: str
    number: str
    volume: str
    spare: tuple[str, ...]

    @property
    def alias(self) -> str:
        """The name below /dev/disk/by-id, as virtio gives it."""
        return f"virtio-{self.volume[:20]}"


@dataclass(frozen=True)
class Partition:
    """A partition's number, and where it lies, in bytes."""

    index: int
    start: int
    size: int


def parse_disks(text: str) -> list[Disk]:
    """The disks that the site's file names; a line of another shape is none."""
    disks = []
    for line in text.splitlines():
        words = line.split()
        if len(words) == 4:
            spare = () if words[3] == "-" else tuple(filter(None, words[3].split(",")))
            disks.append(Disk(words[0], words[1], words[2], spare))
    return disks


def parse_partitions(text: str) -> list[Partition]:
    """The partitions in the output of ``partx -g -r -o NR,START,SECTORS``, without extended ones' shells of no size."""
    partitions = []
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and all(word.isdigit() for word in words) and int(words[2]):
            index, start, sectors = map(int, words)
            partitions.append(Partition(index, start * SECTOR, sectors * SECTOR))
    return partitions


def run(*command: str) -> str:
    """What a command prints; nothing if it fails."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def warn(text: str) -> None:
    """Say it to whoever partitions the disk."""
    sys.stderr.write(f"udevadm: {text}\n")


def make_node(path: Path, number: str) -> None:
    """Have the block device file ``path`` with this number."""
    major, minor = map(int, number.split(":"))
    device = os.makedev(major, minor)
    try:
        found = path.lstat()
        if stat.S_ISBLK(found.st_mode) and found.st_rdev == device:
            return
        path.unlink()
    except FileNotFoundError:
        pass
    os.mknod(path, stat.S_IFBLK | 0o660, device)
    os.chown(path, 0, GROUP_DISK)


def make_link(folder: str, name: str, device: Path) -> Path:
    """Have /dev/disk/<folder>/<name> lead to ``device``."""
    link = DEV / "disk" / folder / name
    target = f"../../{device.name}"
    if not (link.is_symlink() and str(link.readlink()) == target):
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)
    return link


def bound(number: str) -> tuple[str, int, int] | None:
    """What a loop device is bound to: file name, offset and size limit in bytes; None if to nothing."""
    loop = SYS / number / "loop"
    try:
        values = [(loop / name).read_text().strip() for name in ("backing_file", "offset", "sizelimit")]
    except OSError:
        return None
    return Path(values[0]).name, int(values[1]), int(values[2])


def in_use(path: Path) -> bool:
    """Whether a device is mounted or held by something else."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_EXCL))
    except OSError:
        return True
    return False


def bind(path: Path, number: str, disk: Disk, start: int, size: int) -> bool:
    """Have the loop device show ``size`` bytes of the disk from ``start``; false if it is in use as something else."""
    there = bound(number)
    if there == (disk.name, start, size):
        return True
    if there and in_use(path):
        return there[:2] == (disk.name, start) and size > there[2] and widen(path, size)
    if there:
        run("losetup", "-d", str(path))
    run("losetup", "-o", str(start), "--sizelimit", str(size), str(path), str(DEV / disk.name))
    return bound(number) == (disk.name, start, size)


def widen(path: Path, size: int) -> bool:
    """Have a loop device in use show more of its disk; kernels may refuse that while much is being written."""
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        info = bytearray(LOOP_INFO_BYTES)
        fcntl.ioctl(handle, LOOP_GET_STATUS64, info)
        struct.pack_into("=Q", info, LOOP_INFO_SIZELIMIT, size)
        fcntl.ioctl(handle, LOOP_SET_STATUS64, info)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def release(path: Path, number: str, disk: Disk) -> None:
    """A partition that is no more: its loop device goes back to a placeholder, the first sector of the disk, unless in use."""
    there = bound(number)
    if there and there[0] == disk.name and there[1:] != (0, SECTOR):
        make_node(path, number)
        bind(path, number, disk, 0, SECTOR)


def partition_nodes(disk: Disk) -> Iterator[Path]:
    """Bring the partitions of one disk up to date; yields every device file and link that belongs."""
    device = DEV / disk.name
    table = {
        part.index: part for part in parse_partitions(run("partx", "-g", "-r", "-o", "NR,START,SECTORS", str(device)))
    }
    for index, number in enumerate(disk.spare, start=1):
        path = DEV / f"{disk.name}{index}"
        part = table.get(index)
        if part is None:
            release(path, number, disk)
            continue
        make_node(path, number)
        if not bind(path, number, disk, part.start, part.size):
            warn(f"{path} is in use, and its partition has changed: unmount it and try again")
        yield path
        yield make_link("by-id", f"{disk.alias}-part{index}", path)
        yield from content_links(path)
    if beyond := [index for index in table if index > len(disk.spare)]:
        warn(f"the site gives a disk {len(disk.spare)} partitions, {device} has {max(beyond)}")


def content_links(path: Path) -> Iterator[Path]:
    """Links by what a device holds: its file system's UUID and label."""
    for line in run("blkid", "-p", "-o", "export", str(path)).splitlines():
        key, _, value = line.partition("=")
        folder = {"UUID": "by-uuid", "LABEL": "by-label"}.get(key)
        if folder and value and "/" not in value:
            yield make_link(folder, value, path)


def settle() -> None:
    """Make /dev show what is attached, and nothing else."""
    try:
        disks = parse_disks(DISKS.read_text())
    except FileNotFoundError:
        disks = []
    keep: set[Path] = set()
    for disk in disks:
        device = DEV / disk.name
        make_node(device, disk.number)
        keep |= {device, make_link("by-id", disk.alias, device)}
        keep |= set(content_links(device)) | set(partition_nodes(disk))
    stale = {path for path in DEV.glob("vd[b-z]*") if path not in keep}
    for folder in ("by-id", "by-uuid", "by-label"):
        stale |= {link for link in (DEV / "disk" / folder).glob("*") if link not in keep}
    for path in stale:
        path.unlink(missing_ok=True)


def main() -> int:
    """Bring /dev up to date, one process at a time."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write("252\n")
        return 0
    if os.geteuid() != 0:
        return 0
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        settle()
    return 0


if __name__ == "__main__":
    sys.exit(main())
