"""How our modules leave a volume alone: while somebody uses its disk, and what somebody else mounted of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import ansible.module_utils
import pytest

from chiops import assets

# As Ansible does for the playbooks beside them.
ansible.module_utils.__path__.append(str(assets.playbooks() / "module_utils"))

from ansible.module_utils import block_devices, block_format, block_users  # noqa: E402
from ansible.module_utils.block_devices import Disk, Mount  # noqa: E402

from tests.unit.playbooks.test_block_devices import ID, MIB, disk, tools  # noqa: E402
from tests.unit.playbooks.test_modules import load  # noqa: E402

DEVICE = "/dev/full"
"""Stands for a disk: everybody may open it, and it has a number of its own."""
OURS, THEIRS, KEPT = "/mnt/old", "/srv/db", "/mnt/block"


@pytest.fixture(autouse=True)
def device(monkeypatch: pytest.MonkeyPatch) -> None:
    """A character device is as good as a block device here, and nobody waits."""
    monkeypatch.setattr(block_users.stat, "S_ISBLK", block_users.stat.S_ISCHR)
    monkeypatch.setattr(block_users.time, "sleep", lambda _: None)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with Path(DEVICE).open("rb") as file:
        process = subprocess.Popen(["sleep", "600"], stdin=file)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """block_unmount on a node whose volume has one unit of ours left to remove, and is mounted nowhere."""
    module: Any = load("block_unmount")
    monkeypatch.setattr(module, "find_disk", lambda _: Disk(DEVICE, "", MIB))
    monkeypatch.setattr(module, "units_of", lambda _: {"mnt-block.mount": KEPT, "mnt-old.mount": OURS})
    monkeypatch.setattr(module, "mounts_of", list)
    monkeypatch.setattr(module, "users_of", lambda *_: [])
    monkeypatch.setattr(module, "forget", lambda _: None)
    return module  # type: ignore[no-any-return]


def mounted(monkeypatch: pytest.MonkeyPatch, module: ModuleType, *points: str) -> list[str]:
    """Have it mounted there; what is left of that is in the list."""
    mounts = [Mount(30 + at, 21, "0:0", "/", point, frozenset(), DEVICE) for at, point in enumerate(points)]
    left = list(points)
    monkeypatch.setattr(module, "mounts_of", lambda: mounts)
    monkeypatch.setattr(module, "leave", lambda mount, _: left.remove(mount.point))
    return left


def wanted(**other: Any) -> dict[str, Any]:
    return {"volume": ID, "keep": "", "again": False, "if_used": "fail", "grace": 0, **other}


def test_who_has_the_disk_open_is_told_although_it_is_not_mounted(
    module: Any, sleeper: subprocess.Popen[bytes]
) -> None:
    with pytest.raises(module.Refused, match=rf"{DEVICE} is in use by sleep \(process {sleeper.pid} of "):
        module.unmount(wanted(), False)
    (user,) = module.unmount(wanted(if_used="report"), False)["users"]
    assert (user.kind, user.name, user.pid) == ("process", "sleep", sleeper.pid)


def test_a_disk_that_stays_attached_may_be_open(module: Any, sleeper: subprocess.Popen[bytes]) -> None:
    assert sleeper.poll() is None
    assert module.unmount(wanted(keep=KEPT), False)["users"] == []


def test_who_did_not_end_keeps_the_disk(
    module: Any, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "end", lambda *_: None)
    with pytest.raises(module.Refused, match=rf"{DEVICE} is still open in sleep \(process {sleeper.pid}"):
        module.unmount(wanted(if_used="end"), False)


def test_who_opens_it_for_a_moment_is_no_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """udev looks at a disk after each write."""
    file = Path(DEVICE).open("rb")  # noqa: SIM115 - closed while it is looked for
    assert [user.pid for user in block_users.openers([DEVICE])] == [os.getpid()]
    monkeypatch.setattr(block_users.time, "sleep", lambda _: file.close())
    assert block_users.openers([DEVICE]) == []


def test_who_only_watches_disks_is_no_user(tmp_path: Path) -> None:
    """multipathd keeps them open on Ubuntu's images, and would be killed by `down`."""
    program = shutil.copy(shutil.which("sleep") or "", tmp_path / "multipathd")
    with Path(DEVICE).open("rb") as file:
        process = subprocess.Popen([program, "600"], stdin=file)
    assert block_users.openers([DEVICE]) == []
    process.kill()
    process.wait()


