"""Where a result comes from, as the control side knows it; what cannot be found out says ``unknown``."""

from __future__ import annotations

import importlib.metadata
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chiops.errors import ChiopsError

if TYPE_CHECKING:
    from chiops.remote.ssh import Ssh

UNKNOWN = "unknown"
_PLACE = ("src", "chiops")
_COUNTS = ("src", "playbooks", "templates")

_NO_LIMIT_FROM = 1 << 60  # cgroup v1 writes "no limit" as a very large number
# A node may be a system container itself, and what runs in it cannot see its bounds: the node is asked.
_BOUNDS = """cd /sys/fs/cgroup
for file in memory.max memory/memory.limit_in_bytes; do [ -r $file ] && echo memory $(cat $file) && break; done
if [ -r cpu.max ]; then echo cpu $(cat cpu.max)
elif [ -r cpu/cpu.cfs_quota_us ]; then echo cpu $(cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us); fi
"""


def of_run(ssh: Ssh, image: str) -> dict[str, Any]:
    """Node, its bounds, image and chiops itself."""
    return {
        "node": ssh.node.name,
        **_bounds(ssh),
        "image": image,
        "image_digest": _image_digest(ssh, image),
        "chiops": _version(),
        "git_commit": git_commit(Path(__file__).parents[1]),
    }


def git_commit(package: Path) -> str:
    """The commit of chiops that ``package`` is at, with ``+changes`` if what runs or configures nodes differs.

    Only chiops's own checkout counts, with the package in it as a tracked file: an installed one may lie in a .venv within
    anybody's repository, whose commit says nothing. Otherwise ``unknown``.
    """
    top = _git(package, "rev-parse", "--show-toplevel")
    if not top or Path(top, *_PLACE) != package.resolve() or not _git(package, "ls-files", "__init__.py"):
        return UNKNOWN
    commit = _git(package, "rev-parse", "HEAD")
    changed = _git(Path(top), "status", "--porcelain", "--untracked-files=no", "--", *_COUNTS)
    return f"{commit}+changes" if commit and changed else commit or UNKNOWN


def parse_bounds(text: str) -> dict[str, int | float | str]:
    """A node's memory in bytes and its cores, as its control group bounds them; ``none`` if it does not."""
    said = {words[0]: words[1:] for line in text.splitlines() if len(words := line.split()) > 1}
    memory = (said.get("memory") or [""])[0]
    quota, period = (said.get("cpu") or ["", ""])[:2]
    bounded = memory.isdigit() and int(memory) < _NO_LIMIT_FROM
    return {
        "node_memory_limit_bytes": int(memory) if bounded else "none",
        "node_cpu_quota_cores": int(quota) / int(period) if quota.isdigit() and period.isdigit() else "none",
    }


def _bounds(ssh: Ssh) -> dict[str, int | float | str]:
    try:
        return parse_bounds(ssh.run("sh", "-c", _BOUNDS, check=False).stdout)
    except ChiopsError:
        return {"node_memory_limit_bytes": UNKNOWN, "node_cpu_quota_cores": UNKNOWN}


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _version() -> str:
    try:
        return importlib.metadata.version("chiops")
    except importlib.metadata.PackageNotFoundError:
        return UNKNOWN


def _image_digest(ssh: Ssh, image: str) -> str:
    """The image's content digest on the node."""
    try:
        done = ssh.run("docker", "image", "inspect", "--format", "{{.Id}}", image, check=False)
    except ChiopsError:
        return UNKNOWN
    return done.stdout.strip() if done.returncode == 0 and done.stdout.strip() else UNKNOWN
