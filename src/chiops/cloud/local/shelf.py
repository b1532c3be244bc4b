"""The site's volumes as they are kept: a row in the database, and a sparse file."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from chiops import progress
from chiops.cloud.base import Attachment, Mark, State, Volume
from chiops.cloud.local.locks import FileLock
from chiops.cloud.local.slots import ROOT, by_id
from chiops.cloud.local.space import GIB, filling
from chiops.errors import Conflict, NotFound

if TYPE_CHECKING:
    from chiops.cloud.local.site import LocalSite

TYPE = "local"
"""The one volume type of the site."""

_STATES = {
    "creating": State.PENDING,
    "available": State.READY,
    "attaching": State.PENDING,
    "in-use": State.IN_USE,
    "detaching": State.PENDING,
    "deleting": State.DELETING,
    "error": State.FAILED,
}


class Shelf:
    """Rows and files of volumes. ``server_id`` and ``device`` of a row are empty while it is nowhere."""

    def __init__(self, site: LocalSite) -> None:
        self._root = site.root / "volumes"
        self._store = site.store
        self._store.define(
            "CREATE TABLE IF NOT EXISTS volumes (id TEXT PRIMARY KEY, name TEXT NOT NULL, size_gib INTEGER NOT NULL,"
            " status TEXT NOT NULL, lab TEXT NOT NULL, owner TEXT NOT NULL, created TEXT NOT NULL,"
            " server_id TEXT NOT NULL DEFAULT '', device TEXT NOT NULL DEFAULT '')",
            "CREATE UNIQUE INDEX IF NOT EXISTS volumes_place ON volumes (server_id, device) WHERE server_id != ''",
        )
        # What it was made from, "" for nothing; and whether it goes with the server that it is at
        self._store.add_columns("volumes", image="TEXT NOT NULL DEFAULT ''", goes="INTEGER NOT NULL DEFAULT 0")

    def lock(self) -> FileLock:
        """One for all volumes of the site, over processes too; a fresh object each time, for threads."""
        return FileLock(self._root.parent / "volumes.lock")

    # Rows

    def all(self) -> Sequence[sqlite3.Row]:
        """Every volume's row, oldest first."""
        return self._store.rows("SELECT * FROM volumes ORDER BY created, id")

    def unfinished(self) -> Sequence[sqlite3.Row]:
        """Rows of volumes that something was being done to when it was last heard of."""
        return self._store.rows(
            "SELECT * FROM volumes WHERE status IN ('creating', 'attaching', 'detaching', 'deleting')"
        )

    def at(self, server_id: str) -> Sequence[sqlite3.Row]:
        """Rows of what is at a server, or on its way there or back."""
        return self._store.rows("SELECT * FROM volumes WHERE server_id = ?", (server_id,))

    def row(self, volume_id: str) -> sqlite3.Row:
        """One volume's row.

        Raises:
            NotFound: there is none of that id.
        """
        if (row := self._store.row("SELECT * FROM volumes WHERE id = ?", (volume_id,))) is None:
            raise NotFound(f"No volume {volume_id} at the local site")
        return row

    def add(
        self,
        volume_id: str,
        name: str,
        size_gib: int,
        mark: Mark | None,
        *,
        image: str = "",
        boots: str = "",
        goes: bool = False,
    ) -> None:
        """Note a volume that is about to be made: from what image, for which server to boot from, and whether it goes with it."""
        lab, owner = (mark.lab, mark.owner) if mark else ("", "")
        self._store.execute(
            "INSERT INTO volumes (id, name, size_gib, status, lab, owner, created, image, server_id, device, goes)"
            " VALUES (?, ?, ?, 'creating', ?, ?, ?, ?, ?, ?, ?)",
            (
                *(volume_id, name, size_gib, lab, owner, datetime.now(UTC).isoformat()),
                *(image, boots, ROOT if boots else "", int(goes)),
            ),
        )

    def set(self, volume_id: str, status: str) -> None:
        """Note a volume's status."""
        self._store.execute("UPDATE volumes SET status = ? WHERE id = ?", (status, volume_id))

    def place(self, volume_id: str, server_id: str, device: str, *, goes: bool = False) -> None:
        """Note that a volume is on its way to a server, and whether it goes with it."""
        self._store.execute(
            "UPDATE volumes SET status = 'attaching', server_id = ?, device = ?, goes = ? WHERE id = ?",
            (server_id, device, int(goes), volume_id),
        )

    def free(self, volume_id: str) -> None:
        """Note that a volume is nowhere."""
        self._store.execute(
            "UPDATE volumes SET status = 'available', server_id = '', device = '', goes = 0 WHERE id = ?", (volume_id,)
        )

    def resize(self, volume_id: str, size_gib: int) -> None:
        """Note a volume's new size."""
        self._store.execute("UPDATE volumes SET size_gib = ? WHERE id = ?", (size_gib, volume_id))

    def volume(self, row: sqlite3.Row) -> Volume:
        """A row as the interface shows it. A volume whose file is gone is in error."""
        status, fault = row["status"], ""
        if status in ("available", "in-use") and not self.file(row["id"]).exists():
            status, fault = "error", f"its file {self.file(row['id'])} is gone"
        return Volume(
            id=row["id"],
            name=row["name"],
            status=status,
            state=_STATES[status],
            fault=fault,
            mark=Mark(row["lab"], row["owner"]) if row["lab"] else None,
            created=datetime.fromisoformat(row["created"]),
            size_gib=row["size_gib"],
            bootable=bool(row["image"]),
            volume_type=TYPE,
            attachments=(attachment(row),) if row["status"] in ("in-use", "detaching") else (),
        )

    # Files

    def file(self, volume_id: str) -> Path:
        """Where a volume's bytes are."""
        return self._root / volume_id / "disk.img"

    def make_file(self, volume_id: str, size_gib: int) -> None:
        """Make a volume's file, or make it larger; never smaller, for what is in it may be all there is.

        Raises:
            Capacity: the disk is full.
        """
        path = self.file(volume_id)
        with filling("Making room for a volume", path.parent):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if os.fstat(handle).st_size < size_gib * GIB:
                    os.ftruncate(handle, size_gib * GIB)
            finally:
                os.close(handle)

    def remove(self, volume_id: str) -> None:
        """Remove a volume's file, and then its row."""
        folder = self.file(volume_id).parent
        with filling("Deleting a volume", folder):
            if folder.exists():
                shutil.rmtree(folder)
        self._store.execute("DELETE FROM volumes WHERE id = ?", (volume_id,))

    def require_file(self, row: sqlite3.Row) -> None:
        """Raise Conflict if a volume's file is gone; making it anew would hide that its data is lost."""
        if not self.file(row["id"]).exists():
            raise Conflict(f"The volume {row['name']} is broken", why=f"its file {self.file(row['id'])} is gone")

    def warn_if_larger_than_free(self, name: str, size_gib: int) -> None:
        """Tell the person if the disk has less room than the volume may come to take."""
        free = shutil.disk_usage(self._root.parent).free
        if size_gib * GIB > free:
            progress.say(
                f"The volume {name} may come to take {size_gib} GiB, and this machine's disk has {free // GIB} GiB free: "
                "writing to the volume fails once the disk is full."
            )


def attachment(row: sqlite3.Row) -> Attachment:
    """Where a row's volume is attached."""
    return Attachment(
        volume_id=row["id"], server_id=row["server_id"], device=f"/dev/{row['device']}", by_id=by_id(row["id"])
    )
