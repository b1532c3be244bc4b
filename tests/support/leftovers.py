"""What a local site may leave on this machine, found without asking chiops.

Everything is read from /proc and /sys, so that it works where neither Docker nor losetup is installed. A process is a site's
if it names the site's state folder in its command line or environment (a Docker daemon of the site's own, what it started,
an ssh connection), or if it lives in a mount namespace that shows the folder (a node, wherever its Docker keeps images).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_SITES = Path("/run/chiops")
_INTERFACES = Path("/sys/class/net")


def _names(file: Path, folder: str) -> bool:
    try:
        return folder.encode() in file.read_bytes()
    except OSError:
        return False


def _processes(folder: str) -> set[str]:
    found, ours = set(), Path("/proc/self/ns/mnt").readlink()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            elsewhere = (entry / "ns/mnt").readlink() != ours
            if (
                _names(entry / "cmdline", folder)
                or _names(entry / "environ", folder)
                or (elsewhere and _names(entry / "mountinfo", folder))
            ):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                found.add(f"process {entry.name}: {command[:120]}")
    return found


def _loop_devices(folder: str) -> set[str]:
    found = set()
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):
            if folder in (file := backing.read_text().strip()):
                found.add(f"loop device {backing.parts[3]}: {file}")
    return found


def _mounts(folder: str) -> set[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return {f"mount: {line.split()[4]}" for line in lines if folder in line}


def interfaces() -> frozenset[str]:
    """Names of this machine's network interfaces."""
    return frozenset(entry.name for entry in _INTERFACES.iterdir())


def _networks(before: frozenset[str]) -> set[str]:
    """Interfaces that are new and belong to no other site that is up on this machine."""
    others = {f"chiops-{entry.name}" for entry in _SITES.glob("*") if entry.is_dir()}
    new = set()
    for name in interfaces() - before:
        master = _INTERFACES / name / "master"
        if {name, master.readlink().name if master.is_symlink() else ""} & others:
            continue
        new.add(f"network interface {name}")
    return new


def leftovers(state_home: Path, interfaces_before: frozenset[str]) -> list[str]:
    """What is still there of sites whose state is below ``state_home``, one line each; empty when clean.

    ``docker0`` and what else a daemon makes for itself counts too: who had no Docker before has none afterwards.
    """
    folder = str(state_home)
    left = _processes(folder) | _loop_devices(folder) | _mounts(folder) | _networks(interfaces_before)
    return sorted(left)
