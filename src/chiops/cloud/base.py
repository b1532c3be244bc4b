"""The one interface that every cloud implements, and the plain values that cross it.

Words and shapes are OpenStack's, reduced to what chiops needs. Rules that both implementations keep, and the contract
tests check:

- ``list`` returns everything the project can see, ours or not, in a fixed number of requests; one odd item never fails it.
- ``get`` takes an id and raises `NotFound`; names are resolved above this interface, over ``list``.
- ``create`` returns as soon as the cloud knows the resource; ``state`` may be PENDING, and the caller polls ``get``.
- ``delete`` returns when accepted; gone means that ``get`` raises `NotFound`. Deleting what is gone raises `NotFound`.
- Every resource that the service lets us label carries the caller's `Mark`, from the very request that creates it.
- Sizes are GiB where OpenStack says so, bytes elsewhere; times are aware datetimes in UTC.
- Calls are safe from several threads at once. Errors are those of `chiops.errors`, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, Self

from chiops.cloud.facts import Check, Node, Quota, S3Access, S3Endpoint, SiteFacts, SwiftAccess
from chiops.cloud.values import (
    Attachment,
    BootVolume,
    Bucket,
    Ec2Credential,
    Flavor,
    FloatingIp,
    Identity,
    Image,
    Keypair,
    Lease,
    Mark,
    NodeType,
    Reservation,
    ReservationRequest,
    Resource,
    Rule,
    SecurityGroup,
    Server,
    ServerRequest,
    State,
    Volume,
)

__all__ = [
    "Attachment",
    "BootVolume",
    "Bucket",
    "Check",
    "Cloud",
    "Compute",
    "Ec2Credential",
    "Flavor",
    "FloatingIp",
    "Identity",
    "IdentityService",
    "Image",
    "Keypair",
    "Lease",
    "Leases",
    "Mark",
    "Network",
    "Node",
    "NodeType",
    "Objects",
    "Quota",
    "Reservation",
    "ReservationRequest",
    "Resource",
    "Rule",
    "S3Access",
    "S3Endpoint",
    "SecurityGroup",
    "Server",
    "ServerRequest",
    "SiteFacts",
    "State",
    "SwiftAccess",
    "Volume",
    "Volumes",
]


class Leases(Protocol):
    """Blazar's part. ``node_types`` raises `NotFound` where hosts can't be booked, or nobody says which there are."""

    def node_types(self) -> Sequence[NodeType]: ...
    def list(self) -> Sequence[Lease]: ...
    def get(self, lease_id: str) -> Lease: ...
    def create(
        self,
        name: str,
        *,
        end: datetime,
        reservations: Sequence[ReservationRequest],
        mark: Mark,
        start: datetime | None = None,
    ) -> Lease: ...
    def extend(self, lease_id: str, end: datetime) -> Lease: ...
    def delete(self, lease_id: str) -> None: ...


class Compute(Protocol):
    """Nova's and Glance's part. ``rebuild`` keeps address and volumes, and refuses a server that boots from one; ``start`` has one
    that stands still go on, with all that is in its memory, and raises `Conflict` if somebody repairs it; ``console_log`` is the
    boot log's tail.

    A server that neither comes nor goes shows the address that `Network.floating_ips` says leads to it, from the moment it does.
    """

    def flavors(self) -> Sequence[Flavor]: ...
    def images(self) -> Sequence[Image]: ...

    def keypairs(self) -> Sequence[Keypair]: ...
    def create_keypair(self, name: str, public_key: str, *, mark: Mark) -> Keypair: ...
    def delete_keypair(self, name: str) -> None: ...

    def list(self) -> Sequence[Server]: ...
    def get(self, server_id: str) -> Server: ...
    def create(self, request: ServerRequest) -> Server: ...
    def rebuild(self, server_id: str, image_id: str) -> Server: ...
    def reboot(self, server_id: str) -> None: ...
    def start(self, server_id: str) -> None: ...
    def delete(self, server_id: str) -> None: ...
    def console_log(self, server_id: str, lines: int = 100) -> str: ...


class Network(Protocol):
    """Neutron's part. Only a caller that made an address may bind or release it; that is decided above, by the mark.

    A server's groups are given by name or id; ``server_groups`` tells their ids. A name that several bear may be `Ambiguous`.
    """

    def floating_ips(self) -> Sequence[FloatingIp]: ...
    def create_floating_ip(self, *, mark: Mark) -> FloatingIp: ...
    def bind_floating_ip(self, floating_ip_id: str, server_id: str) -> FloatingIp: ...
    def unbind_floating_ip(self, floating_ip_id: str) -> FloatingIp: ...
    def delete_floating_ip(self, floating_ip_id: str) -> None: ...

    def security_groups(self) -> Sequence[SecurityGroup]: ...
    def create_security_group(self, name: str, *, description: str, mark: Mark) -> SecurityGroup: ...
    def add_rule(self, group_id: str, rule: Rule) -> None: ...
    def remove_rule(self, group_id: str, rule: Rule) -> None: ...
    def delete_security_group(self, group_id: str) -> None: ...
    def server_groups(self, server_id: str) -> Sequence[str]: ...
    def set_server_groups(self, server_id: str, groups: Sequence[str]) -> None: ...


class Volumes(Protocol):
    """Cinder's part. Attach and detach return when accepted; `Volume.attachments` tells when it is so."""

    def list(self) -> Sequence[Volume]: ...
    def get(self, volume_id: str) -> Volume: ...
    def create(self, name: str, *, size_gib: int, mark: Mark, image_id: str = "", volume_type: str = "") -> Volume: ...
    def extend(self, volume_id: str, size_gib: int) -> Volume: ...
    def attach(self, volume_id: str, server_id: str) -> Attachment: ...
    def detach(self, volume_id: str, server_id: str) -> None: ...
    def delete(self, volume_id: str) -> None: ...


