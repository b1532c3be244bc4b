"""Loop devices by number, straight through the kernel's interface. What the kernel says is the truth; nothing is remembered.

Imports nothing of chiops: an account that may use Docker but is not root runs this very file in a container (see `privilege`).
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_SET_FD = 0x4C00
_CLR_FD = 0x4C01
_SET_CAPACITY = 0x4C07
_CTL_ADD = 0x4C80
_CTL_REMOVE = 0x4C81
_CONTROL = "/dev/loop-control"
_GONE_S = 3.0


def backing(number: int) -> str:
    """The file that the device shows, as the kernel names it; empty if the device is not bound or not there."""
    try:
        return Path(f"/sys/block/loop{number}/loop/backing_file").read_text(encoding="utf-8").rstrip("\n")
    except OSError:
        return ""


def bound_below(folder: str) -> list[int]:
    """The numbers of all devices that show a file below ``folder``."""
    devices = (entry.parent.name for entry in Path("/sys/block").glob("loop*/loop"))
    numbers = sorted(int(name.removeprefix("loop")) for name in devices)
    return [number for number in numbers if backing(number).startswith(f"{folder}/")]


def bind(number: int, file: str, *, read_only: bool = False) -> None:
    """Make the device, if it is not there, and have it show ``file``. Nothing happens if it does so already.

    Raises:
        OSError: EBUSY if it shows another file; else as the kernel says.
    """
    _add(number)
    if shown := backing(number):
        if shown == file:
            return
        raise OSError(errno.EBUSY, f"loop{number} is bound to {shown}")
    mode = (os.O_RDONLY if read_only else os.O_RDWR) | os.O_CLOEXEC
    source = os.open(file, mode)
    try:
        device = os.open(_node(number), mode)
        try:
            fcntl.ioctl(device, _SET_FD, source)
        finally:
            os.close(device)
    finally:
        os.close(source)


def unbind(number: int) -> None:
    """Unbind the device and remove it. Returns when the kernel has let go of the file; a device that is not there is fine.

    Raises:
        OSError: EBUSY if something still uses it after a few seconds; the kernel then lets go when that ends.
    """
    if not Path(f"/sys/block/loop{number}").exists():
        return
    deadline = time.monotonic() + _GONE_S
    while True:
        _clear(number)
        if not backing(number) and _remove(number):
            return
        if time.monotonic() > deadline:
            raise OSError(errno.EBUSY, f"loop{number} is still in use")
        time.sleep(0.02)


def grow(number: int) -> None:
    """Have the device take on its file's new size."""
    device = os.open(_node(number), os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(device, _SET_CAPACITY, 0)
    finally:
        os.close(device)


def users(numbers: list[int]) -> list[str]:
    """What uses these devices in whatever container: ``mounted at …`` and ``open in … (process …)``; empty if nothing does."""
    devices = {device: number for number in numbers if (device := _device(number))}
    found = [*_mounts(set(devices)), *_open_files(set(devices))]
    if not found:
        # Swap, device mapper, or a mount whose namespace no process shows: the kernel knows of it all the same
        found = [f"loop{number} claimed by the kernel" for number in devices.values() if _claimed(number)]
    return list(dict.fromkeys(found))


def _mounts(devices: set[int]) -> Iterator[str]:
    seen = set()
    for process in _processes():
        try:
            namespace = (process / "ns/mnt").readlink()
            if namespace in seen:
                continue
            seen.add(namespace)
            lines = (process / "mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        for fields in map(str.split, lines):
            major, minor = map(int, fields[2].split(":"))
            if os.makedev(major, minor) in devices:
                yield "mounted at " + fields[4].encode("latin-1", "replace").decode("unicode_escape", "replace")


def _open_files(devices: set[int]) -> Iterator[str]:
    for process in _processes():
        try:
            for handle in (process / "fd").iterdir():
                if (facts := handle.stat()).st_rdev in devices and stat.S_ISBLK(facts.st_mode):
                    name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
                    yield f"open in {name} (process {process.name} of the host)"
                    break
        except OSError:
            continue


def _processes() -> Iterator[Path]:
    return (entry for entry in Path("/proc").iterdir() if entry.name.isdigit() and entry.name != str(os.getpid()))


def _claimed(number: int) -> bool:
    try:
        os.close(os.open(_node(number), os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


def _add(number: int) -> None:
    control = os.open(_CONTROL, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(control, _CTL_ADD, number)
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
    finally:
        os.close(control)


def _remove(number: int) -> bool:
    control = os.open(_CONTROL, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(control, _CTL_REMOVE, number)
    except OSError as error:
        if error.errno == errno.EBUSY:
            return False
        if error.errno != errno.ENODEV:
            raise
    finally:
        os.close(control)
    return True


def _clear(number: int) -> None:
    if not backing(number):
        return
    try:
        device = os.open(_node(number), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENODEV):
            return
        raise
    try:
        fcntl.ioctl(device, _CLR_FD, 0)
    except OSError as error:
        if error.errno not in (errno.ENXIO, errno.EBUSY):
            raise
    finally:
        os.close(device)


def _device(number: int) -> int:
    """The device's number as stat gives it; 0 if it is not there."""
    try:
        major, minor = Path(f"/sys/block/loop{number}/dev").read_text(encoding="ascii").split(":")
    except OSError:
        return 0
    return os.makedev(int(major), int(minor))


def _node(number: int) -> str:
    """The path of the device file, made where /dev is not the kernel's own."""
    path = Path(f"/dev/loop{number}")
    if not path.is_block_device():
        os.mknod(path, 0o600 | stat.S_IFBLK, _device(number))
    return str(path)


ACTIONS = {"bind": bind, "unbind": unbind, "grow": grow, "users": users}


def main(order: str) -> None:
    """Do one ``{"action": …, "args": […], "options": {…}}`` and print its result, or the error's number and text, as JSON."""
    call = json.loads(order)
    try:
        answer = {"result": ACTIONS[call["action"]](*call["args"], **call["options"])}  # type: ignore[operator]
    except OSError as error:
        answer = {"errno": error.errno, "text": error.strerror or str(error)}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1])
