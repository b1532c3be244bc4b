"""Who uses a disk or its mounted filesystem, for our modules: processes, containers, mounts within it, the kernel."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import re
import stat
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ansible.module_utils.block_devices import Mount, mounted_from, mounts_of, run

HANGING = ("fuse", "nfs", "cifs", "smb", "9p", "ceph")
"""How the types of filesystems begin whose files may hang whoever looks at them."""
WATCHERS = ("multipathd", "udisksd", "smartd")
"""Programs that may keep every disk open and lose nothing with it. What multipathd really uses, the kernel holds."""
GLANCES, GLANCE_S = 10, 0.3
DEVICE_FILE = re.compile(r" (/dev/\S+)$", re.MULTILINE)
MOUNT_ID = re.compile(r"^mnt_id:\s*(\d+)", re.MULTILINE)
LOOP_GET_STATUS64, LOOP_INFO64 = 0x4C05, 232
"""Of linux/loop.h: the request, and the bytes of what it tells, whose third number is that of a device behind."""
CONTAINER = re.compile(r"(?:docker[-/]|libpod-)([0-9a-f]{64})")


@dataclass(frozen=True)
class User:
    """Something that keeps a filesystem from being unmounted. ``name`` is a program, a container, a path or a device."""

    kind: str
    name: str
    pid: int = 0
    account: str = ""

    def __str__(self) -> str:
        if self.kind == "process":
            return f"{self.name} (process {self.pid} of {self.account})"
        return f"{self.kind} {self.name}"


def users_of(mounts: list[Mount], devices: list[str]) -> list[User]:
    """Who uses these mounts, which show one of these device files. Processes in a container are told as the container."""
    found: dict[tuple[str, str, int], User] = {}
    for user in [*_within(mounts), *_processes(mounts), *_elsewhere(mounts, devices), *_loops(mounts)]:
        found.setdefault((user.kind, user.name, user.pid), user)
    return list(found.values())


def openers(devices: list[str]) -> list[User]:
    """Who has a disk itself open: a database on the bare disk, a virtual machine, dd, a loop device; mounted or not.

    udev and its like open a disk for a moment whenever somebody wrote to it; who is gone soon is no user.
    """
    numbers = {Path(device).stat().st_rdev for device in devices if Path(device).exists()} - {0}
    here, found = _sound(), list[Path]()
    for glance in range(GLANCES):
        if glance:
            time.sleep(GLANCE_S)
        found = [process for process in (found if glance else _running()) if _opens(process, numbers, here)]
        if not found:
            break
    return [*_loops_over(numbers), *dict.fromkeys(_user(process) for process in found)]


def _sound(process: str = "self") -> dict[int, bool]:
    """The mounts that a process sees, by id, and whether a look at a file there can't hang, as on a network that is gone."""
    return {mount.id: not mount.type.startswith(HANGING) for mount in mounts_of(process)}


def _opens(process: Path, numbers: set[int], here: dict[int, bool]) -> bool:
    # Also a file of a mount that was unmounted under it may hang: such a mount is neither there nor here
    sound = {**here, **_sound(process.name)}
    with contextlib.suppress(OSError):
        if (process / "comm").read_text(errors="replace").strip() in WATCHERS:
            return False
        for handle in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                name = os.readlink(handle)
                # Whose root has changed has files on mounts that nobody tells of; where devices are, nothing hangs
                may_look = sound.get(_mount_of(process, handle.name), name.startswith("/dev/"))
                if name.startswith("/") and may_look and _is_one(handle, numbers):
                    return True
        # Mapped into memory it is used with no descriptor left
        for name in set(DEVICE_FILE.findall((process / "maps").read_text(errors="replace"))):
            with contextlib.suppress(OSError):
                if _is_one(Path(name), numbers):
                    return True
    return False


def _mount_of(process: Path, descriptor: str) -> int:
    """The id of the mount that a descriptor's file is on; 0 if that is not told."""
    found = MOUNT_ID.search((process / "fdinfo" / descriptor).read_text())
    return int(found[1]) if found else 0


def _is_one(file: Path, numbers: set[int]) -> bool:
    facts = file.stat()
    return stat.S_ISBLK(facts.st_mode) and facts.st_rdev in numbers


