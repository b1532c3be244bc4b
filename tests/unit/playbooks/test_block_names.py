"""By what name a volume is mounted, so that a copy of it, which has the same filesystem, never takes its place."""

from __future__ import annotations

from typing import Any

import ansible.module_utils
import pytest

from chiops import assets

# As Ansible does for the playbooks beside them.
ansible.module_utils.__path__.append(str(assets.playbooks() / "module_utils"))

from ansible.module_utils.block_devices import Disk, Mount  # noqa: E402

from tests.unit.playbooks.test_block_devices import ID, MIB  # noqa: E402
from tests.unit.playbooks.test_modules import load  # noqa: E402

KEPT = "/mnt/block"


def test_a_mount_is_by_the_disks_id_and_by_uuid_where_it_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the volume has the same UUID, and udev's link leads to either."""
    module: Any = load("block_filesystem")
    content: Any = type("Content", (), {"device": "/dev/vdb1", "filesystem": type("Probe", (), {"uuid": "u-1"})})
    monkeypatch.setattr(module, "udevadm", lambda *_: None)
    there = {"/dev/disk/by-id/virtio-1-part1", "/dev/disk/by-uuid/u-1"}
    monkeypatch.setattr(module, "appears", lambda name: name in there)
    monkeypatch.setattr(module.os.path, "realpath", lambda name: "/dev/vdb1" if name in there else name)
    assert (
        module.stable_name(Disk("/dev/vdb", "/dev/disk/by-id/virtio-1", 1), content) == "/dev/disk/by-id/virtio-1-part1"
    )
    assert module.stable_name(Disk("/dev/vdb", "", 1), content) == "/dev/disk/by-uuid/u-1"
    there.remove("/dev/disk/by-id/virtio-1-part1")
    assert module.stable_name(Disk("/dev/vdb", "/dev/disk/by-id/virtio-1", 1), content) == "/dev/disk/by-uuid/u-1"


def test_a_copy_in_the_volumes_place_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = load("block_filesystem")
    there = Mount(30, 21, "0:1", "/", KEPT, frozenset(), "/dev/vdz1")
    monkeypatch.setattr(module, "mounts_of", lambda: [there])
    monkeypatch.setattr(module, "units_of", lambda volume: {"mnt-block.mount": KEPT} if volume == ID else {})
    with pytest.raises(module.Refused, match=f"/dev/vdz1 is mounted at {KEPT} in the place of the volume.*sudo umount"):
        module.check_path(Disk("/dev/full", "", MIB), KEPT, ID)
    with pytest.raises(module.Refused, match="is taken"):
        module.check_path(Disk("/dev/full", "", MIB), KEPT, "another")