@pytest.mark.parametrize(("type_", "looked_at"), [("fuse.rclone", 0), ("nfs4", 0), ("devtmpfs", 1)])
def test_files_that_may_hang_are_not_looked_at(monkeypatch: pytest.MonkeyPatch, type_: str, looked_at: int) -> None:
    """A stat of an open file on a bucket's mount hangs while its server does."""
    all_ = [replace(mount, type=type_) for mount in block_devices.mounts_of()]
    monkeypatch.setattr(block_users, "mounts_of", lambda *_: all_)
    with Path(DEVICE).open("rb"):
        assert len(block_users.openers([DEVICE])) == looked_at


@pytest.mark.parametrize("told", [True, False])
def test_files_of_a_filesystem_that_was_unmounted_under_them_are_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    looked: list[str] = []
    monkeypatch.setattr(block_users, "_is_one", lambda file, _: looked.append(str(file)))
    with (tmp_path / "file").open("wb") as file:
        found = re.search(r"mnt_id:\s*(\d+)", Path(f"/proc/self/fdinfo/{file.fileno()}").read_text())
        assert found
        mounts = [mount for mount in block_devices.mounts_of() if told or mount.id != int(found[1])]
        monkeypatch.setattr(block_users, "mounts_of", lambda *_: mounts)
        block_users.openers([DEVICE])
        assert (f"/proc/{os.getpid()}/fd/{file.fileno()}" in looked) is told


def test_a_device_that_is_open_behind_another_root_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """No list of mounts has that of its file."""
    monkeypatch.setattr(block_users, "mounts_of", lambda *_: [])
    with Path(DEVICE).open("rb"):
        assert [user.pid for user in block_users.openers([DEVICE])] == [os.getpid()]


