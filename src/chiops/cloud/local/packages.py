"""Installs what the site needs from the distribution, where we may: as root, on Debian or Ubuntu."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from chiops import progress
from chiops.errors import Capacity, PrerequisiteMissing

_POLICY = Path("/usr/sbin/policy-rc.d")
_POLICY_TEXT = """#!/bin/sh
# chiops: installing a package starts no service here; this file goes when the installation is done
exit 101
"""
_TIMEOUT_S = 900


def require(programs: Mapping[str, str], *, purpose: str) -> None:
    """Make sure that ``programs`` (name → the Debian package that has it) are there, installing what is missing.

    Raises:
        PrerequisiteMissing: something is missing and we may not, or could not, install it.
    """
    missing = {program: package for program, package in programs.items() if not find(program)}
    if not missing:
        return
    packages = sorted(set(missing.values()))
    if not may_install():
        names = " and ".join(packages)
        raise PrerequisiteMissing(
            f"{purpose} needs {' and '.join(sorted(missing))}, which this machine lacks",
            todo=f"install {names} with your package manager, or run chiops as root on Debian or Ubuntu, where it does so itself",
        )
    with progress.task(f"Install {', '.join(packages)}"):
        install(packages)
    if still := [program for program in missing if not find(program)]:
        raise PrerequisiteMissing(
            f"{purpose} needs {' and '.join(still)}, and installing {', '.join(packages)} did not bring it"
        )


def find(program: str) -> str | None:
    """Where a program is, looking also where only root's PATH leads."""
    return shutil.which(program, path=os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin")


def may_install() -> bool:
    """Whether we are root on a distribution whose packages we know."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None and debian_like()


def debian_like() -> bool:
    """Whether this machine runs Debian or a relative such as Ubuntu."""
    release = os_release()
    return "debian" in (release.get("ID", ""), *release.get("ID_LIKE", "").split())


def os_release() -> dict[str, str]:
    """What /etc/os-release says; empty if there is none."""
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {key: value.strip("\"'") for key, _, value in (line.partition("=") for line in lines) if value}


def has_service_manager() -> bool:
    """Whether systemd runs this machine, so that installing a service's package starts the service."""
    return Path("/run/systemd/system").is_dir()


def install(packages: Sequence[str]) -> None:
    """Install Debian packages, refreshing the package lists first only if they turn out stale.

    Raises:
        PrerequisiteMissing: apt could not; its own error line is the reason.
        Capacity: the disk is full.
    """
    with _no_services():
        if not (why := _apt_get("install", "--no-install-recommends", *packages)):
            return
        refreshed = _apt_get("update")
        if not (why := _apt_get("install", "--no-install-recommends", *packages)):
            return
    if "no space left" in (why + refreshed).lower():
        raise Capacity(
            f"Installing {', '.join(packages)} failed", why="the disk is full", todo="free some space and try again"
        )
    raise PrerequisiteMissing(
        f"Installing {', '.join(packages)} failed", why=refreshed or why, todo="mend the package sources and try again"
    )


def _apt_get(*arguments: str) -> str:
    """Run apt-get; the reason if it failed, else nothing."""
    command = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", "-y", *arguments]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return f"apt-get took more than {_TIMEOUT_S} s"
    if done.returncode == 0:
        return ""
    return reason(done.stderr + done.stdout) or f"apt-get ended with {done.returncode}"


def reason(output: str) -> str:
    """The line of a package tool's output that names the cause."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for line in lines:
        if "no space left" in line.lower():
            return "no space left on the disk"
    errors = [line[2:].strip() for line in lines if line.startswith("E:")]
    return errors[0] if errors else (lines[-1] if lines else "")


@contextmanager
def _no_services() -> Iterator[None]:
    """Without a service manager, keep packages from starting daemons that nobody would stop."""
    leftover = _POLICY.is_file() and _POLICY.read_text(encoding="utf-8", errors="replace") == _POLICY_TEXT
    if has_service_manager() or (_POLICY.exists() and not leftover):
        yield
        return
    _POLICY.write_text(_POLICY_TEXT, encoding="utf-8")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
