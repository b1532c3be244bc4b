"""Volumes that servers of the site boot from: made or taken before the server's container, and gone or freed after it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from chiops.cloud.base import BootVolume
from chiops.cloud.local import image
from chiops.cloud.local.attaching import Disks
from chiops.cloud.local.shelf import Shelf
from chiops.cloud.local.slots import ROOT, Slots
from chiops.cloud.local.steps import Steps
from chiops.errors import Conflict, InvalidRequest

if TYPE_CHECKING:
    from chiops.cloud.local.site import LocalSite


class BootDisks:
    """What a server needs of its boot volume. Letting go of it is the volumes service's, as for any other volume."""

    def __init__(self, site: LocalSite) -> None:
        self._shelf = Shelf(site)
        self._disks = Disks(site, Slots(site.store))
        self._steps = Steps(site, self._shelf, self._disks)

    def take(self, server_id: str, boot: BootVolume, image_id: str) -> str:
        """Have the server boot from a new volume, without name and mark as Nova makes them, or from one that is there.

        The server's slots are reserved. Returns the volume's id.

        Raises:
            NotFound: there is no such volume or image.
            InvalidRequest: the volume was not made from an image, or the image does not fit into a new one.
            Conflict: the volume is attached or broken.
            Capacity: the disk is full.
        """
        with self._shelf.lock():
            volume_id = boot.volume_id or str(uuid.uuid4())
            if boot.volume_id:
                self._require_free(volume_id)
                self._shelf.place(volume_id, server_id, ROOT, goes=boot.delete_on_termination)
            else:
                require_room(image_id, boot.size_gib)
                self._shelf.warn_if_larger_than_free("to boot from", boot.size_gib)
                self._shelf.add(
                    *(volume_id, "", boot.size_gib, None),
                    image=image_id,
                    boots=server_id,
                    goes=boot.delete_on_termination,
                )
            self._steps.finish(self._shelf.row(volume_id))
        return volume_id

    def ready(self, server_id: str) -> None:
        """Have the disks of a node that is about to start bound, whatever happened to the machine meanwhile."""
        with self._shelf.lock():
            self._steps.bind(server_id)

    def _require_free(self, volume_id: str) -> None:
        row = self._shelf.row(volume_id)
        if not row["image"]:
            raise InvalidRequest(f"The volume {row['name']} was not made from an image, so nothing boots from it")
        if row["status"] != "available":
            raise Conflict(f"The volume {row['name']} is {row['status']}", todo="delete the server that has it first")
        self._shelf.require_file(row)


def require_room(image_id: str, size_gib: int) -> None:
    """Check that a volume can be made from an image.

    Raises:
        NotFound: there is no such image.
        InvalidRequest: it does not fit.
    """
    image.require_known(image_id)
    if size_gib < image.MIN_DISK_GIB:
        raise InvalidRequest(
            f"The image {image_id} does not fit into {size_gib} GiB", todo=f"ask for {image.MIN_DISK_GIB} GiB or more"
        )