def test_only_our_own_mounts_are_left_by_what_mounts_elsewhere(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    left = mounted(monkeypatch, module, KEPT, OURS, THEIRS)
    assert module.unmount(wanted(keep=KEPT), False)["unmounted"] == [OURS]
    assert left == [KEPT, THEIRS]


def test_all_mounts_are_left_by_what_detaches(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    left = mounted(monkeypatch, module, KEPT, OURS, THEIRS)
    module.unmount(wanted(), False)
    assert left == []


def test_a_mount_that_nobody_would_bring_back_is_use(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    left = mounted(monkeypatch, module, KEPT, THEIRS)
    with pytest.raises(module.Refused, match=f"^{KEPT} is in use by mount {THEIRS}$"):
        module.unmount(wanted(again=True), False)
    assert left == [KEPT, THEIRS]


def test_units_stay_while_a_volume_is_unmounted_to_be_mounted_again(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten: list[str] = []
    monkeypatch.setattr(module, "forget", forgotten.extend)
    left = mounted(monkeypatch, module, KEPT)
    assert module.unmount(wanted(again=True), False)["changed"]
    assert (left, forgotten) == ([], [])
    mounted(monkeypatch, module)
    assert not module.unmount(wanted(again=True), False)["changed"]
    assert module.unmount(wanted(), False)["changed"]
    assert forgotten == ["mnt-block.mount", "mnt-old.mount"]


def test_what_is_just_being_formatted_is_not_taken_away(
    module: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: dict[str, Any] = {}

    def end(**told: Any) -> None:
        said.update(told)
        raise SystemExit

    given = SimpleNamespace(params=wanted(), check_mode=False, fail_json=end, exit_json=end)
    monkeypatch.setattr(module, "AnsibleModule", lambda **_: given)
    monkeypatch.setattr(block_devices, "LOCKS", tmp_path)
    with block_devices.locked(ID, wait=True), pytest.raises(SystemExit):
        module.main()
    assert "is just being formatted" in said["msg"]
    with pytest.raises(SystemExit):
        module.main()
    assert said["changed"] is True


@pytest.fixture
def partitioned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """A disk as it is right before it is formatted."""
    found = disk(tmp_path / "d")
    script = "label: gpt\nname=chiops-unfinished\n"
    subprocess.run(["sfdisk", "-q", found.path], input=script, text=True, check=True)
    disk(tmp_path / "d1", 32 * MIB)
    monkeypatch.setattr(block_format, "find_disk", lambda _: found)
    return found


OWNER: Any = type("Owner", (), {"pw_uid": 0, "pw_gid": 0})


@tools
@pytest.mark.parametrize("at", [0, 5 * MIB, 63 * MIB])
def test_a_disk_that_was_written_to_behind_the_reader_is_not_partitioned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Reading a large disk takes an hour, in which somebody may make a filesystem where it was read already."""
    found = disk(tmp_path / "d", 64 * MIB)
    monkeypatch.setattr(block_format, "find_disk", lambda _: found)
    with Path(found.path).open("r+b") as file:
        file.seek(at)
        file.write(os.urandom(64 << 10))
    before = Path(found.path).read_bytes()
    with pytest.raises(block_format.Refused, match="was blank and holds data of no known kind"):
        block_format.partition(found, ID)
    subprocess.run(["mkfs.ext4", "-q", "-F", found.path], check=True)
    made = Path(found.path).read_bytes()
    with pytest.raises(block_format.Refused, match="was blank and holds ext4"):
        block_format.partition(found, ID)
    assert Path(found.path).read_bytes() == made != before


@tools
def test_a_disk_that_is_still_the_volumes_is_formatted(partitioned: Disk) -> None:
    block_format.make_filesystem(partitioned, ID, "label", OWNER)
    assert any(Path(partitioned.partition(1)).read_bytes())


@tools
@pytest.mark.parametrize(
    ("now", "told"),
    [
        (lambda _: None, "is gone now"),
        (lambda old: Disk("/dev/vdz", "", old.size), "is /dev/vdz of 64 MiB now"),
        (lambda old: Disk(old.path, "", old.size * 2), "of 128 MiB now"),
    ],
)
def test_another_disk_under_its_letter_is_not_formatted(
    partitioned: Disk, monkeypatch: pytest.MonkeyPatch, now: Callable[[Disk], Disk | None], told: str
) -> None:
    """udev may be slow, and a disk be detached and another one attached meanwhile."""

    def swapped(*_: object) -> bool:
        monkeypatch.setattr(block_format, "find_disk", lambda _: now(partitioned))
        return True

    monkeypatch.setattr(block_format, "appears", swapped)
    with pytest.raises(block_format.Refused, match=told):
        block_format.make_filesystem(partitioned, ID, "label", OWNER)
    with pytest.raises(block_format.Refused, match=told):
        block_format.partition(partitioned, ID)
    assert not any(Path(partitioned.partition(1)).read_bytes())


@tools
@pytest.mark.parametrize("script", ["name=chiops\n", "name=chiops-unfinished, size=8M\nname=other\n"])
def test_another_table_than_ours_is_not_formatted(partitioned: Disk, script: str) -> None:
    subprocess.run(["sfdisk", "-q", partitioned.path], input=f"label: gpt\n{script}", text=True, check=True)
    with pytest.raises(block_format.Refused, match="other partitions than this run gave it"):
        block_format.make_filesystem(partitioned, ID, "label", OWNER)
    assert not any(Path(partitioned.partition(1)).read_bytes())


@tools
def test_a_disk_that_somebody_opened_is_not_formatted(partitioned: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_format, "openers", lambda _: [block_users.User("process", "dd", 7, "cc")])
    with pytest.raises(block_format.Refused, match=r"is in use by dd \(process 7 of cc\), so nothing is formatted"):
        block_format.make_filesystem(partitioned, ID, "label", OWNER)
    assert not any(Path(partitioned.partition(1)).read_bytes())
