"""Volumes: sparse files on this machine that nodes see as disks."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from chiops.cloud.base import Attachment, Mark, Volume
from chiops.cloud.local import booting
from chiops.cloud.local.attaching import Disks
from chiops.cloud.local.shelf import TYPE, Shelf, attachment
from chiops.cloud.local.slots import ROOT, Slots
from chiops.cloud.local.steps import Steps
from chiops.errors import ChiopsError, Conflict, InvalidRequest, NotFound

if TYPE_CHECKING:
    from chiops.cloud.local.site import LocalSite


class LocalVolumes:
    """`base.Volumes` at the local site; a list that finds something half done finishes it (see `steps`)."""

    def __init__(self, site: LocalSite) -> None:
        self._site = site
        self._shelf = Shelf(site)
        self._slots = Slots(site.store)
        self._disks = Disks(site, self._slots)
        self._steps = Steps(site, self._shelf, self._disks)
        site.on_server_gone(self._server_gone)
        site.on_node_started(self._node_started)
        site.on_idle(self._idle)

    def list(self) -> Sequence[Volume]:
        """All volumes of the site."""
        self._steps.settle()
        return [self._shelf.volume(row) for row in self._shelf.all()]

    def get(self, volume_id: str) -> Volume:
        """One volume.

        Raises:
            NotFound: there is none of that id.
        """
        self._steps.settle()
        return self._shelf.volume(self._shelf.row(volume_id))

    def create(self, name: str, *, size_gib: int, mark: Mark, image_id: str = "", volume_type: str = "") -> Volume:
        """A new volume. Its file is sparse: it takes room as it is written; one from an image takes a few seconds to fill.

        Raises:
            InvalidRequest: no volume can be of that size or type, or the image does not fit.
            NotFound: there is no such image.
            Capacity: the disk is full.
        """
        if size_gib < 1:
            raise InvalidRequest(f"A volume of {size_gib} GiB cannot be", todo="ask for 1 GiB or more")
        if image_id:
            booting.require_room(image_id, size_gib)
        if volume_type not in ("", TYPE):
            raise InvalidRequest(
                f"The local site has no volume type {volume_type!r}", todo=f"leave it out, or say {TYPE!r}"
            )
        volume_id = str(uuid.uuid4())
        with self._shelf.lock():
            self._shelf.warn_if_larger_than_free(name, size_gib)
            self._shelf.add(volume_id, name, size_gib, mark, image=image_id)
            try:
                self._steps.finish(self._shelf.row(volume_id))
            except BaseException:
                self._shelf.remove(volume_id)
                raise
        return self._shelf.volume(self._shelf.row(volume_id))

    def extend(self, volume_id: str, size_gib: int) -> Volume:
        """Grow a volume, attached or not. A node sees the new size at once; its file system is the caller's to grow.

        Raises:
            NotFound: there is none of that id.
            InvalidRequest: it would shrink.
            Conflict: its file is gone.
            Capacity: the disk is full.
        """
        with self._shelf.lock():
            row = self._shelf.row(volume_id)
            if size_gib < row["size_gib"]:
                raise InvalidRequest(
                    f"The volume {row['name']} has {row['size_gib']} GiB and cannot shrink to {size_gib}",
                    todo="make a smaller one and copy what is on it",
                )
            self._shelf.require_file(row)
            self._shelf.warn_if_larger_than_free(row["name"], size_gib - row["size_gib"])
            self._shelf.make_file(volume_id, size_gib)
            if row["server_id"]:
                self._disks.grow(row["server_id"], row["device"])
            self._shelf.resize(volume_id, size_gib)
        return self._shelf.volume(self._shelf.row(volume_id))

    def attach(self, volume_id: str, server_id: str) -> Attachment:
        """Have a server see the volume, as the first of ``/dev/vdb``, ``/dev/vdc`` … that is free there.

        Raises:
            NotFound: there is no such volume or server.
            Conflict: the volume is attached or broken, or the server has no place left.
        """
        with self._shelf.lock():
            row = self._shelf.row(volume_id)
            slots = self._slots.of(server_id)
            if row["status"] != "available":
                raise Conflict(
                    f"The volume {row['name']} is {row['status']}", todo="detach it first" if row["server_id"] else ""
                )
            self._shelf.require_file(row)
            taken = {found["device"] for found in self._shelf.at(server_id)}
            free = [slot.device for slot in slots if slot.device not in taken]
            if not free:
                raise Conflict(f"The server has {len(taken)} volumes attached, and no place for another")
            self._shelf.place(volume_id, server_id, free[0])
            try:
                self._steps.finish(self._shelf.row(volume_id))
            except BaseException:
                with suppress(ChiopsError):
                    self._shelf.set(volume_id, "detaching")
                    self._steps.finish(self._shelf.row(volume_id))
                raise
            return attachment(self._shelf.row(volume_id))

    def detach(self, volume_id: str, server_id: str) -> None:
        """Take the volume from the server.

        Raises:
            NotFound: there is no such volume, or it is not attached there.
            Conflict: it is still mounted or open there; the sentence says where.
        """
        with self._shelf.lock():
            row = self._shelf.row(volume_id)
            if row["server_id"] != server_id:
                raise NotFound(f"The volume {row['name']} is not attached to the server {server_id}")
            if row["device"] == ROOT:
                raise Conflict(
                    f"The volume {row['name'] or volume_id} is what its server boots from",
                    todo="delete the server instead",
                )
            if used := self._disks.users(server_id, row["device"]):
                raise Conflict(
                    f"The volume {row['name']} is still in use on its server",
                    why=f"/dev/{row['device']} is {' and '.join(used)}",
                    todo="unmount it there first",
                )
            self._shelf.set(volume_id, "detaching")
            self._steps.finish(self._shelf.row(volume_id))

    def delete(self, volume_id: str) -> None:
        """Delete a volume and all that is on it.

        Raises:
            NotFound: there is none of that id.
            Conflict: it is attached.
        """
        with self._shelf.lock():
            row = self._shelf.row(volume_id)
            if row["server_id"]:
                raise Conflict(f"The volume {row['name']} is attached", todo="detach it first")
            self._shelf.set(volume_id, "deleting")
            self._steps.finish(self._shelf.row(volume_id))

    def _server_gone(self, server_id: str) -> None:
        with self._shelf.lock():
            self._steps.let_go(server_id)

    def _node_started(self, server_id: str) -> None:
        with self._shelf.lock():
            self._steps.bind(server_id)
            self._steps.show(server_id)

    def _idle(self) -> None:
        with self._shelf.lock():
            self._disks.unbind_strays()
