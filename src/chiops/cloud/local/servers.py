"""Servers of the local site: system containers, made, found and deleted so that a crash at any point loses nothing."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from chiops import files
from chiops.cloud.base import Flavor, Image, Keypair, Mark, Server, ServerRequest
from chiops.cloud.local import containers, flavors, image, node
from chiops.cloud.local.bookings import Bookings
from chiops.cloud.local.booting import BootDisks
from chiops.cloud.local.docker_api import translated
from chiops.cloud.local.keypairs import Keypairs
from chiops.cloud.local.locks import FileLock
from chiops.cloud.local.network import LocalNetwork
from chiops.cloud.local.node import Spec
from chiops.cloud.local.slots import Slots
from chiops.cloud.local.view import View
from chiops.errors import ChiopsError, InvalidRequest, NotFound

if TYPE_CHECKING:
    from chiops.cloud.local.site import LocalSite

_STOP_S = 15


class LocalCompute:
    """`base.Compute` at the local site."""

    def __init__(self, site: LocalSite, network: LocalNetwork) -> None:
        self._site = site
        self._network = network
        self._slots = Slots(site.store)
        self._bookings = Bookings(site.store)
        self._keypairs = Keypairs(site.store)
        self._view = View(site, network)
        self._boot_disks = BootDisks(site)

    def flavors(self) -> Sequence[Flavor]:
        """Sizes as at KVM@TACC; a node never gets more than this machine has."""
        return flavors.FLAVORS

    def images(self) -> Sequence[Image]:
        """Image names that labs use; all stand for the one base that the site has."""
        return image.images()

    def keypairs(self) -> Sequence[Keypair]:
        """All keypairs."""
        return self._keypairs.every()

    def create_keypair(self, name: str, public_key: str, *, mark: Mark) -> Keypair:
        """Keep a public key under a name."""
        return self._keypairs.create(name, public_key, mark)

    def delete_keypair(self, name: str) -> None:
        """Forget a keypair; servers made with it keep the key."""
        self._keypairs.delete(name)

    def list(self) -> Sequence[Server]:
        """All servers of the site."""
        return self._view.servers()

    def get(self, server_id: str) -> Server:
        """One server.

        Raises:
            NotFound: there is none of this id.
        """
        return self._view.server(server_id)

    def create(self, request: ServerRequest) -> Server:
        """Make a server and start it; about a second, and a few more where a volume to boot from is made.

        Raises:
            NotFound: image, flavor, keypair, boot volume or a security group does not exist.
            InvalidRequest, Conflict: the volume can't be booted from, or is in use.
            Policy, Capacity: the lease does not run, or its reservation is used up; no address is left; the disk is full.
        """
        boot = request.boot_volume
        if boot is None or not boot.volume_id:
            image.require_known(request.image_id)
        keypair = self._keypairs.get(request.keypair)
        group_ids = self._network.groups.resolve(request.security_groups)
        flavor, lease_id, reservation_id = self._booked(request)
        server_id = str(uuid.uuid4())
        with self._working_on(server_id):
            subnet = self._site.subnet()
            # first of all, so that `mend` finds whatever comes after it
            with self._site.engine.keeping():
                self._site.node_dir(server_id).mkdir(mode=0o700)
            try:
                self._slots.reserve(server_id)
                spec = Spec(
                    id=server_id,
                    name=request.name,
                    # what a volume holds by now is not the image any more
                    image="" if boot else request.image_id,
                    boot_volume=self._boot_disks.take(server_id, boot, request.image_id) if boot else "",
                    flavor=flavor.name,
                    keypair=keypair.name,
                    public_key=keypair.public_key,
                    address=self._network.addresses.reserve_fixed(server_id, list(subnet.fixed())),
                    lab=request.mark.lab,
                    owner=request.mark.owner,
                    created=datetime.now(UTC).isoformat(),
                    lease_id=lease_id,
                    reservation_id=reservation_id,
                    metadata=dict(request.metadata),
                )
                self._network.groups.assign(server_id, group_ids)
                self._build(spec)
            except BaseException:
                with suppress(ChiopsError):
                    self._remove(server_id)
                raise
        return self.get(server_id)

    def rebuild(self, server_id: str, image_id: str) -> Server:
        """Give the server a new root disk from an image; address, groups and volumes stay.

        Raises:
            NotFound: there is no such server or image.
            InvalidRequest: it boots from a volume, which is never overwritten.
        """
        image.require_known(image_id)
        with self._working_on(server_id):
            container = containers.one(self._site, server_id)
            spec = replace(Spec.from_container(container), image=image_id)
            if spec.boot_volume:
                raise InvalidRequest(
                    f"Server {spec.name} boots from a volume, and what is on volumes is not overwritten",
                    todo="delete the server and create a new one, with a new volume",
                )
            files.replace(self._view.rebuild_file(server_id), spec.to_json())
            self._remove_container(container["Id"], spec.name)
            self._build(spec)
            self._view.rebuild_file(server_id).unlink()
        self._site.node_started(server_id)
        return self.get(server_id)

    def reboot(self, server_id: str) -> None:
        """Shut the server down in order and start it again."""
        with self._working_on(server_id):
            self._restart(server_id, containers.one(self._site, server_id), "Rebooting")
        self._site.node_started(server_id)

    def start(self, server_id: str) -> None:
        """Have a server that is shut down or paused go on; any other is left alone."""
        with self._working_on(server_id):
            container = containers.one(self._site, server_id)
            if container["State"] == "paused":
                with translated(f"Unpausing server {Spec.from_container(container).name}"):
                    self._site.engine.client().api.unpause(container["Id"])
            if container["State"] != "exited":
                return
            self._restart(server_id, container, "Starting")
        self._site.node_started(server_id)

    def _restart(self, server_id: str, container: Mapping[str, Any], doing: str) -> None:
        self._network.write_node_files(server_id)
        self._boot_disks.ready(server_id)
        with translated(f"{doing} server {Spec.from_container(container).name}"):
            self._site.engine.client().api.restart(container["Id"], timeout=_STOP_S)

    def delete(self, server_id: str) -> None:
        """Delete a server; its volumes stay. Returns when it is gone.

        Raises:
            NotFound: there is none of this id.
        """
        with self._working_on(server_id):
            self.get(server_id)
            self._remove(server_id)

    def console_log(self, server_id: str, lines: int = 100) -> str:
        """The last lines that the server printed while it booted."""
        return containers.console(self._site, server_id, lines)

    def mend(self) -> None:
        """Bring to an end what a killed process left half done: complete what was being made, remove what was being deleted."""
        there = {spec.id: container for spec, container in self._view.found()}
        for folder in self._site.nodes_dir.glob("*/"):
            server_id = folder.name
            container = there.get(server_id)
            if container and container["State"] != "created" and not self._view.rebuild_file(server_id).exists():
                continue
            lock = FileLock(self._site.node_lock(server_id, "work"))
            if not lock.acquire(wait=False):
                continue
            try:
                self._mend(server_id)
            finally:
                lock.release()

    def _mend(self, server_id: str) -> None:
        rebuild = self._view.rebuild_file(server_id)
        try:
            container = containers.one(self._site, server_id)
        except NotFound:
            if rebuild.exists():
                with self._site.engine.keeping():
                    self._build(Spec.from_json(rebuild.read_text(encoding="utf-8")))
                rebuild.unlink()
                self._site.node_started(server_id)
            else:
                self._remove(server_id)
            return
        if container["State"] == "created":
            # its own files may be missing, so it is made anew from what its labels say
            spec = Spec.from_container(container)
            self._remove_container(container["Id"], spec.name)
            self._build(spec)
            self._site.node_started(server_id)
        rebuild.unlink(missing_ok=True)

    def _booked(self, request: ServerRequest) -> tuple[Flavor, str, str]:
        """The flavor that a request means, with lease and reservation if it is a reserved one."""
        booked = self._bookings.reserved(request.flavor_id, datetime.now(UTC))
        if booked is None:
            if request.reservation_id:
                raise NotFound(
                    f"No reservation {request.reservation_id} at the local site",
                    why="its lease has ended or was deleted",
                )
            return flavors.by_name(request.flavor_id), request.lease_id, ""
        lease, reservation = booked
        self._view.require_room(lease, reservation, request.name)
        return flavors.by_name(reservation.flavor_name), lease.id, reservation.id

    def _build(self, spec: Spec) -> None:
        self._network.write_node_files(spec.id)
        made = node.make(self._site, spec)
        self._boot_disks.ready(spec.id)
        node.start(self._site, made, spec.name)

    def _remove(self, server_id: str) -> None:
        """Remove all of a server; its folder goes last, because that is what `mend` looks for."""
        with suppress(NotFound):
            container = containers.one(self._site, server_id)
            self._remove_container(container["Id"], container["Labels"].get("chiops-name", server_id))
        self._site.server_gone(server_id)
        self._slots.release(server_id)
        self._network.forget_server(server_id)
        self._view.rebuild_file(server_id).unlink(missing_ok=True)
        shutil.rmtree(self._site.node_dir(server_id), ignore_errors=True)
        for purpose in ("network", "work"):
            self._site.node_lock(server_id, purpose).unlink(missing_ok=True)

    def _remove_container(self, container_id: str, name: str) -> None:
        with suppress(NotFound), translated(f"Deleting server {name}"):
            self._site.engine.client().api.remove_container(container_id, v=True, force=True)

    @contextmanager
    def _working_on(self, server_id: str) -> Iterator[None]:
        """Hold a server's lock: nobody else changes it meanwhile, and `mend` sees that we live."""
        if "/" in server_id:
            raise NotFound(f"No server {server_id} at the local site")
        file = self._site.node_lock(server_id, "work")
        with FileLock(file):
            try:
                yield
            finally:
                if not self._site.node_dir(server_id).exists():
                    file.unlink(missing_ok=True)
