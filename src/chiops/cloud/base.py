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

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol, Self


class State(enum.StrEnum):
    """What a status means, whatever each service calls it."""

    PENDING = "pending"
    READY = "ready"
    IN_USE = "in-use"
    STOPPED = "stopped"
    DELETING = "deleting"
    ENDED = "ended"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Mark:
    """How chiops recognises its own: the lab it belongs to and who made it.

    Args:
        lab: the lab's name, unique per owner and site.
        owner: the user id, as `Identity.user_id` gives it, so that members of one project never take each other's.
    """

    lab: str
    owner: str

    def as_metadata(self) -> dict[str, str]:
        """For services with key-value metadata (servers, volumes, containers)."""
        return {"chiops-lab": self.lab, "chiops-owner": self.owner}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self | None:
        """The mark in a metadata mapping, keys in any case; None if it is not ours."""
        folded = {key.lower(): value for key, value in metadata.items()}
        lab, owner = folded.get("chiops-lab"), folded.get("chiops-owner")
        return cls(lab, owner) if lab and owner else None

    def as_text(self) -> str:
        """For services with only a description or tags (security groups, floating IPs)."""
        return f"chiops-lab={self.lab} chiops-owner={self.owner}"

    @classmethod
    def from_text(cls, text: str) -> Self | None:
        """The mark within a description; None if it is not ours."""
        return cls.from_metadata(dict(word.split("=", 1) for word in text.split() if "=" in word))


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What all resources share: ``status`` in the service's own word, ``state`` its meaning, ``fault`` why it failed."""

    id: str
    name: str
    status: str = ""
    state: State = State.READY
    fault: str = ""
    mark: Mark | None = None
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are at the cloud."""

    user_id: str
    user_name: str
    project_id: str
    project_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavor:
    """A server size; RAM in MiB, root disk in GiB, service units per hour where the site publishes them."""

    id: str
    name: str
    vcpus: int
    ram_mib: int
    disk_gib: int
    su_per_hour: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A boot image. ``note`` says what the name stands for where a site substitutes it."""

    id: str
    name: str
    status: str = "active"
    size_bytes: int | None = None
    min_disk_gib: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeType:
    """A type of bare-metal hosts; what the site does not tell is None or empty. ``threads`` and the rest are one host's."""

    name: str
    hosts: int | None = None
    threads: int | None = None
    cpu: str = ""
    ram: str = ""
    gpu: str = ""
    disks: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationRequest:
    """A part of a lease: ``flavor`` (name or id) × amount, a host by properties, or floating IPs."""

    kind: Literal["flavor:instance", "physical:host", "virtual:floatingip"]
    flavor: str = ""
    amount: int = 1
    resource_properties: str = ""
    network: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A reservation as the lease reports it; ``flavor_id`` is what servers are created with, for flavors."""

    id: str
    kind: str
    status: str
    amount: int = 1
    flavor_id: str = ""
    flavor_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease(Resource):
    """A booking from ``start`` to ``end``; at its end every server on it is deleted."""

    start: datetime
    end: datetime
    reservations: tuple[Reservation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Keypair(Resource):
    """A public key that servers let in. ``fingerprint`` as the service computes it."""

    fingerprint: str = ""
    public_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootVolume:
    """Boot from a new volume made from the image, or from an existing one."""

    size_gib: int = 0
    volume_id: str = ""
    delete_on_termination: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRequest:
    """What a server is made of. ``flavor_id`` comes from a lease's reservation where the site wants leases."""

    name: str
    image_id: str
    flavor_id: str
    keypair: str
    mark: Mark
    security_groups: tuple[str, ...] = ()
    network: str = ""
    lease_id: str = ""
    reservation_id: str = ""
    boot_volume: BootVolume | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server(Resource):
    """A server. Addresses are IPv4 strings; ``security_groups`` are names, ``volumes`` ids of attached volumes."""

    flavor: str = ""
    image: str = ""
    keypair: str = ""
    lease_id: str = ""
    fixed_address: str = ""
    floating_address: str = ""
    security_groups: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    has_run: bool = True
    """Whether it ever started, so that its disk may hold what somebody wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatingIp(Resource):
    """A floating IP; ``name`` is its address, ``server_id`` empty while unbound."""

    address: str
    server_id: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """One ingress rule: protocol and port range open to ``cidr``; ports 0 to 0 mean none (icmp) or all."""

    protocol: Literal["tcp", "udp", "icmp", "any"]
    port_min: int = 0
    port_max: int = 0
    cidr: str = "0.0.0.0/0"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroup(Resource):
    """A named set of ingress rules; whatever no group opens is closed."""

    description: str = ""
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A volume at a server; ``device`` is the service's guess (``/dev/vdb``), ``by_id`` the certain path on the node."""

    volume_id: str
    server_id: str
    device: str = ""
    by_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(Resource):
    """A block volume, size in GiB."""

    size_gib: int
    bootable: bool = False
    volume_type: str = ""
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket(Resource):
    """A bucket (Swift container); its name is its id. Counts are None where the listing does not carry them."""

    objects: int | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class S3Endpoint:
    """Where and how a site speaks S3. ``provider`` is rclone's word for the server; ``region`` what the signature needs."""

    url: str
    region: str = "us-east-1"
    provider: str = "Ceph"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ec2Credential:
    """An S3 key pair of ours. The secret is never shown by repr, tables or JSON."""

    access: str
    secret: str = field(repr=False)
    project_id: str
    mark: Mark | None = None
    created: datetime | None = None


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
    """Nova's and Glance's part. ``rebuild`` keeps address and volumes; ``console_log`` is the boot log's tail."""

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
    def delete(self, server_id: str) -> None: ...
    def console_log(self, server_id: str, lines: int = 100) -> str: ...


