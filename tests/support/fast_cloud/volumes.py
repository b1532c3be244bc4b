"""Volumes of the fast cloud, with Cinder's statuses and what it refuses in each. What is written on one is a list of words."""

from __future__ import annotations

from collections.abc import Sequence

from chiops.cloud.base import Attachment, Mark, State, Volume
from chiops.errors import Conflict, InvalidRequest, NotFound
from tests.support.fast_cloud.flavors import IMAGES
from tests.support.fast_cloud.store import Row
from tests.support.fast_cloud.world import LOOKS, World

_STATES = {"available": State.READY, "in-use": State.IN_USE, "deleting": State.DELETING, "error": State.FAILED}
DEVICES = tuple(f"/dev/vd{letter}" for letter in "bcdefghijklm")


class FastVolumes:
    """`base.Volumes`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def list(self) -> Sequence[Volume]:
        with self._world.turn():
            return [_volume(row) for row in self._world.see("volume")]

    def get(self, volume_id: str) -> Volume:
        return _volume(self._world.look("volume", volume_id, "volume"))

    def create(self, name: str, *, size_gib: int, mark: Mark, image_id: str = "", volume_type: str = "") -> Volume:
        if size_gib < 1 or volume_type or image_id not in ("", *(image.id for image in IMAGES)):
            raise InvalidRequest(f"the volume {name} was not made", why="no such size, type or image")
        with self._world.turn() as store:
            self._world.check_quota("volume", "volume")
            body = {"size": size_gib, "bootable": bool(image_id), "at": None}
            row = Row("volume", name, self._world.user, mark, "creating", LOOKS, "available", body)
            return _volume(store.add(row))

    def extend(self, volume_id: str, size_gib: int) -> Volume:
        with self._world.turn():
            row = self._world.need("volume", volume_id, "volume")
            if size_gib <= row.body["size"]:
                raise InvalidRequest(f"the volume {row.name} has {row.body['size']} GiB and never shrinks")
            if row.status not in ("available", "in-use"):
                raise Conflict(f"the volume {row.name} is {row.status}")
            row.body["size"] = size_gib
            return _volume(self._world.heads(row, "extending", row.status))

    def attach(self, volume_id: str, server_id: str) -> Attachment:
        with self._world.turn() as store:
            row = self._world.need("volume", volume_id, "volume")
            server = self._world.need("server", server_id, "server")
            if row.status != "available":
                raise Conflict(f"the volume {row.name} is {row.status}")
            if server.status != "ACTIVE":
                raise Conflict(f"the server {server.name} is {server.status}")
            there = [one.body["at"] for one in store.rows("volume") if one.body["at"]]
            taken = {at["device"] for at in there if at["server"] == server_id}
            row.body["at"] = {"server": server_id, "device": next(one for one in DEVICES if one not in taken)}
            self._world.heads(row, "attaching", "in-use")
            return _attachment(row)

    def detach(self, volume_id: str, server_id: str) -> None:
        with self._world.turn():
            row = self._world.need("volume", volume_id, "volume")
            if (row.body["at"] or {}).get("server") != server_id:
                raise NotFound(f"the volume {row.name} is not attached to {server_id}")
            if row.status != "in-use" or row.body["at"]["device"] not in DEVICES:
                raise Conflict(f"the volume {row.name} is {row.status}, and its server may boot from it")
            self._world.heads(row, "detaching", "available")

    def delete(self, volume_id: str) -> None:
        with self._world.turn():
            row = self._world.need("volume", volume_id, "volume")
            if row.status not in ("available", "error"):
                raise Conflict(f"the volume {row.name} is {row.status}")
            self._world.heads(row, "deleting", "gone")

    # What a server would do with the volume, for tests.

    def write(self, volume_id: str, word: str) -> None:
        """Put a word on the volume, from the server that it is attached to."""
        with self._world.turn() as store:
            row = self._world.need("volume", volume_id, "volume")
            assert row.status == "in-use", row.status
            row.body.setdefault("written", []).append(word)
            store.save(row)

    def written(self, volume_id: str) -> Sequence[str]:
        """All that was put there."""
        with self._world.turn():
            return list(self._world.need("volume", volume_id, "volume").body.get("written", []))


def _attachments(row: Row) -> tuple[Attachment, ...]:
    """Shown once it is attached, as Cinder does."""
    at = row.body["at"]
    if not at or row.status == "attaching":
        return ()
    return (_attachment(row),)


def _attachment(row: Row) -> Attachment:
    at, by_id = row.body["at"], f"/dev/disk/by-id/virtio-{row.id[:20]}"
    return Attachment(volume_id=row.id, server_id=at["server"], device=at["device"], by_id=by_id)


def _volume(row: Row) -> Volume:
    return Volume(
        id=row.id,
        name=row.name,
        status=row.status,
        state=_STATES.get(row.status, State.PENDING),
        mark=row.mark,
        created=row.created,
        size_gib=row.body["size"],
        bootable=row.body["bootable"],
        attachments=_attachments(row),
    )
