"""Nova's and Glance's part: images, key pairs, servers."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from chiops.cloud.base import Flavor, Image, Keypair, Mark, Server, ServerRequest, State
from chiops.cloud.openstack import marks, times, told
from chiops.cloud.openstack.groups import OpenStackGroups
from chiops.cloud.openstack.leases import OpenStackLeases
from chiops.cloud.openstack.network import OpenStackNetwork
from chiops.cloud.openstack.once import REQUEST, once, word
from chiops.cloud.openstack.servers import FLAVOR, GO_ON, LEASE, server
from chiops.cloud.openstack.site import Site
from chiops.errors import Conflict, InvalidRequest

PAGE = 1000
"""Images per request; Glance's own choice would be 25."""


class OpenStackCompute:
    """`base.Compute` at one site."""

    def __init__(self, site: Site, leases: OpenStackLeases, groups: OpenStackGroups, network: OpenStackNetwork) -> None:
        self._site = site
        self._leases = leases
        self._groups = groups
        self._network = network

    @property
    def _nova(self) -> Any:
        return self._site.nova

    def flavors(self) -> Sequence[Flavor]:
        """The flavors that the project may use, with their service units where known."""
        return self._site.flavors()

    def images(self) -> Sequence[Image]:
        """Images that can be booted from; pages are counted here, since openstacksdk asks for one more after the last."""
        found: list[Any] = []
        page: list[Any] | None = None
        with self._site.doing("listing images"):
            while page is None or len(page) == PAGE:
                marker = {"marker": page[-1].id} if page else {}
                page = list(self._site.glance.images(status="active", limit=PAGE, paginated=False, **marker))
                found += page
            return [_image(item) for item in told.with_ids(found)]

    def keypairs(self) -> Sequence[Keypair]:
        """The user's own key pairs; nobody else's can be seen."""
        with self._site.doing("listing key pairs"):
            return [_keypair(item) for item in told.with_ids(self._nova.keypairs())]

    def create_keypair(self, name: str, public_key: str, *, mark: Mark) -> Keypair:
        """Register a public key; its comment carries the mark.

        Raises:
            Conflict: the name is taken.
            InvalidRequest: that is no public key.
        """
        marked = marks.public_key(public_key, mark)

        def make() -> Keypair:
            with self._site.doing(f"registering the key pair {name}"):
                made = self._nova.create_keypair(name=name, public_key=marked)
            return Keypair(id=name, name=name, fingerprint=made.fingerprint, public_key=marked, mark=mark)

        def find() -> Keypair | None:
            return next((it for it in self.keypairs() if it.name == name and it.public_key == marked), None)

        return once(make, find, what=f"the key pair {name}")

    def delete_keypair(self, name: str) -> None:
        """Forget a key pair; servers keep the key."""
        with self._site.doing(f"deleting the key pair {name}", f"key pair {name}"):
            self._nova.delete_keypair(name, ignore_missing=False)

    def list(self) -> Sequence[Server]:
        """Every server of the project; Nova pages by 1000. Neutron is asked at the same time where they are reached."""
        with ThreadPoolExecutor(1, thread_name_prefix="addresses") as pool:
            asked = pool.submit(self._addresses)
            found, addresses = self._servers(), asked.result()
        return [replace(one, floating_address=addresses.get(one.id, "")) for one in found]

    def _servers(self) -> Sequence[Server]:
        """As Nova has them. Its copy of their addresses is not shown: one that came at the wrong moment stays for good."""
        with self._site.doing("listing servers"):
            return [server(item) for item in told.with_ids(self._nova.servers(details=True))]

    def get(self, server_id: str) -> Server:
        """One server. Neutron is asked for its address unless it comes or goes, when it is only waited for."""
        with self._site.doing(f"reading the server {server_id}", f"server {server_id}"):
            item = self._nova.get_server(server_id)
        found = server(item)
        if found.state in (State.PENDING, State.DELETING):
            return found
        return replace(found, floating_address=self._addresses().get(server_id, ""))

    def _addresses(self) -> dict[str, str]:
        """The floating IP of each server that has one."""
        return {ip.server_id: ip.address for ip in self._network.floating_ips() if ip.server_id}

    def create(self, request: ServerRequest) -> Server:
        """Ask for a server; its groups are those of ours where several bear a name.

        Raises:
            NotFound, InvalidRequest: what it is to be made of does not exist.
            Quota: the project's is used up.
            Conflict: the lease is not active.
        """
        flavor = self._booked_flavor(request)
        metadata = {
            **request.metadata,
            **request.mark.as_metadata(),
            REQUEST: word(),
            **({LEASE: request.lease_id} if request.lease_id else {}),
            **({FLAVOR: flavor} if flavor else {}),
        }
        body: dict[str, Any] = {
            "name": request.name,
            "flavor_id": request.flavor_id,
            "metadata": metadata,
            "networks": [{"uuid": self._site.network_id(request.network)}],
        }
        if request.keypair:
            body["key_name"] = request.keypair
        if request.security_groups:
            ids = self._groups.ids(request.security_groups, request.mark)
            body["security_groups"] = [{"name": group_id} for group_id in ids]
        if request.boot_volume:
            body["block_device_mapping"] = [_boot_device(request)]
        else:
            body["image_id"] = request.image_id
        if request.reservation_id and request.reservation_id != request.flavor_id:
            # A host's reservation is a hint to the scheduler; a flavor's is the flavor itself
            body["scheduler_hints"] = {"reservation": request.reservation_id}

        def make() -> Server:
            with self._site.doing(f"creating the server {request.name}"):
                made = self._nova.create_server(**body)
            return Server(
                id=made.id,
                name=request.name,
                status="BUILD",
                state=State.PENDING,
                mark=request.mark,
                flavor=flavor,
                image=request.image_id,
                keypair=request.keypair,
                lease_id=request.lease_id,
                metadata=metadata,
            )

        def find() -> Server | None:
            return next((it for it in self._servers() if it.metadata.get(REQUEST) == metadata[REQUEST]), None)

        return once(make, find, what=f"the server {request.name}")

    def _booked_flavor(self, request: ServerRequest) -> str:
        """The name of what the lease has booked; Nova itself would only say that a reserved flavor is missing."""
        if not request.lease_id:
            return ""
        lease = self._leases.get(request.lease_id)
        if lease.state is not State.READY:
            raise Conflict(
                f"the lease {lease.name} is {lease.status}, so no server can be made on it",
                why=lease.fault,
                todo="book a new one" if lease.state in (State.FAILED, State.ENDED) else "wait until it is active",
            )
        return next((it.flavor_name for it in lease.reservations if it.id == request.reservation_id), "")

    def rebuild(self, server_id: str, image_id: str) -> Server:
        """Start over from an image; name, key pair, address, groups and volumes stay.

        Raises:
            InvalidRequest: it boots from a volume; from microversion 2.93 on Nova would write the image onto that.
        """
        with self._site.doing(f"rebuilding the server {server_id}", f"server {server_id}"):
            if not server(self._nova.get_server(server_id)).image:
                raise InvalidRequest(f"the server {server_id} boots from a volume, which a rebuild would overwrite")
            return server(self._nova.rebuild_server(server_id, image=image_id))

    def reboot(self, server_id: str) -> None:
        """Ask the guest to restart; one that is stopped is started."""
        with self._site.doing(f"rebooting the server {server_id}", f"server {server_id}"):
            try:
                with self._site.doing(f"rebooting the server {server_id}", f"server {server_id}"):
                    self._nova.reboot_server(server_id, "SOFT")
            except Conflict:
                self._nova.reboot_server(server_id, "HARD")

    def start(self, server_id: str) -> None:
        """Have a server go on: booted, unpaused, resumed or unshelved; one that is not halted is left alone."""
        with self._site.doing(f"starting the server {server_id}", f"server {server_id}"):
            status = told.text(self._nova.get_server(server_id).status)
            if status == "RESCUE":
                raise Conflict(f"the server {server_id} is in rescue", todo="run `openstack server unrescue` first")
            if status in GO_ON:
                getattr(self._nova, GO_ON[status])(server_id)

    def delete(self, server_id: str) -> None:
        """Delete a server; volumes stay unless they were made to go with it."""
        with self._site.doing(f"deleting the server {server_id}", f"server {server_id}"):
            self._nova.delete_server(server_id, ignore_missing=False)

    def console_log(self, server_id: str, lines: int = 100) -> str:
        """The last lines that the server wrote to its console."""
        with self._site.doing(f"reading the console of {server_id}", f"server {server_id}"):
            found = self._nova.get_server_console_output(server_id, length=lines)
        return "\n".join(str(found["output"]).splitlines()[-lines:])


def _boot_device(request: ServerRequest) -> dict[str, object]:
    boot = request.boot_volume
    assert boot is not None  # noqa: S101 - the caller asked
    device: dict[str, object] = {
        "boot_index": 0,
        "destination_type": "volume",
        "delete_on_termination": boot.delete_on_termination,
    }
    if boot.volume_id:
        return device | {"source_type": "volume", "uuid": boot.volume_id}
    return device | {"source_type": "image", "uuid": request.image_id, "volume_size": boot.size_gib}


def _image(item: Any) -> Image:
    return Image(
        id=item.id,
        name=told.text(item.name) or item.id,
        status=told.text(item.status),
        size_bytes=told.number(item.size),
        min_disk_gib=told.number(item.min_disk) or 0,
    )


def _keypair(item: Any) -> Keypair:
    text = told.text(item.public_key)
    return Keypair(
        id=item.name,
        name=item.name,
        fingerprint=told.text(item.fingerprint),
        public_key=text,
        mark=Mark.from_text(text),
        created=times.parse(item.created_at),
    )
