"""Whether what is mounted on a node is the volume's own disk, and not a copy with the same filesystem."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chiops.lab import configure, health
from chiops.lab.loader import load
from chiops.lab.volumes import RIGHT_DISK

ID = "4f1c2f3e-8a52-4c1b-9a3e-0d6f6c1b2a77"
PATH = "/mnt/my-block"


class Node:
    """A folder with units, device files and their names by id; ``shown`` is what is mounted."""

    def __init__(self, root: Path) -> None:
        self._root, self.node = root, SimpleNamespace(name="node-block")
        for folder in ("units", "by-id", "bin"):
            (root / folder).mkdir()
        for name in ("vdb1", "vdc1"):
            (root / name).touch()
        unit = f"[Mount]\nWhere={PATH}\nType=ext4\n[X-Chiops]\nVolume={ID}\n"
        (root / r"units/mnt-my\x2dblock.mount").write_text(unit)
        for name in ("timeout", "sudo", "mountpoint"):
            self._program(name, "exit 0")

    def _program(self, name: str, does: str) -> None:
        (self._root / "bin" / name).write_text(f"#!/bin/sh\n{does}\n")
        (self._root / "bin" / name).chmod(0o755)

    def link(self, name: str, device: str) -> None:
        (self._root / "by-id" / name).symlink_to(f"../{device}")

    def shows(self, device: str) -> None:
        self._program("findmnt", f'[ "$2" = OPTIONS ] && echo rw || echo {self._root / device}')

    def run(self, *command: str, **_: Any) -> Any:
        script = command[2].replace("/etc/systemd/system", f"{self._root}/units")
        script = script.replace("/dev/disk/by-id", f"{self._root}/by-id")
        environment = {**os.environ, "PATH": f"{self._root}/bin:{os.environ['PATH']}"}
        return subprocess.run(["sh", "-c", script, *command[3:]], env=environment, capture_output=True, text=True)

    def right(self, path: str = PATH) -> bool:
        return bool(self.run("sh", "-c", f'{RIGHT_DISK}right_disk "$1"', "sh", path).returncode == 0)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        f"virtio-{ID[:20]}",
        f"scsi-0QEMU_QEMU_HARDDISK_{ID}",
        f"nvme-QEMU_NVMe_Ctrl_{ID[:20]}",
        f"wwn-0x{ID.replace('-', '')}",
    ],
)
def test_only_the_volumes_own_disk_is_right(node: Node, name: str) -> None:
    node.link(f"{name}-part1", "vdb1")
    node.link("virtio-another-part1", "vdc1")
    node.shows("vdb1")
    assert node.right()
    node.shows("vdc1")
    assert not node.right()
    assert node.right("/mnt/of-somebody")


def test_a_node_without_names_by_id_is_believed(node: Node) -> None:
    node.shows("vdb1")
    assert node.right()


def test_up_and_status_ask_for_it(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = load("block-lab", {"net_id": "ff524"}).spec
    monkeypatch.setattr(configure, "volumes_of", lambda *_: {"block": PATH})
    monkeypatch.setattr(configure, "_steps", lambda *_: [])
    monkeypatch.setattr(configure, "STAMP", "/dev/null")
    monkeypatch.setattr(configure.serving, "checks", lambda _: [])
    node.link(f"virtio-{ID[:20]}-part1", "vdb1")
    for device, right in (("vdb1", True), ("vdc1", False)):
        node.shows(device)
        ssh: Any = node
        assert configure._healthy(ssh, "''", spec) is right
        told = health.read(node.run("sh", "-c", health._SCRIPT, "sh", PATH).stdout).mounts[PATH]
        assert told == ("" if right else "shows another disk than the volume's")
