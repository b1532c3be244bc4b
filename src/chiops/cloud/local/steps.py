"""What is done to volumes, step by step, as the database says; each step may be done again.

What is going to happen is written to the database first and then done. So whoever comes next finishes what a killed process
began.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

from chiops.cloud.local import rootfs
from chiops.cloud.local.attaching import Disks
from chiops.cloud.local.shelf import Shelf
from chiops.cloud.local.slots import ROOT
from chiops.errors import ChiopsError

if TYPE_CHECKING:
    from chiops.cloud.local.site import LocalSite


class Steps:
    """Carries out what volumes' rows say. Callers hold the volumes' lock, but for `settle`, which takes it."""

    def __init__(self, site: LocalSite, shelf: Shelf, disks: Disks) -> None:
        self._site = site
        self._shelf = shelf
        self._disks = disks

    def settle(self) -> None:
        """Finish what a killed process left half done; if another process is at it, leave it to that."""
        if not self._shelf.unfinished():
            return
        lock = self._shelf.lock()
        if lock.acquire(wait=False):
            try:
                for row in self._shelf.unfinished():
                    # One that will not go on stays as it is, and the list shows it so
                    with suppress(ChiopsError):
                        self.finish(row)
            finally:
                lock.release()

    def finish(self, row: sqlite3.Row) -> None:
        """Do what a row says is being done, to its end."""
        volume_id, server_id = row["id"], row["server_id"]
        match row["status"]:
            case "creating":
                self._shelf.make_file(volume_id, row["size_gib"])
                if row["image"]:
                    rootfs.fill(self._site, volume_id, self._shelf.file(volume_id))
                if not server_id:
                    self._shelf.set(volume_id, "available")
                    return
                self._shelf.set(volume_id, "attaching")
                self.finish(self._shelf.row(volume_id))
            case "attaching":
                self._disks.bind(server_id, row["device"], self._shelf.file(volume_id))
                self.show(server_id)
                self._shelf.set(volume_id, "in-use")
            case "detaching":
                self.show(server_id)
                self._disks.unbind(server_id, row["device"])
                self._shelf.free(volume_id)
            case "deleting":
                self._shelf.remove(volume_id)

    def show(self, server_id: str) -> None:
        """Have the node show the disks that it should have."""
        there = {row["device"]: row["id"] for row in self._shelf.at(server_id) if row["status"] != "detaching"}
        self._disks.show(server_id, there)

    def bind(self, server_id: str) -> None:
        """Bind the disks that a server should have again: the machine was rebooted, or the node is about to start."""
        for row in self._shelf.at(server_id):
            if row["status"] == "in-use":
                # A broken volume must not keep the others from the node
                with suppress(ChiopsError):
                    self._disks.bind(server_id, row["device"], self._shelf.file(row["id"]))

    def let_go(self, server_id: str) -> None:
        """Free what was at a server that is gone, and delete what was to go with it."""
        self._disks.unbind_all(server_id)
        for row in self._shelf.at(server_id):
            if row["device"] == ROOT:
                self._disks.unbind(server_id, ROOT)
            if row["goes"]:
                self._shelf.set(row["id"], "deleting")
                self.finish(self._shelf.row(row["id"]))
            elif row["status"] == "creating":
                # It was to be kept, but nothing is on it yet
                self._shelf.remove(row["id"])
            else:
                self._shelf.free(row["id"])
