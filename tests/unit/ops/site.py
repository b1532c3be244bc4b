"""A site that shows what it is given and lets nothing be changed: what single commands ask of a cloud before they act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from chiops.cloud.base import (
    Cloud,
    Ec2Credential,
    Flavor,
    FloatingIp,
    Image,
    Keypair,
    Lease,
    S3Endpoint,
    SecurityGroup,
    Server,
    SiteFacts,
    State,
    Volume,
)
from chiops.ops.desk import Desk
from tests.support.things import LABS, ME, MINE, NOW, THEIRS, address, credential, group, lease, server


class Touched(AssertionError):
    """A request that would have changed something."""


class _Service:
    """Answers what it was given; any other request is a change."""

    def __init__(self, service: str = "", **answers: object) -> None:
        self._service, self._answers = service, answers

    def __getattr__(self, name: str) -> Any:
        def answer(*_: object, **__: object) -> object:
            if name not in self._answers:
                raise Touched(f"{self._service}.{name}")
            return self._answers[name]

        return answer


@dataclass
class Listing:
    """What the site shows."""

    leases_: Sequence[Lease] = ()
    servers: Sequence[Server] = ()
    addresses: Sequence[FloatingIp] = ()
    groups: Sequence[SecurityGroup] = ()
    keypairs: Sequence[Keypair] = ()
    volumes_: Sequence[Volume] = ()
    credentials: Sequence[Ec2Credential] = ()
    flavors: Sequence[Flavor] = (
        Flavor(id="1", name="m1.small", vcpus=1, ram_mib=2048, disk_gib=20, su_per_hour=0.02),
        Flavor(id="2", name="m1.large", vcpus=4, ram_mib=8192, disk_gib=40, su_per_hour=0.08),
    )
    images: Sequence[Image] = (Image(id="img-1", name="CC-Ubuntu24.04"),)
    endpoint: S3Endpoint = S3Endpoint("http://192.0.2.1")  # noqa: RUF009 - frozen
    site: str = "somewhere"
    leases: _Service = field(init=False)
    compute: _Service = field(init=False)
    network: _Service = field(init=False)
    volumes: _Service = field(init=False)
    identity: _Service = field(init=False)
    objects: _Service = field(init=False)

    def __post_init__(self) -> None:
        self.leases = _Service("leases", list=self.leases_, get=next(iter(self.leases_), None))
        self.compute = _Service(
            "compute", list=self.servers, flavors=self.flavors, images=self.images, keypairs=self.keypairs
        )
        within = {name for one in self.servers for name in one.security_groups}
        self.network = _Service(
            "network",
            floating_ips=self.addresses,
            security_groups=self.groups,
            server_groups=[one.id for one in self.groups if one.name in within],
        )
        self.volumes = _Service("volumes", list=self.volumes_)
        self.identity = _Service("identity", whoami=ME, ec2_credentials=self.credentials)
        self.objects = _Service("objects", list=(), endpoint=self.endpoint)

    def prepare(self) -> None:
        """Nothing to bring up."""


def desk(lab: str = "none", facts: SiteFacts | None = None, **shown: Any) -> Desk:
    """A desk at such a site."""
    facts = facts or SiteFacts(name="somewhere", cloud="openstack")
    return Desk(cast(Cloud, Listing(**shown)), facts, lab)


__all__ = [
    "LABS",
    "ME",
    "MINE",
    "NOW",
    "THEIRS",
    "State",
    "Touched",
    "address",
    "credential",
    "desk",
    "group",
    "lease",
    "server",
]
