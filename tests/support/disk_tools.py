"""Programs that write what disks may hold, from Debian's packages: unpacked into a folder, not installed on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGES = (
    "xfsprogs", "libinih1", "liburcu8",
    "lvm2", "libdevmapper-event1.02.1", "libdevmapper1.02.1", "libaio1", "libedit2",
    "cryptsetup-bin", "libcryptsetup12", "libpopt0",
)  # fmt: skip
_FOLDERS = ("usr/sbin", "sbin")


class DiskTools:
    """Unpacked in ``root``; ``folder`` is for what they keep."""

    def __init__(self, root: Path) -> None:
        self._root, self.folder = root, root.parent

    @classmethod
    def fetched(cls, folder: Path) -> DiskTools:
        """Fetch and unpack them; skips the test where that can't be done."""
        if not shutil.which("apt-get") or not shutil.which("dpkg"):
            pytest.skip("tools for disks come from Debian's packages, and this is another system")
        fetch = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *PACKAGES]
        if (done := subprocess.run(fetch, cwd=folder, capture_output=True, text=True, check=False)).returncode:
            pytest.skip(f"tools for disks can't be fetched: {done.stderr.strip().splitlines()[-1]}")
        for package in folder.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, folder / "root"], check=True)
        return cls(folder / "root")

    def run(self, program: str, *arguments: str, given: bytes = b"") -> None:
        """Run one of the programs; it must succeed."""
        libraries = sorted({str(path.parent) for path in self._root.rglob("*.so.*")})
        found = next(path for sub in _FOLDERS if (path := self._root / sub / program).exists())
        environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries), "LVM_SYSTEM_DIR": str(self.folder)}
        done = subprocess.run([found, *arguments], input=given, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, f"{program} {arguments}: {done.stderr.decode(errors='replace')}"
