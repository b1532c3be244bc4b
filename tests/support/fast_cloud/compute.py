"""Servers and key pairs of the fast cloud. Servers are names with a status: nothing boots."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from chiops.cloud.base import BootVolume, Flavor, Image, Keypair, Mark, Server, ServerRequest, State
from chiops.errors import Conflict, InvalidRequest, NotFound, Policy
from tests.support.fast_cloud.flavors import FLAVORS, IMAGES
from tests.support.fast_cloud.network import group_ids
from tests.support.fast_cloud.store import Row, Store
from tests.support.fast_cloud.world import LOOKS, World

_STATES = {
    "BUILD": State.PENDING,
    "REBOOT": State.PENDING,
    "ACTIVE": State.READY,
    "SHUTOFF": State.STOPPED,
    "PAUSED": State.STOPPED,
    "SUSPENDED": State.STOPPED,
    "DELETING": State.DELETING,
    "ERROR": State.FAILED,
}


class FastCompute:
    """`base.Compute`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def flavors(self) -> Sequence[Flavor]:
        return FLAVORS

    def images(self) -> Sequence[Image]:
        return IMAGES

    def keypairs(self) -> Sequence[Keypair]:
        with self._world.turn() as store:
            return [_keypair(row) for row in store.rows("keypair") if row.user == self._world.user]

    def create_keypair(self, name: str, public_key: str, *, mark: Mark) -> Keypair:
        print_ = _fingerprint(public_key)
        with self._world.turn() as store:
            self._world.check_quota("keypair", "key pair")
            if store.row("keypair", f"{self._world.user}/{name}"):
                raise Conflict(f"there is a key pair {name} already")
            body = {"public_key": public_key, "fingerprint": print_}
            row = Row("keypair", name, self._world.user, mark, body=body, id=f"{self._world.user}/{name}")
            return _keypair(store.add(row))

    def delete_keypair(self, name: str) -> None:
        with self._world.turn() as store:
            store.remove(self._world.need("keypair", f"{self._world.user}/{name}", "key pair"))

    def list(self) -> Sequence[Server]:
        with self._world.turn() as store:
            return [_server(row, store) for row in self._world.see("server")]

    def get(self, server_id: str) -> Server:
        return _server(self._world.look("server", server_id, "server"), self._world.store)

    def create(self, request: ServerRequest) -> Server:
        with self._world.turn() as store:
            self._world.check_quota("server", "server")
            if request.image_id not in {image.id for image in IMAGES}:
                raise NotFound(f"there is no image {request.image_id}")
            if store.row("keypair", f"{self._world.user}/{request.keypair}") is None:
                raise InvalidRequest(f"the server {request.name} was not made", why=f"no key pair {request.keypair}")
            flavor, lease, room = _place(store, request.flavor_id)
            body = {
                "flavor": flavor,
                "image": request.image_id,
                "keypair": request.keypair,
                "lease": lease,
                "reservation": request.flavor_id if lease else "",
                "groups": group_ids(store, request.security_groups, request.mark),
                "address": _free_address(store),
                "metadata": dict(request.metadata),
                "fault": "" if room else "No valid host was found.",
            }
            _check_boots(self._world, request.boot_volume)
            then = "ACTIVE" if room else "ERROR"
            row = store.add(Row("server", request.name, self._world.user, request.mark, "BUILD", LOOKS, then, body))
            if request.boot_volume:
                self._boot_from(store, row, request.boot_volume)
            return _server(row, store)

    def rebuild(self, server_id: str, image_id: str) -> Server:
        with self._world.turn() as store:
            row = self._world.need("server", server_id, "server")
            if image_id not in {image.id for image in IMAGES}:
                raise NotFound(f"there is no image {image_id}")
            if any((one.body["at"] or {}).get("server") == server_id and _is_root(one) for one in store.rows("volume")):
                raise InvalidRequest(f"the server {row.name} boots from a volume")
            row.body["image"] = image_id
            return _server(self._world.heads(row, "BUILD", "ACTIVE"), store)

    def reboot(self, server_id: str) -> None:
        with self._world.turn():
            self._world.heads(self._world.need("server", server_id, "server"), "REBOOT", "ACTIVE")

    def start(self, server_id: str) -> None:
        with self._world.turn():
            row = self._world.need("server", server_id, "server")
            if _STATES[row.status] is State.STOPPED:
                self._world.heads(row, row.status, "ACTIVE")

    def halt(self, server_id: str, status: str) -> None:
        """By hand."""
        with self._world.turn():
            row = self._world.need("server", server_id, "server")
            self._world.heads(row, row.status, status)

    def delete(self, server_id: str) -> None:
        with self._world.turn():
            row = self._world.need("server", server_id, "server")
            if row.then != "gone":
                self._world.heads(row, "DELETING", "gone")

    def console_log(self, server_id: str, lines: int = 100) -> str:
        with self._world.turn():
            row = self._world.need("server", server_id, "server")
        return "\n".join(f"[{second:8.3f}] {row.name} boots" for second in range(20)[-lines:])

    def _boot_from(self, store: Store, server: Row, boot: BootVolume) -> None:
        at = {"server": server.id, "device": "/dev/vda"}
        if boot.volume_id:
            volume = self._world.need("volume", boot.volume_id, "volume")
            volume.body |= {"at": at, "ends_with_server": boot.delete_on_termination}
            self._world.heads(volume, "in-use", "in-use")
            return
        # Nova gives it neither name nor mark
        body = {"size": boot.size_gib, "bootable": True, "at": at, "ends_with_server": boot.delete_on_termination}
        store.add(Row("volume", "", self._world.user, None, "in-use", 0, "", body))


