"""What a local site may leave on this machine, found without asking chiops.

Everything is read from /proc and /sys, so that it works where neither Docker nor losetup is installed. Containers show as
processes: those of a daemon of the site's own carry its state folder in their command line, and every process in a
container is in another mount namespace than ours.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def _processes(folder: str) -> set[str]:
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            if folder in command:
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
    return frozenset(entry.name for entry in Path("/sys/class/net").iterdir())


def leftovers(state_home: Path, interfaces_before: frozenset[str]) -> list[str]:
    """What is still there of sites whose state is below ``state_home``, one line each; empty when clean.

    ``docker0`` and what else a daemon makes for itself counts too: who had no Docker before has none afterwards.
    """
    folder = str(state_home)
    networks = {f"network interface {name}" for name in interfaces() - interfaces_before}
    return sorted(_processes(folder) | _loop_devices(folder) | _mounts(folder) | networks)
