"""A volume that holds anything at all is never formatted, nor changed in a single byte, by what prepares volumes on nodes."""

from __future__ import annotations

import hashlib
import mmap
import os
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import ansible.module_utils
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chiops import assets
from tests.conftest import why_no_nodes

# As Ansible does for the playbooks beside them.
ansible.module_utils.__path__.append(str(assets.playbooks() / "module_utils"))

from ansible.module_utils import block_format  # noqa: E402
from ansible.module_utils.block_devices import Disk  # noqa: E402
from ansible.module_utils.block_format import Refused  # noqa: E402
from ansible.module_utils.block_users import User, openers  # noqa: E402

from tests.support.disk_tools import DiskTools  # noqa: E402
from tests.unit.playbooks.test_modules import load  # noqa: E402

MIB = 1 << 20
SIZE = 64 * MIB
WANTED = {"scan_timeout": 30, "label": "test", "owner": "root", "path": "/mnt/test", "volume": "id"}

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("sfdisk", "blkid", "wipefs", "mkfs.ext4"))), reason="this machine lacks disk tools"
)


def _lvm2() -> bytes:
    label = struct.pack("<8sQII8s", b"LABELONE", 1, 0, 32, b"LVM2 001") + b"abcdef" * 6
    return bytes(512) + label


def _xfs(tools: DiskTools, device: str) -> None:
    tools.run("mkfs.xfs", "--unsupported", "-q", device)  # a smaller one than it thinks wise


def _luks(kind: str, tools: DiskTools, device: str) -> None:
    quick = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")
    tools.run("cryptsetup", "-q", "luksFormat", "--type", kind, *quick, device, "-", given=b"a passphrase")


def _lvm(tools: DiskTools, device: str) -> None:
    config = f'devices{{use_devicesfile=0}} backup{{backup=0 archive=0}} global{{locking_dir="{tools.folder}"}}'
    tools.run("lvm", "pvcreate", "--yes", "--config", config, device)


def _raid() -> bytes:
    return bytes(4096) + struct.pack("<III", 0xA92B4EFC, 1, 0) + bytes(4) + b"array-uuid-16byt"