class Objects(Protocol):
    """The object store's part: containers, which S3 calls buckets. Objects themselves go over S3 with an `Ec2Credential`.

    ``swift`` is how nodes sign in over Swift; None where the site has no Swift, or we no application credential for it.
    ``purge`` deletes a bucket's objects where the sign-in gets no such key; it returns how many, and their bytes.
    ``outpaces_s3`` says whether that is the faster way to empty this bucket, also for who has a key.
    ``purge_segments`` deletes what its large objects consist of outside the bucket, before they go; it returns how many parts.
    """

    def endpoint(self) -> S3Endpoint: ...
    def swift(self) -> SwiftAccess | None: ...
    def list(self) -> Sequence[Bucket]: ...
    def get(self, name: str) -> Bucket: ...
    def create(self, name: str, *, mark: Mark) -> Bucket: ...
    def purge(self, name: str, on_progress: Callable[[int], None]) -> tuple[int, int]: ...
    def outpaces_s3(self, name: str) -> bool: ...
    def purge_segments(self, name: str) -> int: ...
    def delete(self, name: str) -> None: ...


class IdentityService(Protocol):
    """Keystone's part."""

    def whoami(self) -> Identity: ...
    def ec2_credentials(self) -> Sequence[Ec2Credential]: ...
    def create_ec2_credential(self, *, mark: Mark) -> Ec2Credential: ...
    def delete_ec2_credential(self, access: str) -> None: ...


class Cloud(Protocol):
    """A signed-in connection to one site. Use as a context manager; leaving it releases what the process held."""

    @property
    def site(self) -> str: ...
    @property
    def leases(self) -> Leases: ...
    @property
    def compute(self) -> Compute: ...
    @property
    def network(self) -> Network: ...
    @property
    def volumes(self) -> Volumes: ...
    @property
    def objects(self) -> Objects: ...
    @property
    def identity(self) -> IdentityService: ...

    @property
    def node_settings(self) -> Mapping[str, object]:
        """Variables for the playbooks that are the site's: where base images and packages come from."""

    def prepare(self) -> None:
        """Bring up what the site needs before resources can be made; a no-op where the site is always there."""

    def check(self) -> Sequence[Check]:
        """What `chiops doctor` asks of the site: one line per finding, never an exception."""

    def quotas(self) -> Sequence[Quota]:
        """What the project may use; empty where only the machine's own size sets limits."""

    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...
