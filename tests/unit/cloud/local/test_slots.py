"""Loop device numbers reserved for servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiops.cloud.local.slots import DISKS, PARTITIONS, Slots, by_id
from chiops.cloud.local.store import Store
from chiops.errors import NotFound


def slots_at(tmp_path: Path, max_part: int = 0) -> Slots:
    """A book of slots on a machine without loop devices but for those that a test makes below ``tmp_path``/sys."""
    parameters = tmp_path / "sys/module/loop/parameters"
    parameters.mkdir(parents=True)
    (parameters / "max_part").write_text(f"{max_part}\n")
    return Slots(Store(tmp_path / "site.db"), tmp_path / "sys")


def test_a_server_has_its_own_numbers_and_keeps_them(tmp_path: Path) -> None:
    slots = slots_at(tmp_path)
    mine = slots.reserve("a")
    assert [slot.device for slot in mine] == [f"vd{letter}" for letter in "bcdefghi"[:DISKS]]
    loops = [loop for slot in mine for loop in slot.loops]
    assert len(set(loops)) == DISKS * (1 + PARTITIONS)
    assert min(loops) >= 1024, "those that this machine uses itself are left to it"
    assert slots.reserve("a") == slots.of("a") == mine


def test_servers_share_no_number(tmp_path: Path) -> None:
    slots = slots_at(tmp_path)
    loops = [loop for index in range(50) for slot in slots.reserve(f"server {index}") for loop in slot.loops]
    assert len(loops) == len(set(loops))


def test_numbers_in_use_on_this_machine_are_left_alone(tmp_path: Path) -> None:
    slots = slots_at(tmp_path)
    wanted = slots.reserve("a")
    slots.release("a")
    (tmp_path / f"sys/block/loop{wanted[0].partitions[1]}").mkdir(parents=True)
    assert slots.reserve("a") != wanted


def test_rules_name_every_device_and_none_by_wildcard(tmp_path: Path) -> None:
    slots = slots_at(tmp_path)
    loops = [loop for slot in slots.reserve("a") for loop in slot.loops]
    assert slots.rules("a") == [f"b 7:{loop} rwm" for loop in loops]


def test_minors_where_the_driver_keeps_room_for_partitions(tmp_path: Path) -> None:
    slots = slots_at(tmp_path, max_part=15)
    assert slots.number(3) == "7:48"
    assert all(slot.whole << 4 < 1 << 20 for slot in slots.reserve("a"))


def test_the_nodes_list_of_disks(tmp_path: Path) -> None:
    slots = slots_at(tmp_path)
    first, second, *_ = slots.reserve("a")
    text = slots.render({second: "volume-2", first: "volume-1"})
    spare = ",".join(f"7:{loop}" for loop in first.partitions)
    assert text.splitlines()[0] == f"vdb 7:{first.whole} volume-1 {spare}"
    assert [line.split()[2] for line in text.splitlines()] == ["volume-1", "volume-2"]


def test_the_disk_to_boot_from_is_open_only_to_servers_that_do(tmp_path: Path) -> None:
    slots = slots_at(tmp_path)
    others = {loop for slot in (*slots.reserve("a"), *slots.reserve("b")) for loop in slot.loops}
    root = slots.root("a")
    assert (root.device, root.partitions, root.whole in others) == ("vda", (), False)
    rule = f"b 7:{root.whole} rwm"
    assert rule not in slots.rules("a")
    assert slots.rules("a", root=True) == [*slots.rules("a"), rule]
    assert slots.render({root: "volume"}) == f"vda 7:{root.whole} volume -\n"
    with pytest.raises(NotFound):
        slots.root("nobody")


def test_numbers_given_out_in_other_steps_are_not_shared(tmp_path: Path) -> None:
    """Earlier versions gave out blocks of another size, so that an old block may overlap with a new one."""
    slots = slots_at(tmp_path)
    wanted = slots.root("a").whole if slots.reserve("a") else 0
    slots.release("a")
    slots._store.execute("INSERT INTO slot_blocks VALUES ('old', ?)", (wanted,))
    slots.reserve("a")
    assert abs(slots.of("a")[0].whole - wanted) > DISKS * (1 + PARTITIONS)


def test_released_slots_are_gone(tmp_path: Path) -> None:
    slots = slots_at(tmp_path)
    slots.reserve("a")
    slots.release("a")
    with pytest.raises(NotFound):
        slots.of("a")


def test_by_id_shows_twenty_characters_as_virtio_does() -> None:
    assert by_id("01234567-89ab-cdef-0123-456789abcdef") == "/dev/disk/by-id/virtio-01234567-89ab-cdef-0"
