"""What stands in for udevadm on a node."""

from __future__ import annotations

import runpy
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from chiops.cloud.local.files import site_disks
from chiops.cloud.local.files.site_disks import Disk, Partition, parse_disks, parse_partitions
from chiops.cloud.local.slots import Slots
from chiops.cloud.local.store import Store


def test_it_reads_what_the_site_writes(tmp_path: Path) -> None:
    slots = Slots(Store(tmp_path / "site.db"), tmp_path)
    first, second, *_ = slots.reserve("a")
    found = parse_disks(slots.render({first: "volume-1", second: "volume-2"}))
    assert [(disk.name, disk.volume) for disk in found] == [("vdb", "volume-1"), ("vdc", "volume-2")]
    assert found[0].number == f"7:{first.whole}"
    (root,) = parse_disks(slots.render({slots.root("a"): "volume-0"}))
    assert (root.name, root.volume, root.spare) == ("vda", "volume-0", ())
    assert found[0].spare == tuple(f"7:{loop}" for loop in first.partitions)


def test_the_alias_is_the_one_that_the_cloud_promises() -> None:
    from chiops.cloud.local.slots import by_id

    volume = "01234567-89ab-cdef-0123-456789abcdef"
    assert f"/dev/disk/by-id/{Disk('vdb', '7:1', volume, ()).alias}" == by_id(volume)


@given(st.text())
def test_nothing_in_the_list_of_disks_breaks_it(text: str) -> None:
    for disk in parse_disks(text):
        assert disk.name


def test_partitions_as_partx_prints_them() -> None:
    text = "NR START SECTORS\n1 2048 204800\n2 206848 0\n5 208896 2048\n"
    assert parse_partitions(text) == [
        Partition(1, 2048 * 512, 204800 * 512),
        Partition(5, 208896 * 512, 2048 * 512),
    ]


def test_a_disk_without_partitions_has_none() -> None:
    assert parse_partitions("") == []


def test_it_is_a_program() -> None:
    path = Path(site_disks.__file__)
    assert path.read_text().startswith("#!/usr/bin/python3\n")
    assert "main" in runpy.run_path(str(path)), "it imports nothing that a node lacks"
