"""`chiops doctor`: this machine, the site, the labs that are up."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from chiops import assets, paths
from chiops.cloud import sites
from chiops.cloud.base import Check
from chiops.errors import ChiopsError
from chiops.lab.journal import Journal
from chiops.lab.session import opened
from chiops.names import format_bytes

if TYPE_CHECKING:
    from chiops.remote.ssh import Ssh

LOW_DISK_BYTES = 10 << 30
"""Below this, a base image, a benchmark image and a dataset may not fit."""


def diagnose(site: str | None) -> list[Check]:
    """All findings; never an exception for one of them."""
    checks = [_program("ssh", "openssh-client"), _program("ssh-keygen", "openssh-client"), _disk(), _assets()]
    name = site or sites.DEFAULT_SITE
    try:
        with sites.connect(name) as cloud:
            checks += [*cloud.check()]
    except ChiopsError as error:
        checks.append(Check(f"site {name}", "failed", error.what, error.todo or error.why))
    try:
        for record in Journal().labs():
            if record.phase == "up":
                checks += _lab(record.name)
    except ChiopsError as error:
        checks.append(Check("journal", "failed", error.what, error.todo))
    return checks


def _program(name: str, package: str) -> Check:
    found = shutil.which(name)
    return Check(name, "ok", found) if found else Check(name, "failed", "not installed", f"install {package}")


def _disk() -> Check:
    free = shutil.disk_usage(paths.state_dir()).free
    detail = f"{format_bytes(free)} free at {paths.state_dir()}"
    return Check("disk", "ok", detail) if free > LOW_DISK_BYTES else Check("disk", "warning", detail, "make room")


def _assets() -> Check:
    there = (assets.playbooks() / "configure.yml").is_file()
    if there:
        return Check("playbooks", "ok", str(assets.playbooks()))
    return Check("playbooks", "failed", "missing from the installation", "install chiops again")


def _lab(name: str) -> list[Check]:
    from chiops.remote.ssh import Ssh

    try:
        checks = []
        with opened(name) as session:
            for node in session.nodes() or [session.node()]:
                Ssh(node).run("true", timeout=15)
                checks.append(Check(f"{name}: {node.name}", "ok", f"answers ssh at {node.address}"))
                spec = session.lab.spec
                mounts = [mount.path for mount in spec.mounts if mount.server == node.name]
                mounts += [volume.mount for volume in spec.volumes if volume.server == node.name and volume.mount]
                checks += [_mount(name, Ssh(node), path) for path in mounts]
        return checks
    except ChiopsError as error:
        return [Check(f"lab {name}", "failed", error.what, error.todo or f"run `chiops up {name}`")]


def _mount(lab: str, ssh: Ssh, path: str) -> Check:
    done = ssh.run("sh", "-c", 'timeout 10 mountpoint "$1" && timeout 10 ls "$1"', "sh", path, check=False, timeout=20)
    if done.returncode:
        return Check(
            f"{lab}: {path}",
            "failed",
            (done.stderr or done.stdout).strip() or "does not answer",
            f"run `chiops up {lab}`",
        )
    return Check(f"{lab}: {path}", "ok", "can be read")
