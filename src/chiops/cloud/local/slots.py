"""Which loop devices a node may open: a few, reserved for it alone when it is made.

Docker fixes a container's device rules at its creation, so a server gets the numbers of its disks then: `DISKS` disks of one
whole device and `PARTITIONS` partitions each, and one for the volume that it may boot from; all of major 7, none shared with
another server, none in use on this machine. No rule has a wildcard.

What the two sides agree on, for a disk in a slot:

- This side makes the loop devices ``slot.whole`` and ``slot.partitions`` by number (LOOP_CTL_ADD), binds ``whole`` to the volume,
  and binds each of ``partitions`` to a placeholder, so that no ``losetup -f`` on this machine takes them for free ones. When the
  disk goes, all five are unbound and removed.
- It then writes all disks of the node to ``node_dir/disks`` (`render`, replaced atomically) and runs ``udevadm settle`` in the
  node. The shim there makes ``/dev/vdb`` and the by-id link, reads the partition table, and binds the partitions' devices to their
  part of ``/dev/vdb``. Lines that have gone from the file make it undo all that. The same happens when a node starts.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chiops.cloud.local.store import Store
from chiops.errors import Capacity, NotFound

DISKS = 8
"""Volumes that a server can have attached at once."""
PARTITIONS = 4
"""Partitions of a volume that a node can open."""
LOOP_MAJOR = 7
ROOT = "vda"
"""The disk that a server boots from, where that is a volume."""
_BLOCK = DISKS * (1 + PARTITIONS) + 1
_FIRST = 1024
_MINORS = 1 << 20
_TRIES = 1000


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a disk in a node: its name there, and the loop devices' numbers (N of ``/dev/loopN``) on this side."""

    device: str
    whole: int
    partitions: tuple[int, ...]

    @property
    def loops(self) -> tuple[int, ...]:
        """All loop devices of the slot."""
        return (self.whole, *self.partitions)


class Slots:
    """The reservations of one site."""

    def __init__(self, store: Store, devices: Path = Path("/sys")) -> None:
        self._store = store
        self._devices = devices
        store.define(
            "CREATE TABLE IF NOT EXISTS slot_blocks (server_id TEXT PRIMARY KEY, first INTEGER UNIQUE NOT NULL)"
        )

    def reserve(self, server_id: str) -> tuple[Slot, ...]:
        """Reserve a server's slots; the same ones if it has them already.

        Raises:
            Capacity: no free loop numbers were found.
        """
        count = ((_MINORS >> self._shift()) - _FIRST) // _BLOCK
        # Sites of one machine do not know of each other, so each takes blocks anywhere rather than one after the other
        chance = random.Random(server_id)  # noqa: S311
        with self._store.transaction() as db:
            if row := db.execute("SELECT first FROM slot_blocks WHERE server_id = ?", (server_id,)).fetchone():
                return _slots(row["first"])
            taken = {row["first"] for row in db.execute("SELECT first FROM slot_blocks")}
            for _ in range(_TRIES):
                first = _FIRST + chance.randrange(count) * _BLOCK
                if all(abs(first - other) >= _BLOCK for other in taken) and not any(
                    self._exists(first + index) for index in range(_BLOCK)
                ):
                    db.execute("INSERT INTO slot_blocks VALUES (?, ?)", (server_id, first))
                    return _slots(first)
        raise Capacity("No loop device numbers are free for another server's disks")

    def of(self, server_id: str) -> tuple[Slot, ...]:
        """The slots of a server, in the order ``vdb``, ``vdc`` …

        Raises:
            NotFound: the server has none reserved.
        """
        return _slots(self._first(server_id))

    def root(self, server_id: str) -> Slot:
        """The slot of the disk that a server boots from; used only where that is a volume.

        Raises:
            NotFound: the server has none reserved.
        """
        return Slot(device=ROOT, whole=self._first(server_id) + _BLOCK - 1, partitions=())

    def _first(self, server_id: str) -> int:
        row = self._store.row("SELECT first FROM slot_blocks WHERE server_id = ?", (server_id,))
        if row is None:
            raise NotFound(f"No server {server_id} at the local site")
        return int(row["first"])

    def release(self, server_id: str) -> None:
        """Give a server's slots back, after its container and its loop devices are gone."""
        self._store.execute("DELETE FROM slot_blocks WHERE server_id = ?", (server_id,))

    def rules(self, server_id: str, *, root: bool = False) -> list[str]:
        """Docker's device cgroup rules for a server: each of its loop devices by number; ``root`` if it boots from a volume."""
        slots = (*self.of(server_id), *([self.root(server_id)] if root else []))
        return [f"b {self.number(loop)} rwm" for slot in slots for loop in slot.loops]

    def number(self, loop: int) -> str:
        """``major:minor`` of ``/dev/loop<loop>``."""
        return f"{LOOP_MAJOR}:{loop << self._shift()}"

    def render(self, disks: Mapping[Slot, str]) -> str:
        """The text of ``node_dir/disks`` for slots and the volume id in each: name, number, volume, partitions or ``-``."""
        lines = []
        for slot, volume_id in sorted(disks.items(), key=lambda item: item[0].whole):
            parts = ",".join(self.number(loop) for loop in slot.partitions) or "-"
            lines.append(f"{slot.device} {self.number(slot.whole)} {volume_id} {parts}\n")
        return "".join(lines)

    def _shift(self) -> int:
        """How many bits of a minor number the loop driver keeps for partitions of its own; usually none."""
        try:
            most = int((self._devices / "module/loop/parameters/max_part").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0
        return most.bit_length()

    def _exists(self, loop: int) -> bool:
        return (self._devices / f"block/loop{loop}").exists()


def by_id(volume_id: str) -> str:
    """The path on the node that is certain to be this volume: virtio shows 20 characters of the id."""
    return f"/dev/disk/by-id/virtio-{volume_id[:20]}"


def _slots(first: int) -> tuple[Slot, ...]:
    step = 1 + PARTITIONS
    return tuple(
        Slot(
            device=f"vd{chr(ord('b') + disk)}",
            whole=first + disk * step,
            partitions=tuple(range(first + disk * step + 1, first + (disk + 1) * step)),
        )
        for disk in range(DISKS)
    )
