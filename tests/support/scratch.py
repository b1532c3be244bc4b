"""Resources for one test (or module), under unique names, deleted at the end whatever happened."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Self

from chiops.cloud.base import (
    Attachment,
    Bucket,
    Ec2Credential,
    FloatingIp,
    Image,
    Keypair,
    Lease,
    Mark,
    ReservationRequest,
    Rule,
    SecurityGroup,
    Server,
    ServerRequest,
    State,
    Volume,
)
from chiops.errors import ChiopsError, NotFound
from tests.support.poll import wait_for, wait_gone
from tests.support.target import Target


class Scratch:
    """Makes resources and remembers how each goes; `close` deletes them in reverse order and checks that they are gone.

    Args:
        target: where.
        lab: the mark's lab, unique per run, so that two runs at one cloud never meet.
    """

    def __init__(self, target: Target, lab: str) -> None:
        self.target = target
        self.cloud = target.cloud
        self.mark = Mark(lab, self.cloud.identity.whoami().user_id)
        self._undo = ExitStack()
        self._names = 0

    def name(self, kind: str) -> str:
        """A name that nothing else bears, valid for every service, bucket names included."""
        self._names += 1
        return f"{self.mark.lab}-{kind}-{self._names}-{secrets.token_hex(2)}"

    def on_close(self, undo: Callable[[], object]) -> None:
        """Run ``undo`` at the end; that its object is gone already is fine."""

        def tolerant() -> None:
            with suppress(NotFound):
                undo()

        self._undo.callback(tolerant)

    def _goes(self, what: str, delete: Callable[[], object], get: Callable[[], object]) -> None:
        self._undo.callback(wait_gone, what, get, within=self.target.patience)
        self.on_close(delete)

    # Booking and compute

    def lease(self, *, lasts: timedelta = timedelta(hours=2), flavor: str, amount: int = 1) -> Lease:
        """A lease with a flavor reservation, accepted but perhaps not ready."""
        return self.book(ReservationRequest(kind="flavor:instance", flavor=flavor, amount=amount), lasts=lasts)

    def book(self, *wanted: ReservationRequest, lasts: timedelta = timedelta(hours=2)) -> Lease:
        """A lease of whatever, accepted but perhaps not ready."""
        end = (datetime.now(UTC) + lasts).replace(microsecond=0)
        if self.target.lease_step >= 60:
            end = end.replace(second=0) + timedelta(minutes=1)
        lease = self.cloud.leases.create(self.name("lease"), end=end, reservations=wanted, mark=self.mark)
        get = self.cloud.leases.get

        def ended_or_gone() -> Lease:
            found = get(lease.id)
            if found.state is State.ENDED:
                raise NotFound(f"lease {lease.id} has ended")
            return found

        self._goes(lease.name, lambda: self.cloud.leases.delete(lease.id), ended_or_gone)
        return lease

    def ready_lease(self, *, lasts: timedelta = timedelta(hours=2), flavor: str, amount: int = 1) -> Lease:
        """A lease whose reservations can be used."""
        return self.ready(self.lease(lasts=lasts, flavor=flavor, amount=amount))

    def ready(self, lease: Lease) -> Lease:
        """The lease, once its reservations can be used."""
        return wait_for(
            f"{lease.name} ready",
            lambda: self.cloud.leases.get(lease.id),
            until=lambda found: found.state is State.READY,
            within=self.target.patience,
        )

    def keypair(self, public_key: str) -> Keypair:
        """A keypair; keypairs go at once."""
        keypair = self.cloud.compute.create_keypair(self.name("key"), public_key, mark=self.mark)
        self.on_close(lambda: self.cloud.compute.delete_keypair(keypair.name))
        return keypair

    def server(
        self,
        *,
        image: Image,
        lease: Lease,
        keypair: Keypair,
        groups: Sequence[SecurityGroup | str] = (),
        name: str = "",
        **more: object,
    ) -> Server:
        """A server on the lease's first reservation, accepted but perhaps not ready."""
        reservation = lease.reservations[0]
        request = ServerRequest(
            name=name or self.name("node"),
            image_id=image.id,
            flavor_id=reservation.flavor_id,
            keypair=keypair.name,
            mark=self.mark,
            security_groups=tuple(group if isinstance(group, str) else group.name for group in groups),
            lease_id=lease.id,
            reservation_id=reservation.id,
            **more,  # type: ignore[arg-type]
        )
        server = self.cloud.compute.create(request)
        self._goes(server.name, lambda: self.cloud.compute.delete(server.id), lambda: self.cloud.compute.get(server.id))
        return server

    def until_ready(self, server: Server) -> Server:
        """The server once it is ready; a failed one fails the test with its fault."""
        found = wait_for(
            f"{server.name} ready",
            lambda: self.cloud.compute.get(server.id),
            until=lambda found: found.state is not State.PENDING,
            within=self.target.patience,
        )
        assert found.state is State.READY, f"{found.name} is {found.status}: {found.fault}"
        return found

    # Network

    def floating_ip(self) -> FloatingIp:
        """An unbound address."""
        address = self.cloud.network.create_floating_ip(mark=self.mark)
        self.on_close(lambda: self.cloud.network.delete_floating_ip(address.id))
        return address

    def group(
        self, *rules: Rule, description: str = "made by the tests", name: str = "", mark: Mark | None = None
    ) -> SecurityGroup:
        """A security group with ``rules``."""
        network = self.cloud.network
        group = network.create_security_group(
            name or self.name("group"), description=description, mark=mark or self.mark
        )
        self.on_close(lambda: self._delete_group(group.id))
        for rule in rules:
            network.add_rule(group.id, rule)
        return group

    def _delete_group(self, group_id: str) -> None:
        """Servers leave their groups a moment after they are gone from the list, so ask again for a while."""

        def deleted() -> bool:
            try:
                self.cloud.network.delete_security_group(group_id)
            except NotFound:
                return True
            except ChiopsError:
                return False
            return True

        wait_for(f"group {group_id} deleted", deleted, within=self.target.patience)

    # Storage

    def volume(self, size_gib: int = 1) -> Volume:
        """A volume, ready to be attached."""
        volume = self.cloud.volumes.create(self.name("volume"), size_gib=size_gib, mark=self.mark)
        self._goes(volume.name, lambda: self.cloud.volumes.delete(volume.id), lambda: self.cloud.volumes.get(volume.id))
        self.on_close(lambda: self._free(volume.id))
        return self.until_free(volume)

    def boot_volume(self, image: Image, size_gib: int) -> Volume:
        """A volume made from an image, ready to be booted from. Servers that boot from it must be made after it."""
        volume = self.cloud.volumes.create(self.name("boot"), size_gib=size_gib, mark=self.mark, image_id=image.id)
        self._goes(volume.name, lambda: self.cloud.volumes.delete(volume.id), lambda: self.cloud.volumes.get(volume.id))
        self.on_close(lambda: self.until_free(volume))
        return self.until_free(volume)

    def until_free(self, volume: Volume) -> Volume:
        """The volume once it is attached to nothing."""
        return wait_for(
            f"{volume.name} free",
            lambda: self.cloud.volumes.get(volume.id),
            until=lambda found: found.state is State.READY and not found.attachments,
            within=self.target.patience,
        )

    def attached(self, volume: Volume, server: Server) -> Attachment:
        """The volume's attachment at ``server`` once it is there."""
        self.cloud.volumes.attach(volume.id, server.id)
        found = wait_for(
            f"{volume.name} attached",
            lambda: self.cloud.volumes.get(volume.id),
            until=lambda found: found.state is State.IN_USE and bool(found.attachments),
            within=self.target.patience,
        )
        (attachment,) = found.attachments
        assert attachment.server_id == server.id
        return attachment

    def _free(self, volume_id: str) -> None:
        volume = self.cloud.volumes.get(volume_id)
        for attachment in volume.attachments:
            with suppress(NotFound):
                self.cloud.volumes.detach(volume_id, attachment.server_id)
        self.until_free(volume)

    # Objects

    def bucket(self) -> Bucket:
        """A bucket; it must be empty again when the test ends."""
        bucket = self.cloud.objects.create(self.name("bucket"), mark=self.mark)
        self._goes(
            bucket.name, lambda: self.cloud.objects.delete(bucket.name), lambda: self.cloud.objects.get(bucket.name)
        )
        return bucket

    def credential(self) -> Ec2Credential:
        """An S3 key of ours."""
        credential = self.cloud.identity.create_ec2_credential(mark=self.mark)
        self.on_close(lambda: self.cloud.identity.delete_ec2_credential(credential.access))
        return credential

    def close(self) -> None:
        """Delete everything, last made first; one that will not go never keeps the others."""
        self._undo.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
