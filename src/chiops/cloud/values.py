"""The plain values that cross the interface of clouds: words and shapes are OpenStack's, reduced to what chiops needs."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Self


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
    """A reservation as the lease reports it; ``flavor_id`` is what servers are created with, for flavors.

    ``resource_properties`` is the filter that hosts were chosen by, where the site tells it.
    """

    id: str
    kind: str
    status: str
    amount: int = 1
    flavor_id: str = ""
    flavor_name: str = ""
    resource_properties: str = ""


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
    """What a server is made of. ``flavor_id`` comes from a lease's reservation where the site wants leases.

    ``security_groups`` are names or ids.
    """

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
    """A floating IP; ``name`` is its address, ``server_id`` empty while unbound.

    ``reservation_id`` names the part of a lease that it was booked with; it then comes and goes with that lease.
    """

    address: str
    server_id: str = ""
    reservation_id: str = ""


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


BETWEEN = ("reserved", "attaching", "detaching")
"""The statuses of a volume on its way to a server or from it."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ec2Credential:
    """An S3 key pair of ours. The secret is never shown by repr, tables or JSON."""

    access: str
    secret: str = field(repr=False)
    project_id: str
    mark: Mark | None = None
    created: datetime | None = None
