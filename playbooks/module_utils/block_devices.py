"""Disks of a node, for our modules: found by the id of their volume, and where they are mounted. Changes nothing on them."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SERIAL_CHARACTERS = 20
"""virtio shows so many characters of a volume's id."""
UNITS = Path("/etc/systemd/system")
LOCKS = Path("/run/lock")


@dataclass(frozen=True)
class Disk:
    """A volume's disk. ``link`` is its name by id, empty where the node has none; ``size`` is in bytes."""

    path: str
    link: str
    size: int

    def partition(self, number: int) -> str:
        """The device file of a partition, as the kernel names it."""
        return f"{self.path}{'p' if self.path[-1].isdigit() else ''}{number}"


def run(*command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program, in the language that we can read."""
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}
    )


def udevadm(*words: str) -> None:
    """Have udev catch up, where there is one: a node without it shows its disks all the same."""
    if shutil.which("udevadm"):
        run("udevadm", *words)


@contextlib.contextmanager
def locked(volume: str, *, wait: bool) -> Iterator[None]:
    """Have a volume for this run alone.

    Raises:
        BlockingIOError: another run has it, and this one is not to wait.
    """
    with (LOCKS / f"chiops-{volume}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def links(volume: str) -> list[str]:
    """The names by id that a volume may have, over the buses that there are."""
    short = volume[:SERIAL_CHARACTERS]
    names = [f"virtio-{short}", f"virtio-{volume}"]
    names += [f"scsi-0QEMU_QEMU_HARDDISK_{short}", f"scsi-0QEMU_QEMU_HARDDISK_{volume}"]
    names += [f"nvme-QEMU_NVMe_Ctrl_{short}", f"wwn-0x{volume.replace('-', '')}"]
    return [f"/dev/disk/by-id/{name}" for name in names]


def find_disk(volume: str, wait_s: float = 0.0, root: str = "/") -> Disk | None:
    """The disk of a volume: by its names by id, else by the serial number that the kernel shows. Never by a letter.

    Raises:
        LookupError: two disks bear the id.
    """
    deadline = time.monotonic() + wait_s
    while True:
        found = {os.path.realpath(root + link): link for link in reversed(links(volume)) if Path(root + link).exists()}
        if not found:
            found = {os.path.realpath(f"{root}/dev/{name}"): "" for name in _by_serial(volume, root)}
        if len(found) > 1:
            raise LookupError(f"several disks bear the id of the volume: {', '.join(sorted(found))}")
        for path, link in found.items():
            return Disk(path, link, size_of(path))
        if time.monotonic() >= deadline:
            return None
        udevadm("settle", "--timeout=5")
        time.sleep(0.5)


def _by_serial(volume: str, root: str) -> list[str]:
    short, found = volume[:SERIAL_CHARACTERS], []
    for disk in Path(f"{root}/sys/block").glob("*"):
        for name in ("serial", "device/serial", "device/vpd_pg80"):
            with contextlib.suppress(OSError):
                serial = (disk / name).read_bytes().decode("ascii", "ignore")
                serial = re.sub(r"[^0-9a-zA-Z-]", "", serial)
                if serial.endswith((short, volume)):
                    found.append(disk.name)
                    break
    return found


def size_of(path: str) -> int:
    """Bytes of a device."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.lseek(handle, 0, os.SEEK_END)
    finally:
        os.close(handle)


def is_claimed(path: str) -> bool:
    """Whether the kernel itself holds a device: a mount in whatever namespace, LVM, RAID, encryption, swap."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError as error:
        if error.errno == errno.EBUSY:
            return True
        raise
    return False


def appears(path: str, wait_s: float = 10.0) -> bool:
    """Whether a device file is there, once udev has done what it had to do."""
    deadline = time.monotonic() + wait_s
    while not Path(path).exists():
        if time.monotonic() > deadline:
            return False
        udevadm("settle", "--timeout=5")
        time.sleep(0.1)
    return True


@dataclass(frozen=True)
class Mount:
    """A line of mountinfo. ``device`` is major:minor, ``groups`` are the numbers of its shared and master peer groups.

    ``type`` is the filesystem's.
    """

    id: int
    parent: int
    device: str
    root: str
    point: str
    groups: frozenset[str]
    source: str
    type: str = ""


def parse_mounts(text: str) -> list[Mount]:
    """The mounts that a mountinfo file tells of."""
    found = []
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        words, behind = left.split(), right.split()
        if len(words) >= 6 and len(behind) >= 2:
            groups = frozenset(word.partition(":")[2] for word in words[6:] if word.startswith(("shared:", "master:")))
            root, point = _unescaped(words[3]), _unescaped(words[4])
            source = _unescaped(behind[1])
            found.append(Mount(int(words[0]), int(words[1]), words[2], root, point, groups, source, behind[0]))
    return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def mounts_of(process: str = "self") -> list[Mount]:
    """The mounts that a process sees; none if it is gone."""
    try:
        return parse_mounts(Path(f"/proc/{process}/mountinfo").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return []


def device_files(disk: Disk) -> list[str]:
    """The device files of a disk and its partitions."""
    name = re.escape(Path(disk.path).name)
    return sorted(str(path) for path in Path(disk.path).parent.glob("*") if re.fullmatch(rf"{name}(p?\d+)?", path.name))


def mounted_from(devices: Iterable[str], mounts: Iterable[Mount]) -> list[Mount]:
    """Those mounts that show one of the device files; also of filesystems that have a number of their own, as btrfs has."""
    devices = {path for path in devices if Path(path).exists()}
    own = {number(path) for path in devices}
    return [mount for mount in mounts if mount.device in own or os.path.realpath(mount.source) in devices]


def number(path: str) -> str:
    """major:minor of a device file."""
    device = Path(path).stat().st_rdev
    return f"{os.major(device)}:{os.minor(device)}"


def unit_name(path: str) -> str:
    """The systemd unit that mounts at ``path``, as systemd-escape names it."""
    name = path.strip("/").replace("-", r"\x2d").replace("/", "-")
    return (r"\x2e" + name[1:] if name.startswith(".") else name) + ".mount"


def units_of(volume: str, folder: Path = UNITS) -> dict[str, str]:
    """The mount units that we wrote for a volume, each with its mount point."""
    found = {}
    for file in folder.glob("*.mount"):
        with contextlib.suppress(OSError):
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            where = [line.partition("=")[2] for line in lines if line.startswith("Where=")]
            if f"Volume={volume}" in lines and where:
                found[file.name] = where[0]
    return found