def _made_by(*command: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        if not shutil.which(command[0]):
            pytest.skip(f"{command[0]} is not installed")
        subprocess.run([*command, str(path)], check=True, capture_output=True)

    return make


def _bytes(content: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with path.open("r+b") as file:
            file.write(content)

    return make


KINDS: dict[str, Callable[[Path], None]] = {
    "ext4 without a partition": _made_by("mkfs.ext4", "-q", "-F"),
    "btrfs": _bytes(bytes(65536 + 64) + b"_BHRfS_M"),
    "xfs, its first words only": _bytes(b"XFSB" + struct.pack(">IQ", 4096, SIZE // 4096)),
    "swap": _made_by("mkswap"),
    "LVM2": _bytes(_lvm2()),
    "LUKS1": _bytes(b"LUKS\xba\xbe\x00\x01" + b"aes".ljust(32, b"\0")),
    "LUKS2": _bytes(b"LUKS\xba\xbe\x00\x02" + bytes(500)),
    "RAID": _bytes(_raid()),
    "a tar archive": _bytes(b"file.txt".ljust(257, b"\0") + b"ustar\x0000"),
    "random bytes": _bytes(os.urandom(5000)),
    "random bytes far in": _bytes(bytes(40 * MIB) + os.urandom(10)),
}
REAL: dict[str, Callable[[DiskTools, str], None]] = {
    "xfs": _xfs,
    "LVM2": _lvm,
    "LUKS1": partial(_luks, "luks1"),
    "LUKS2": partial(_luks, "luks2"),
}
"""The same by the programs that people use for it; LVM's takes devices only."""
FILESYSTEMS = {"ext4 without a partition", "xfs", "btrfs"}
"""Those that can be mounted as they are."""


@contextmanager
def _loop(path: Path) -> Iterator[str]:
    if why := why_no_nodes():
        pytest.skip(why)
    device = subprocess.run(
        ["losetup", "-f", "--show", path], check=True, capture_output=True, text=True
    ).stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "-d", device], check=True)


def _prepare(device: str) -> None:
    """What a node does before it mounts; how the filesystem is called afterwards is no matter here."""
    module: Any = load("block_filesystem")
    module.stable_name = lambda _, content: content.device
    module.prepare(Disk(device, "", SIZE), WANTED, False)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sparse(path: Path) -> Path:
    with path.open("wb") as file:
        file.truncate(SIZE)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_there_stays(tmp_path: Path, kind: str) -> None:
    path = _sparse(tmp_path / "disk")
    KINDS[kind](path)
    before = _digest(path)
    if kind in FILESYSTEMS:
        _prepare(str(path))
    else:
        with pytest.raises(Refused, match="never formats what is not blank"):
            _prepare(str(path))
    assert _digest(path) == before


@pytest.mark.nodes
@pytest.mark.parametrize("kind", ["ext4 without a partition", "LVM2", "LUKS2", "random bytes far in"])
def test_what_is_there_stays_on_a_real_device(tmp_path: Path, kind: str) -> None:
    path = _sparse(tmp_path / "disk")
    KINDS[kind](path)
    before = _digest(path)
    with _loop(path) as device:
        _leaves(device, kind)
    assert _digest(path) == before


@pytest.mark.nodes
def test_a_disk_that_a_loop_device_or_a_programs_memory_shows_is_in_use(tmp_path: Path) -> None:
    with _loop(_sparse(tmp_path / "disk")) as device:
        assert openers([device]) == []
        with _loop(Path(device)) as above:
            assert openers([device]) == [User("loop device", above)]
            with _without_its_file(Path(above)):
                assert openers([device]) == [], "another node's, which shares this kernel"
        with Path(device).open("r+b") as file:
            memory = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        assert [user.pid for user in openers([device])] == [os.getpid()]
        memory.close()
        assert openers([device]) == []


@contextmanager
def _without_its_file(device: Path) -> Iterator[None]:
    facts = device.stat()
    device.unlink()
    try:
        yield
    finally:
        os.mknod(device, facts.st_mode, facts.st_rdev)


def _leaves(device: str, kind: str) -> None:
    """What a node does with such a device: it takes a filesystem as it is, and refuses all else."""
    if kind in FILESYSTEMS:
        _prepare(device)
    else:
        with pytest.raises(Refused, match="never formats"):
            _prepare(device)


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> DiskTools:
    return DiskTools.fetched(tmp_path_factory.mktemp("tools"))


@pytest.mark.nodes
@pytest.mark.parametrize("kind", REAL)
def test_what_the_real_programs_wrote_stays(tmp_path: Path, tools: DiskTools, kind: str) -> None:
    path = _sparse(tmp_path / "disk")
    with _loop(path) as device:
        REAL[kind](tools, device)
        os.sync()
        before = _digest(path)
        _leaves(device, kind)
    assert _digest(path) == before


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(
        st.tuples(st.integers(0, SIZE - 600), st.binary(min_size=1, max_size=600).filter(lambda some: any(some))),
        min_size=1,
        max_size=5,
    )
)
def test_whatever_is_there_stays(tmp_path: Path, parts: list[tuple[int, bytes]]) -> None:
    path = _sparse(tmp_path / "disk")
    with path.open("r+b") as file:
        for at, data in parts:
            file.seek(at)
            file.write(data)
    before = _digest(path)
    with pytest.raises(Refused):
        _prepare(str(path))
    assert _digest(path) == before


def test_a_blank_one_is_formatted_so_the_others_could_have_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _sparse(tmp_path / "disk")
    monkeypatch.setattr(block_format, "find_disk", lambda _: Disk(str(path), "", SIZE))
    before = _digest(path)
    module: Any = load("block_filesystem")

    def stop(*_: object) -> None:
        raise Refused("a file shows no partitions")

    module.make_filesystem = stop
    with pytest.raises(Refused, match="shows no partitions"):
        module.prepare(Disk(str(path), "", SIZE), WANTED, False)
    assert _digest(path) != before, "it was partitioned"