class Network(Protocol):
    """Neutron's part. Only a caller that made an address may bind or release it; that is decided above, by the mark."""

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
    def set_server_groups(self, server_id: str, names: Sequence[str]) -> None: ...


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
    """The object store's part: containers, which S3 calls buckets. Objects themselves go over S3 with an `Ec2Credential`."""

    def endpoint(self) -> S3Endpoint: ...
    def list(self) -> Sequence[Bucket]: ...
    def get(self, name: str) -> Bucket: ...
    def create(self, name: str, *, mark: Mark) -> Bucket: ...
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

    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Check:
    """One finding of `chiops doctor`. ``todo`` is the mend for a warning or failure."""

    name: str
    verdict: Literal["ok", "warning", "failed"]
    detail: str = ""
    todo: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """What is known of a site without asking it; from ``sites.yaml``, overridable by the person's own."""

    name: str
    cloud: Literal["local", "openstack"]
    ssh_user: str = "cc"
    default_image: str = "CC-Ubuntu24.04"
    network: str = ""
    external_network: str = ""
    object_site: str = ""
    s3: S3Endpoint | None = None
    max_lease_days: float | None = None
    needs_lease: bool = True
    description: str = ""
    auth_url: str = ""
    """Keystone, with its version: ``https://…:5000/v3``."""
    region: str = ""
    """The service catalogue's region; the site's name where empty."""
    os_cloud: str = ""
    """The entry of clouds.yaml to sign in with; found by name, region or ``auth_url`` where empty."""
    web: str = ""
    """The dashboard, where a person makes application credentials."""
    lease_days: Mapping[str, float] = field(default_factory=dict)
    """Longest lease by flavor pattern (``g1.*``); beats ``max_lease_days``."""
    extension_window_hours: float | None = None
    """A lease can be extended only within so many hours before its end."""
    extension_days: float | None = None
    """By so many days at most, each time."""
    su_per_hour: Mapping[str, float] = field(default_factory=dict)
    """Service units per hour by flavor name."""
    hardware_url: str = ""
    """Where the site's bare-metal hosts are described, in the shape of Chameleon's reference API."""
    node_settings: Mapping[str, object] = field(default_factory=dict)
    """Variables for the playbooks, see `Cloud.node_settings`."""
    hand_over_packages: bool = False
    """Whether nodes get this machine's package settings (sources, proxies, certificates of apt and pip) before their first
    step: for clouds that reach the registries only as this machine does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A server as configuration sees it: where to ssh and with which key. Passed to ``remote``, ``data`` and ``bench``."""

    name: str
    address: str
    user: str
    key_file: Path
    known_hosts: Path
    server_id: str = ""
    port: int = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """A bucket with the key that opens it: all that an S3 client, rclone or a loader needs."""

    bucket: str
    endpoint: S3Endpoint
    access: str
    secret: str = field(repr=False)
