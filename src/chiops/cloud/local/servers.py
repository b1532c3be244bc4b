"""Servers of the local site: system containers, made, found and deleted so that a crash at any point loses nothing."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chiops.cloud.base import Flavor, Image, Keypair, Mark, Server, ServerRequest, State
from chiops.cloud.local import containers, flavors, image, node
from chiops.cloud.local.bookings import Bookings
from chiops.cloud.local.engine import translated
from chiops.cloud.local.keypairs import Keypairs
from chiops.cloud.local.locks import FileLock
from chiops.cloud.local.network import LocalNetwork, write
from chiops.cloud.local.node import Spec
from chiops.cloud.local.shelf import Shelf
from chiops.cloud.local.slots import Slots
from chiops.errors import Capacity, ChiopsError, CloudError, InvalidRequest, NotFound

if TYPE_CHECKING:
    from chiops.cloud.local.site import LocalSite

_STOP_S = 15
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-_])")
_CLEAN_EXITS = ("0", "130", "143")
"""How init ends when it is asked to: powered off from inside, or stopped."""


@dataclass(frozen=True, slots=True)
class _Links:
    """What the database says of servers, by their ids."""

    floating: Mapping[str, str]
    groups: Mapping[str, tuple[str, ...]]
    volumes: Mapping[str, tuple[str, ...]]


class LocalCompute:
    """`base.Compute` at the local site."""

    def __init__(self, site: LocalSite, network: LocalNetwork) -> None:
        self._site = site
        self._network = network
        self._slots = Slots(site.store)
        self._bookings = Bookings(site.store)
        self._keypairs = Keypairs(site.store)
        self._shelf = Shelf(site)

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
        found = sorted(self._found(), key=lambda item: item[0].created)
        links = self._links()
        return [self._server(spec, container, links) for spec, container in found]

    def get(self, server_id: str) -> Server:
        """One server.

        Raises:
            NotFound: there is none of this id.
        """
        for spec, container in self._found():
            if spec.id == server_id:
                return self._server(spec, container, self._links())
        raise NotFound(f"No server {server_id} at the local site")

    def create(self, request: ServerRequest) -> Server:
        """Make a server and start it; about a second.

        Raises:
            NotFound: image, flavor, keypair or a security group does not exist.
            Policy, Capacity: the lease does not run, or its reservation is used up; no address is left; the disk is full.
        """
        _known_image(request.image_id)
        if request.boot_volume is not None:
            raise InvalidRequest(
                "The local site does not boot from volumes", todo="leave the boot volume out for this site"
            )
        keypair = self._keypairs.get(request.keypair)
        group_ids = self._network.groups.resolve(request.security_groups)
        flavor, lease_id, reservation_id = self._booked(request)
        server_id = str(uuid.uuid4())
        with self._working_on(server_id):
            subnet = self._site.subnet()
            # first of all, so that `mend` finds whatever comes after it
            self._site.node_dir(server_id).mkdir(mode=0o700)
            try:
                spec = Spec(
                    id=server_id,
                    name=request.name,
                    image=request.image_id,
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
                self._slots.reserve(server_id)
                self._network.groups.assign(server_id, group_ids)
                self._build(spec)
            except BaseException:
                with suppress(ChiopsError):
                    self._remove(server_id)
                raise
        return self.get(server_id)

    def rebuild(self, server_id: str, image_id: str) -> Server:
        """Give the server a new root disk from an image; address, groups and volumes stay."""
        _known_image(image_id)
        with self._working_on(server_id):
            container = containers.one(self._site, server_id)
            spec = replace(Spec.from_container(container), image=image_id)
            write(self._rebuild_file(server_id), spec.to_json())
            self._remove_container(container["Id"], spec.name)
            self._build(spec)
            self._rebuild_file(server_id).unlink()
        self._site.node_started(server_id)
        return self.get(server_id)

    def reboot(self, server_id: str) -> None:
        """Shut the server down in order and start it again."""
        with self._working_on(server_id):
            container = containers.one(self._site, server_id)
            self._network.write_node_files(server_id)
            with translated(f"Rebooting server {Spec.from_container(container).name}"):
                self._site.engine.client().api.restart(container["Id"], timeout=_STOP_S)
        self._site.node_started(server_id)

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
        container = containers.one(self._site, server_id)
        with translated("Reading a server's console"):
            output = self._site.engine.client().api.logs(container["Id"], tail=max(lines, 1))
        text = _ESCAPES.sub("", bytes(output).decode(errors="replace")).replace("\r", "")
        return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])

    def mend(self) -> None:
        """Bring to an end what a killed process left half done: complete what was being made, remove what was being deleted."""
        there = {spec.id: container for spec, container in self._found()}
        for folder in self._site.nodes_dir.glob("*/"):
            server_id = folder.name
            container = there.get(server_id)
            if container and container["State"] != "created" and not self._rebuild_file(server_id).exists():
                continue
            lock = FileLock(self._site.node_lock(server_id, "work"))
            if not lock.acquire(wait=False):
                continue
            try:
                self._mend(server_id)
            finally:
                lock.release()

    def _mend(self, server_id: str) -> None:
        rebuild = self._rebuild_file(server_id)
        try:
            container = containers.one(self._site, server_id)
        except NotFound:
            if rebuild.exists():
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
        used = [spec.name for spec, _ in self._found() if spec.reservation_id == reservation.id]
        if len(used) >= reservation.amount:
            raise Capacity(
                f"Lease {lease.name} has no room for server {request.name}",
                why=f"its {reservation.amount} × {reservation.flavor_name} are used by {', '.join(used)}",
            )
        return flavors.by_name(reservation.flavor_name), lease.id, reservation.id

    def _build(self, spec: Spec) -> None:
        self._network.write_node_files(spec.id)
        node.start(self._site, node.make(self._site, spec), spec.name)

    def _remove(self, server_id: str) -> None:
        """Remove all of a server; its folder goes last, because that is what `mend` looks for."""
        with suppress(NotFound):
            container = containers.one(self._site, server_id)
            self._remove_container(container["Id"], container["Labels"].get("chiops-name", server_id))
        self._site.server_gone(server_id)
        self._slots.release(server_id)
        self._network.forget_server(server_id)
        self._rebuild_file(server_id).unlink(missing_ok=True)
        shutil.rmtree(self._site.node_dir(server_id), ignore_errors=True)
        for purpose in ("network", "work"):
            self._site.node_lock(server_id, purpose).unlink(missing_ok=True)

    def _remove_container(self, container_id: str, name: str) -> None:
        with suppress(NotFound), translated(f"Deleting server {name}"):
            self._site.engine.client().api.remove_container(container_id, v=True, force=True)

    def _found(self) -> Iterator[tuple[Spec, Mapping[str, Any]]]:
        """Every server with its container; one that is just being rebuilt has none."""
        seen = set()
        for container in containers.every(self._site):
            # what bears our labels but not our spec is not a server, and must not keep the others from being listed
            with suppress(KeyError, ValueError, TypeError):
                spec = Spec.from_container(container)
                seen.add(spec.id)
                yield spec, container
        for file in self._site.nodes_dir.glob("*.rebuild.json"):
            with suppress(OSError, ValueError, TypeError):
                spec = Spec.from_json(file.read_text(encoding="utf-8"))
                if spec.id not in seen:
                    yield spec, {"State": "rebuilding", "Id": ""}

    def _links(self) -> _Links:
        floating = {found.server_id: found.address for found in self._network.addresses.floating()}
        volumes: dict[str, tuple[str, ...]] = {}
        for row in self._shelf.all():
            volumes[row["server_id"]] = (*volumes.get(row["server_id"], ()), row["id"])
        return _Links(floating, self._network.groups.names_by_server(), volumes)

    def _server(self, spec: Spec, container: Mapping[str, Any], links: _Links) -> Server:
        status, state, fault = self._status(container)
        return Server(
            id=spec.id,
            name=spec.name,
            status=status,
            state=state,
            fault=fault,
            mark=spec.mark,
            created=datetime.fromisoformat(spec.created),
            flavor=spec.flavor,
            image=spec.image,
            keypair=spec.keypair,
            lease_id=spec.lease_id,
            fixed_address=spec.address,
            floating_address=links.floating.get(spec.id, ""),
            security_groups=links.groups.get(spec.id, ()),
            volumes=links.volumes.get(spec.id, ()),
            metadata=spec.metadata,
        )

    def _status(self, container: Mapping[str, Any]) -> tuple[str, State, str]:
        """Nova's word, its meaning, and the fault if it failed."""
        word = container["State"]
        simple = {
            "created": ("BUILD", State.PENDING),
            "running": ("ACTIVE", State.READY),
            "restarting": ("REBOOT", State.PENDING),
            "rebuilding": ("REBUILD", State.PENDING),
            "removing": ("DELETING", State.DELETING),
            "paused": ("PAUSED", State.STOPPED),
        }
        if word in simple:
            return *simple[word], ""
        code = re.search(r"Exited \((\d+)\)", container.get("Status", ""))
        if word == "exited" and code and code.group(1) in _CLEAN_EXITS:
            return "SHUTOFF", State.STOPPED, ""
        return "ERROR", State.FAILED, self._fault(container["Id"], code.group(1) if code else "")

    def _fault(self, container_id: str, code: str) -> str:
        with suppress(CloudError), translated("Looking at a server"):
            state = self._site.engine.client().api.inspect_container(container_id)["State"]
            if state.get("OOMKilled"):
                return "it ran out of memory and was killed"
            if state.get("Error"):
                return str(state["Error"])
        return f"its init process ended with {code or 'an unknown code'}"

    def _rebuild_file(self, server_id: str) -> Path:
        return self._site.nodes_dir / f"{server_id}.rebuild.json"

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


def _known_image(image_id: str) -> None:
    if image_id not in {known.id for known in image.images()}:
        names = ", ".join(image.NAMES)
        raise NotFound(f"No image {image_id} at the local site", todo=f"choose one of {names}")