def _loops_over(numbers: set[int]) -> Iterator[User]:
    """Loop devices over a disk itself. One without a device file is another machine's that shares our kernel."""
    for device in _loop_devices():
        with contextlib.suppress(OSError), device.open("rb") as file:
            told = fcntl.ioctl(file, LOOP_GET_STATUS64, bytes(LOOP_INFO64))
            if struct.unpack_from("=3Q", told)[2] in numbers:
                yield User("loop device", str(device))


def _within(mounts: list[Mount]) -> Iterator[User]:
    """Other filesystems that are mounted in it."""
    ids = {mount.id for mount in mounts}
    return (User("mount", mount.point) for mount in mounts_of() if mount.parent in ids and mount.id not in ids)


def _processes(mounts: list[Mount]) -> Iterator[User]:
    """Processes that have a file open in it, run from it, or stand in it."""
    points = tuple(mount.point for mount in mounts)
    devices = {Path(point).stat().st_dev for point in points}
    return (_user(process) for process in _running() if _holds(process, points, devices))


def _running() -> Iterator[Path]:
    return (entry for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _holds(process: Path, points: tuple[str, ...], devices: set[int]) -> bool:
    """Whether a process keeps anything below the mount points.

    Names are compared first: to look at a file itself may hang, if it is on a network filesystem that is gone.
    """
    below = tuple(f"{point}/" for point in points)
    with contextlib.suppress(OSError):
        if any(f" {start}" in (process / "maps").read_text(errors="replace") for start in below):
            return True
    links = [process / name for name in ("cwd", "root", "exe")]
    with contextlib.suppress(OSError):
        links += (process / "fd").iterdir()
    for link in links:
        with contextlib.suppress(OSError):
            if f"{os.readlink(link)}/".startswith(below) and link.stat().st_dev in devices:
                return True
    return False


def _user(process: Path) -> User:
    """A process by its name, or the container that it runs in."""
    if name := _container(process):
        return User("container", name)
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
        name = Path(words[0].decode(errors="replace")).name or (process / "comm").read_text().strip()
        owner = process.stat().st_uid
    except OSError:
        return User("process", "a process that has ended", int(process.name))
    try:
        account = pwd.getpwuid(owner).pw_name
    except KeyError:
        account = str(owner)
    return User("process", name, int(process.name), account)


def _container(process: Path) -> str:
    """The name of the container that a process is in; empty for none."""
    try:
        inside = CONTAINER.search((process / "cgroup").read_text())
    except OSError:
        return ""
    if not inside:
        return ""
    done = run("docker", "inspect", "--format", "{{.Name}}", inside[1])
    return done.stdout.strip().lstrip("/") or inside[1][:12]


def _elsewhere(mounts: list[Mount], devices: list[str]) -> Iterator[User]:
    """Mount namespaces that keep the filesystem when we unmount it: containers that have a folder of it.

    Services' own namespaces follow us, as their root's mount is in our groups.
    """
    ours = {mount.id: mount for mount in mounts_of()}
    groups = frozenset().union(*(ours[mount.parent].groups for mount in mounts if mount.parent in ours))
    seen = {Path("/proc/self/ns/mnt").stat().st_ino}
    for process in _running():
        try:
            namespace = (process / "ns" / "mnt").stat().st_ino
        except OSError:
            continue
        if namespace in seen:
            continue
        seen.add(namespace)
        theirs = {mount.id: mount for mount in mounts_of(process.name)}
        for mount in mounted_from(devices, theirs.values()):
            above = theirs.get(mount.parent)
            if above is None or not above.groups & groups:
                yield _user(process)
                break


def _loops(mounts: list[Mount]) -> Iterator[User]:
    """Loop devices that show a file of it."""
    below = tuple(f"{mount.point}/" for mount in mounts)
    for device in _loop_devices():
        with contextlib.suppress(OSError):
            backing = Path(f"/sys/block/{device.name}/loop/backing_file").read_text(errors="replace")
            if backing.strip().startswith(below):
                yield User("loop device", str(device))


def _loop_devices() -> Iterator[Path]:
    """Those in use that this machine can open."""
    for folder in Path("/sys/block").glob("loop*/loop"):
        device = Path(f"/dev/{folder.parent.name}")
        if device.is_block_device():
            yield device
