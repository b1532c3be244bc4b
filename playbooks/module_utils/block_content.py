"""What is on a disk, for our modules. Changes nothing, and calls blank only what shows no sign of anything."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass, field

from ansible.module_utils.block_devices import Disk, appears, is_claimed, run

UNFINISHED = "chiops-unfinished"
"""Name of a partition of ours from before it is formatted until that is done. So after a kill we know it for our own."""
CHUNK = 64 << 10
ZEROS = bytes(CHUNK)
SAMPLES, SAMPLE = 1024, CHUNK
ENDS = 64 * CHUNK
STRETCH = 1024 * CHUNK
"""What is read between two looks at the clock, and then dropped from the page cache."""

KINDS = {
    "LVM2_member": "an LVM physical volume",
    "LVM1_member": "an LVM physical volume",
    "crypto_LUKS": "a LUKS encrypted volume",
    "linux_raid_member": "a member of a Linux RAID",
    "ddf_raid_member": "a member of a RAID",
    "isw_raid_member": "a member of a RAID",
    "zfs_member": "a member of a ZFS pool",
    "bcache": "a bcache device",
    "swap": "swap space",
}


@dataclass(frozen=True)
class Partition:
    """A line of a partition table; ``start`` and ``size`` are in bytes."""

    number: int
    start: int
    size: int
    name: str


@dataclass(frozen=True)
class Table:
    """A partition table of the type ``label`` (gpt, dos …), its partitions in the order in which they lie."""

    label: str
    partitions: tuple[Partition, ...]


@dataclass(frozen=True)
class Probe:
    """What blkid tells of a device; nothing known is all empty, ``mixed`` is several things at once."""

    type: str = ""
    usage: str = ""
    uuid: str = ""
    mixed: bool = False

    @property
    def kind(self) -> str:
        """What it is, for people."""
        return KINDS.get(self.type, f"{self.type} ({self.usage})")


@dataclass(frozen=True)
class Content:
    """What is on a disk: a filesystem on ``device``, or nothing at all, or ``unfinished`` work of ours there, or ``foreign``."""

    device: str = ""
    filesystem: Probe | None = None
    blank: bool = False
    unfinished: bool = False
    foreign: str = ""
    table: Table | None = field(default=None, compare=False)


class Unread(Exception):
    """A disk could not be read to its end in time, so nobody knows whether it is blank; ``bytes`` of it were."""

    def __init__(self, bytes: int) -> None:  # noqa: A002
        super().__init__()
        self.bytes = bytes


def probe(path: str) -> Probe:
    """What a device holds by its signatures, read past every cache."""
    done = run("blkid", "-p", "-o", "export", path)
    if done.returncode == 8:
        return Probe(mixed=True)
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return Probe(found.get("TYPE", ""), found.get("USAGE", ""), found.get("UUID", ""))


def signatures(path: str) -> list[str]:
    """Every signature on a device, whether or not the whole makes sense."""
    done = run("wipefs", "--no-act", "--noheadings", "--output", "TYPE", path)
    return sorted(set(done.stdout.split()))


def table_of(path: str) -> Table | None:
    """The partition table of a disk; None if it has none."""
    done = run("sfdisk", "--json", path)
    if done.returncode:
        return None
    told = json.loads(done.stdout)["partitiontable"]
    unit = int(told.get("sectorsize") or 512)
    parts = [
        Partition(
            int(re.search(r"\d+$", part["node"])[0]),  # type: ignore[index]
            part["start"] * unit,
            part["size"] * unit,
            part.get("name", ""),
        )
        for part in told.get("partitions", ())
    ]
    return Table(told["label"], tuple(sorted(parts, key=lambda part: part.start)))


def first_byte(path: str, size: int, budget_s: float) -> int | None:
    """Where a byte is that is not zero; None if there is none.

    Both ends and a thousand places between are read first, since that is where content mostly shows soon, and then all of it.

    Raises:
        Unread: that took longer than ``budget_s`` seconds, and nothing was found so far.
    """
    step = max(SAMPLE, size // SAMPLES)
    places = [(0, ENDS), (max(0, size - ENDS), ENDS), *((at, SAMPLE) for at in range(0, size, step))]
    deadline = time.monotonic() + budget_s
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for start, length in places:
            if (at := _nonzero(handle, start, length)) is not None:
                return at
        for start in range(0, size, STRETCH):
            if time.monotonic() > deadline:
                raise Unread(start)
            if (at := _nonzero(handle, start, STRETCH)) is not None:
                return at
            os.posix_fadvise(handle, start, STRETCH, os.POSIX_FADV_DONTNEED)
    finally:
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)
    return None


def _nonzero(handle: int, start: int, length: int) -> int | None:
    """Where the first byte is that is not zero. One buffer is read into again and again: four times as fast as new ones."""
    buffer = bytearray(CHUNK)
    for at in range(start, start + length, CHUNK):
        got = os.preadv(handle, [buffer], at)
        if buffer != ZEROS:
            read = bytes(buffer[:got])
            return at + got - len(read.lstrip(b"\0"))
        if got < CHUNK:
            break
    return None


def inspect(disk: Disk, budget_s: float) -> Content:
    """What is on a disk. Only what was read from end to end and shows no sign whatever of anything is blank.

    Raises:
        Unread: it could not be read in ``budget_s`` seconds.
    """
    whole = probe(disk.path)
    if whole.mixed:
        return Content(foreign=f"signatures of several kinds ({', '.join(signatures(disk.path))})")
    if whole.type:
        if whole.usage == "filesystem":
            return Content(disk.path, whole)
        return Content(foreign=whole.kind)
    table = table_of(disk.path)
    if table:
        return _in_table(disk, table)
    if found := signatures(disk.path):
        return Content(foreign=f"a signature of {', '.join(found)}")
    if is_claimed(disk.path):
        return Content(foreign="something that is in use on this node")
    if (at := first_byte(disk.path, disk.size, budget_s)) is not None:
        return Content(foreign=f"data of no known kind (at byte {at})")
    return Content(disk.path, blank=True)


def _in_table(disk: Disk, table: Table) -> Content:
    if not table.partitions:
        return Content(foreign=f"an empty {table.label} partition table", table=table)
    first = min(table.partitions, key=lambda part: part.number)
    path = disk.partition(first.number)
    if not appears(path):
        return Content(foreign=f"a partition that this node does not show as {path}", table=table)
    found = probe(path)
    if found.usage == "filesystem":
        return Content(path, found, table=table)
    ours = table.label == "gpt" and len(table.partitions) == 1 and first.name == UNFINISHED
    if ours and not found.type and not found.mixed and not is_claimed(path):
        return Content(path, unfinished=True, table=table)
    what = "signatures of several kinds" if found.mixed else found.kind if found.type else "no known filesystem"
    return Content(foreign=f"{what} on its partition {first.number}", table=table)


def filesystem_size(path: str, type_: str) -> int | None:
    """Bytes that a filesystem takes up, by its own superblock; None for one that we do not grow."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        block = os.pread(handle, 4096, 0)
    finally:
        os.close(handle)
    if type_ in ("ext2", "ext3", "ext4"):
        ext = block[1024:]
        blocks = int.from_bytes(ext[4:8], "little")
        if int.from_bytes(ext[0x60:0x64], "little") & 0x80:  # the feature 64bit
            blocks |= int.from_bytes(ext[0x150:0x154], "little") << 32
        return blocks * (1024 << int.from_bytes(ext[24:28], "little"))
    if type_ == "xfs":
        return int.from_bytes(block[4:8], "big") * int.from_bytes(block[8:16], "big")
    return None
