"""Where a result comes from, as the control side knows it; what cannot be found out says ``unknown``."""

from __future__ import annotations

import importlib.metadata
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from chiops.errors import ChiopsError

if TYPE_CHECKING:
    from chiops.remote.ssh import Ssh

UNKNOWN = "unknown"


def of_run(ssh: Ssh, image: str) -> dict[str, str]:
    """Node, image and chiops itself."""
    return {
        "node": ssh.node.name,
        "image": image,
        "image_digest": _image_digest(ssh, image),
        "chiops": _version(),
        "git_commit": git_commit(Path(__file__).parent),
    }


def git_commit(folder: Path) -> str:
    """The commit that ``folder`` is at, with ``+changes`` if files of it differ; ``unknown`` outside a repository."""
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return UNKNOWN
    return f"{commit}+changes" if _git(folder, "status", "--porcelain", "--untracked-files=no", ".") else commit


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
