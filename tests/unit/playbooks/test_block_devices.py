"""How our modules find a volume's disk, read mounts and know what is blank. Disks are sparse files here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import ansible.module_utils
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chiops import assets

# As Ansible does for the playbooks beside them.
ansible.module_utils.__path__.append(str(assets.playbooks() / "module_utils"))

from ansible.module_utils import block_content, block_devices, block_users  # noqa: E402

ID = "4f1c2f3e-8a52-4c1b-9a3e-0d6f6c1b2a77"
MIB = 1 << 20
tools = pytest.mark.skipif(
    not all(map(shutil.which, ("sfdisk", "blkid", "wipefs", "mkfs.ext4"))), reason="this machine lacks disk tools"
)


def disk(path: Path, size: int = 64 * MIB) -> block_devices.Disk:
    with path.open("ab") as file:
        file.truncate(size)
    return block_devices.Disk(str(path), "", size)


def machine(root: Path, *, links: dict[str, str] | None = None, serials: dict[str, str] | None = None) -> str:
    """A root folder with disks vda to vdd, names by id, and serial numbers as the kernel shows them."""
    by_id = root / "dev/disk/by-id"
    by_id.mkdir(parents=True)
    for name in ("vda", "vdb", "vdc", "vdd"):
        (root / "dev" / name).touch()
    for link, target in (links or {}).items():
        (by_id / link).symlink_to(f"../../{target}")
    for name, serial in (serials or {}).items():
        file = root / "sys/block" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(serial)
    return str(root)


@pytest.mark.parametrize(
    "link",
    [
        f"virtio-{ID[:20]}",
        f"virtio-{ID}",
        f"scsi-0QEMU_QEMU_HARDDISK_{ID}",
        f"scsi-0QEMU_QEMU_HARDDISK_{ID[:20]}",
        f"wwn-0x{ID.replace('-', '')}",
    ],
)
def test_a_disk_is_found_by_its_volumes_id(tmp_path: Path, link: str) -> None:
    other = "virtio-4f1c2f3e-8a52-4c1b-a"
    found = block_devices.find_disk(ID, root=machine(tmp_path, links={link: "vdc", other: "vdb"}))
    assert found
    assert found.path == str(tmp_path / "dev/vdc")
    assert found.link == f"/dev/disk/by-id/{link}"


@pytest.mark.parametrize(
    ("file", "serial"), [("vdd/serial", ID[:20]), ("vdd/device/serial", ID), ("vdd/device/vpd_pg80", f"\0\x01\0${ID}")]
)
def test_without_a_link_it_is_found_by_its_serial(tmp_path: Path, file: str, serial: str) -> None:
    found = block_devices.find_disk(ID, root=machine(tmp_path, serials={file: serial, "vdb/serial": "another"}))
    assert found
    assert (found.path, found.link) == (str(tmp_path / "dev/vdd"), "")


def test_nothing_is_guessed(tmp_path: Path) -> None:
    root = machine(tmp_path, links={"virtio-another": "vdb"}, serials={"vdb/serial": "", "vdc/serial": "x"})
    assert block_devices.find_disk(ID, root=root) is None


def test_two_disks_of_one_id_are_told(tmp_path: Path) -> None:
    root = machine(tmp_path, links={f"virtio-{ID[:20]}": "vdb", f"scsi-0QEMU_QEMU_HARDDISK_{ID}": "vdc"})
    with pytest.raises(LookupError, match="several disks"):
        block_devices.find_disk(ID, root=root)


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("/mnt/block", "mnt-block.mount"),
        ("/mnt/my-data", r"mnt-my\x2ddata.mount"),
        ("/.data", r"\x2edata.mount"),
        ("/srv/a.b/c_d", "srv-a.b-c_d.mount"),
    ],
)
def test_units_are_named_as_systemd_does(path: str, unit: str) -> None:
    assert block_devices.unit_name(path) == unit
    if escape := shutil.which("systemd-escape"):
        told = subprocess.run([escape, "--path", "--suffix=mount", path], capture_output=True, text=True, check=True)
        assert told.stdout.strip() == unit


def test_only_our_units_of_a_volume_are_its_units(tmp_path: Path) -> None:
    (tmp_path / "a.mount").write_text(f"[Mount]\nWhere=/a\n[X-Chiops]\nVolume={ID}\n")
    (tmp_path / "b.mount").write_text("[Mount]\nWhere=/b\n")
    (tmp_path / "c.mount").write_text(f"[Mount]\nWhere=/c\n[X-Chiops]\nVolume={ID[:-1]}0\n")
    assert block_devices.units_of(ID, tmp_path) == {"a.mount": "/a"}


MOUNTINFO = r"""
21 1 0:20 / / rw shared:1 - overlay overlay rw
30 21 253:17 / /mnt/a\040b rw,relatime shared:5 master:2 - ext4 /dev/vdb1 rw
31 30 0:40 / /mnt/a\040b/x rw - tmpfs none rw
broken line
"""


def test_mounts_are_read() -> None:
    root, volume, within = block_devices.parse_mounts(MOUNTINFO)
    assert (volume.id, volume.parent, volume.device, volume.point) == (30, 21, "253:17", "/mnt/a b")
    assert (root.groups, volume.groups, within.groups) == (frozenset("1"), frozenset("52"), frozenset())
    assert volume.source == "/dev/vdb1"


@given(st.text())
def test_no_mountinfo_breaks_the_reader(text: str) -> None:
    block_devices.parse_mounts(text)


@pytest.mark.parametrize(
    "user", [block_users.User("process", "tail", 12, "cc"), block_users.User("container", "jupyter")]
)
def test_users_are_told_in_words(user: block_users.User) -> None:
    assert str(user) in ("tail (process 12 of cc)", "container jupyter")


@pytest.mark.parametrize("line", [f"0::/system.slice/docker-{'a' * 64}.scope", f"4:memory:/docker/{'a' * 64}"])
def test_a_containers_process_is_known_by_its_cgroup(line: str) -> None:
    found = block_users.CONTAINER.search(line)
    assert found
    assert found[1] == "a" * 64


@tools
def test_zeros_are_blank(tmp_path: Path) -> None:
    assert block_content.inspect(disk(tmp_path / "d"), 20).blank


@tools
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 64 * MIB - 1), byte=st.integers(1, 255))
def test_one_byte_anywhere_is_not_blank(tmp_path: Path, at: int, byte: int) -> None:
    path = tmp_path / "d"
    path.unlink(missing_ok=True)
    sparse = disk(path)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(bytes([byte]))
    content = block_content.inspect(sparse, 20)
    assert not content.blank
    assert content.foreign
    assert content.filesystem is None


@tools
def test_the_ends_and_samples_are_read_first(tmp_path: Path) -> None:
    for at in (0, 4 * MIB - 1, 256 * MIB - 1, 128 * MIB + 7):
        path = tmp_path / str(at)
        sparse = disk(path, 256 * MIB)
        with path.open("r+b") as file:
            file.seek(at)
            file.write(b"x")
        assert block_content.first_byte(sparse.path, sparse.size, 0) == at


@tools
def test_what_was_not_read_to_its_end_is_not_blank(tmp_path: Path) -> None:
    sparse = disk(tmp_path / "d", 256 * MIB)
    with (tmp_path / "d").open("r+b") as file:
        file.seek(100 * MIB + 100 * 1024)  # between two samples
        file.write(b"x")
    with pytest.raises(block_content.Unread):
        block_content.inspect(sparse, -1)
    assert block_content.inspect(sparse, 20).foreign == f"data of no known kind (at byte {100 * MIB + 100 * 1024})"


@tools
@pytest.mark.parametrize("options", [[], ["-b", "1024"], ["-O", "^64bit"]])
def test_a_bare_filesystem_is_one_and_its_size_is_known(tmp_path: Path, options: list[str]) -> None:
    bare = disk(tmp_path / "d")
    subprocess.run(["mkfs.ext4", "-q", "-F", *options, bare.path, "48M"], check=True)
    content = block_content.inspect(bare, 20)
    assert content.filesystem
    assert (content.device, content.filesystem.type, content.blank) == (bare.path, "ext4", False)
    assert block_content.filesystem_size(bare.path, "ext4") == 48 * MIB


@tools
def test_what_was_wiped_only_in_part_is_not_blank(tmp_path: Path) -> None:
    bare = disk(tmp_path / "d")
    subprocess.run(["mkfs.ext4", "-q", "-F", bare.path], check=True)
    subprocess.run(["wipefs", "-q", "-a", bare.path], check=True)
    assert block_content.inspect(bare, 20).foreign.startswith("data of no known kind")


@tools
@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("label: gpt\n", "an empty gpt partition table"),
        ("label: dos\n", "an empty dos partition table"),
    ],
)
def test_an_empty_table_is_not_blank(tmp_path: Path, script: str, told: str) -> None:
    sparse = disk(tmp_path / "d")
    subprocess.run(["sfdisk", "-q", sparse.path], input=script, text=True, check=True)
    assert block_content.inspect(sparse, 20).foreign == told


@tools
@pytest.mark.parametrize(
    ("script", "unfinished"),
    [
        ("label: gpt\nname=chiops-unfinished\n", True),
        ("label: gpt\nname=chiops\n", False),
        ("label: gpt\nname=chiops-unfinished, size=8M\nname=other\n", False),
        ("label: dos\ntype=83\n", False),
    ],
)
def test_only_a_lone_partition_under_our_name_is_our_unfinished_work(
    tmp_path: Path, script: str, unfinished: bool
) -> None:
    sparse = disk(tmp_path / "d")
    subprocess.run(["sfdisk", "-q", sparse.path], input=script, text=True, check=True)
    (tmp_path / "d1").write_bytes(bytes(MIB))
    content = block_content.inspect(sparse, 20)
    assert content.unfinished is unfinished
    assert content.foreign == ("" if unfinished else "no known filesystem on its partition 1")


@tools
def test_what_somebody_put_under_our_name_is_theirs(tmp_path: Path) -> None:
    sparse = disk(tmp_path / "d")
    subprocess.run(["sfdisk", "-q", sparse.path], input="label: gpt\nname=chiops-unfinished\n", text=True, check=True)
    (tmp_path / "d1").write_bytes(b"LUKS\xba\xbe\x00\x01" + bytes(MIB))
    assert block_content.inspect(sparse, 20).foreign == "a LUKS encrypted volume on its partition 1"
