"""What a local site may leave on this machine, found without asking chiops.

Everything is read from /proc and /sys, so that it works where neither Docker nor losetup is installed. A process is a site's
if it names the site's state folder in its command line or environment (a Docker daemon of the site's own, what it started,
an ssh connection), or if it lives in a mount namespace that shows the folder (a node, wherever its Docker keeps images).
What has no room for a path bears the site's id instead: the network, its firewall table, the runtime folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.support.poll import wait_for

_RUN = Path("/run/chiops")
_INTERFACES = Path("/sys/class/net")
_PYTHONS_OWN = b"multiprocessing.resource_tracker"
"""A helper that Python starts within our process and ends with it."""


def _names(file: Path, folder: str) -> bool:
    try:
        return folder.encode() in file.read_bytes()
    except OSError:
        return False


def _lives_on(mountinfo: Path, folder: str) -> bool:
    """Whether something is mounted from there. What is mounted at its usual place was only copied with this machine's mounts."""
    try:
        lines = mountinfo.read_text(errors="replace").splitlines()
    except OSError:
        return False
    return any(folder in line and folder not in line.split()[4] for line in lines)


def _processes(folder: str) -> set[str]:
    found, ours = set(), Path("/proc/self/ns/mnt").readlink()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            if _PYTHONS_OWN in (entry / "cmdline").read_bytes():
                continue
            elsewhere = (entry / "ns/mnt").readlink() != ours
            if (
                _names(entry / "cmdline", folder)
                or _names(entry / "environ", folder)
                or (elsewhere and _lives_on(entry / "mountinfo", folder))
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


def network_name(state_home: Path) -> str:
    """The name of the site's network, which is also its bridge's."""
    root = (state_home / "chiops/local").resolve()
    return f"chiops-{hashlib.sha256(str(root).encode()).hexdigest()[:8]}"


def _network(name: str) -> set[str]:
    found = set()
    for entry in _INTERFACES.iterdir():
        with suppress(OSError):
            if name in (entry.name, (entry / "master").resolve().name):
                found.add(f"network interface {entry.name}")
    if nft := shutil.which("nft", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"):
        tables = subprocess.run([nft, "list", "tables"], capture_output=True, text=True, check=False).stdout
        if name.replace("-", "_") in tables.split():
            found.add(f"firewall table {name.replace('-', '_')}")
    return found


def leftovers(state_home: Path) -> list[str]:
    """What is still there of a site whose state is below ``state_home``, one line each; empty when clean."""
    folder, name = str(state_home), network_name(state_home)
    left = _processes(folder) | _loop_devices(folder) | _mounts(folder) | _network(name)
    if (runtime := _RUN / name.removeprefix("chiops-")).exists():
        left.add(f"folder {runtime}")
    return sorted(left)


def assert_clean(state_home: Path, *, within: float = 15) -> None:
    """Fail unless nothing is left within so many seconds: the kernel takes a moment to drop what a container had."""
    wait_for(
        f"a machine without {state_home}", lambda: leftovers(state_home), until=lambda left: not left, within=within
    )
