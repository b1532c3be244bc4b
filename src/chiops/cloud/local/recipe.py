"""What the site's images are made of, and the name that follows from it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from chiops.cloud.handover import SUITE

FILES = Path(__file__).parent / "files"
"""Scripts that run in images and nodes."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Packages of `SUITE` and the script that finishes them. The same recipe always bears the same tag."""

    name: str
    title: str
    packages: tuple[str, ...]
    script: str

    @property
    def tag(self) -> str:
        """Hex digits that change whenever the recipe does."""
        digest = hashlib.sha256(repr((SUITE, self.packages)).encode())
        digest.update((FILES / self.script).read_bytes())
        return digest.hexdigest()[:12]

    @property
    def image(self) -> str:
        """The image's name in Docker."""
        return f"{self.name}:{self.tag}"


NODE = Recipe(
    name="chiops-node",
    title="base image of the nodes",
    packages=(
        *(
            "systemd",
            "systemd-sysv",
            "dbus",
            "libpam-systemd",
            "openssh-server",
            "sudo",
            "python3",
            "python3-apt",
            "acl",
        ),
        *("iproute2", "iputils-ping", "iputils-arping", "nftables", "iptables", "curl", "ca-certificates", "nload"),
        *(
            "fuse3",
            "rclone",
            "parted",
            "fdisk",
            "gdisk",
            "e2fsprogs",
            "xfsprogs",
            "kmod",
            "procps",
            "rsync",
            "docker.io",
        ),
    ),
    script="customize-node.sh",
)
BENCH = Recipe(
    name="chiops-bench-base",
    title="Python image of the benchmarks",
    packages=("python3", "python3-venv", "python3-pip", "ca-certificates"),
    script="customize-python.sh",
)
