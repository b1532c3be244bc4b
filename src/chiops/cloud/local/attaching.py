"""Makes a node see a disk: loop devices on this side, the node's own tools on the other (see `slots` for what they agree on)."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from chiops.cloud.local import containers, loop
from chiops.cloud.local.privilege import perform
from chiops.cloud.local.slots import ROOT, Slot, Slots
from chiops.cloud.local.space import filling
from chiops.errors import CloudError, Conflict, NotFound

if TYPE_CHECKING:
    from chiops.cloud.local.site import LocalSite

_PLACEHOLDER_BYTES = 1 << 20


class Disks:
    """The disks of the site's nodes. Everything may be done again; callers hold the volumes' lock."""

    def __init__(self, site: LocalSite, slots: Slots) -> None:
        self._site = site
        self._slots = slots
        self._volumes = site.root / "volumes"

    def bind(self, server_id: str, device: str, file: Path) -> None:
        """Bind a slot's loop devices: the whole to ``file``, the partitions to a placeholder until the node finds some."""
        slot = self._slot(server_id, device)
        placeholder = self._placeholder()
        with filling("Attaching a volume", file):
            if loop.backing(slot.whole) not in ("", str(file)):
                # Whatever it shows, it is our number and not what the database says: an earlier volume's leftover
                self._unbind(slot)
            perform(self._site, "bind", slot.whole, str(file))
            for partition in slot.partitions:
                if not loop.backing(partition):
                    perform(self._site, "bind", partition, str(placeholder), read_only=True)

    def unbind(self, server_id: str, device: str) -> None:
        """Unbind and remove a slot's loop devices.

        Raises:
            Conflict: something on the node still uses them.
        """
        self._unbind(self._slot(server_id, device))

    def unbind_all(self, server_id: str) -> None:
        """Unbind all of a server's loop devices but the one that it boots from; one that is not the site's any more is no error."""
        try:
            slots = self._slots.of(server_id)
        except NotFound:
            return
        for slot in slots:
            self._unbind(slot)

    def unbind_strays(self) -> None:
        """Unbind every loop device that shows a file of the site, for when there is no server left that could use one."""
        for number in loop.bound_below(str(self._volumes)):
            with suppress(OSError):
                perform(self._site, "unbind", number)

    def grow(self, server_id: str, device: str) -> None:
        """Have the node's disk take on its file's new size."""
        with filling("Extending a volume", self._site.root):
            perform(self._site, "grow", self._slot(server_id, device).whole)

    def users(self, server_id: str, device: str) -> list[str]:
        """What uses the disk or a partition of it: ``mounted at …``, ``open in …``."""
        found: list[str] = perform(self._site, "users", list(self._slot(server_id, device).loops))
        return found

    def show(self, server_id: str, disks: Mapping[str, str]) -> None:
        """Have the node show these disks (device name → volume id) and no others; one that is down does so when it starts."""
        slots = {slot.device: slot for slot in (self._slots.root(server_id), *self._slots.of(server_id))}
        text = self._slots.render({slots[device]: volume_id for device, volume_id in disks.items()})
        folder = self._site.node_dir(server_id)
        with filling("Writing a node's disks", folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh = folder / "disks.new"
            fresh.write_text(text, encoding="ascii")
            fresh.replace(folder / "disks")
        self._settle(server_id)

    def _settle(self, server_id: str) -> None:
        """Have the node look at its disks now, if it runs."""
        try:
            runs = containers.is_running(containers.one(self._site, server_id))
        except NotFound:
            return
        if runs:
            containers.run(self._site, server_id, ["udevadm", "settle"])

    def _unbind(self, slot: Slot) -> None:
        # Partitions first: they hold the whole
        for number in (*slot.partitions, slot.whole):
            if not Path(f"/sys/block/loop{number}").exists():
                continue
            try:
                perform(self._site, "unbind", number)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise CloudError("Detaching a volume failed", why=error.strerror or str(error)) from error
                used = perform(self._site, "users", [number])
                raise Conflict(
                    f"/dev/{slot.device} is still in use", why=" and ".join(used), todo="end that and try again"
                ) from error

    def _slot(self, server_id: str, device: str) -> Slot:
        if device == ROOT:
            return self._slots.root(server_id)
        return next(slot for slot in self._slots.of(server_id) if slot.device == device)

    def _placeholder(self) -> Path:
        path = self._volumes / "placeholder.img"
        with filling("Attaching a volume", path.parent):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.ftruncate(handle, _PLACEHOLDER_BYTES)
            finally:
                os.close(handle)
        return path