def _is_root(volume: Row) -> bool:
    return bool(volume.body["at"]["device"] == "/dev/vda")


def _check_boots(world: World, boot: BootVolume | None) -> None:
    """Refuse a volume that can't be booted from before there is a server."""
    if boot and boot.volume_id:
        volume = world.need("volume", boot.volume_id, "volume")
        if not volume.body["bootable"]:
            raise InvalidRequest(f"the volume {volume.name} is not bootable")
        if volume.status != "available":
            raise Conflict(f"the volume {volume.name} is {volume.status}")


def _place(store: Store, flavor_id: str) -> tuple[str, str, bool]:
    """The flavor's name, the lease that has it reserved, and whether there is room on it."""
    if flavor := next((one for one in FLAVORS if one.id == flavor_id), None):
        return flavor.name, "", True
    for lease in store.rows("lease"):
        for item in lease.body["reservations"]:
            if item["id"] == flavor_id:
                if lease.status != "ACTIVE":
                    raise Policy(f"the lease {lease.name} is {lease.status}, so no server can be made on it")
                there = [one for one in store.rows("server") if one.body["reservation"] == flavor_id]
                return item["flavor_name"], lease.id, len(there) < item["amount"]
    raise NotFound(f"there is no flavor {flavor_id}")


def _free_address(store: Store) -> str:
    taken = {row.body["address"] for row in store.rows("server")}
    return next(found for n in range(2, 65000) if (found := f"10.9.{n // 250}.{n % 250 + 2}") not in taken)


def _server(row: Row, store: Store) -> Server:
    volumes = [volume for volume in store.rows("volume") if (volume.body["at"] or {}).get("server") == row.id]
    bound = (one.body["address"] for one in store.rows("address") if one.body["server"] == row.id)
    groups = {group.id: group.name for group in store.rows("group")}
    body: dict[str, Any] = row.body
    return Server(
        id=row.id,
        name=row.name,
        status=row.status,
        state=_STATES[row.status],
        fault=body["fault"] if row.status == "ERROR" else "",
        mark=row.mark,
        created=row.created,
        flavor=body["flavor"],
        image=next(image.name for image in IMAGES if image.id == body["image"]),
        keypair=body["keypair"],
        lease_id=body["lease"],
        fixed_address=body["address"],
        floating_address=next(bound, ""),
        security_groups=tuple(groups[id_] for id_ in body["groups"]),
        volumes=tuple(volume.id for volume in volumes),
        metadata=body["metadata"],
    )


def _keypair(row: Row) -> Keypair:
    return Keypair(id=row.name, name=row.name, mark=row.mark, created=row.created, **row.body)


def _fingerprint(public_key: str) -> str:
    words = public_key.split()
    try:
        kind, blob = words[0].encode(), base64.b64decode(words[1], validate=True)
    except (IndexError, ValueError):
        raise InvalidRequest("that is no public key") from None
    if blob[4 : 4 + len(kind)] != kind or len(blob) < 40:
        raise InvalidRequest("that is no public key")
    return hashlib.md5(blob, usedforsecurity=False).hexdigest()
