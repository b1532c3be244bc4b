"""From a lab's file to the resources it wants, in the order they depend on each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from chiops.cloud.base import Rule, SiteFacts
from chiops.lab.spec import LabSpec
from chiops.resources.booting import BootWanted
from chiops.resources.bucket import BucketKind, BucketWanted
from chiops.resources.credential import CredentialKind, CredentialWanted
from chiops.resources.floating_ip import FloatingIpKind, FloatingIpWanted
from chiops.resources.keypair import KeypairKind, KeypairWanted
from chiops.resources.kind import Kind
from chiops.resources.lease import LeaseKind, LeaseWanted
from chiops.resources.security_group import SecurityGroupKind, SecurityGroupWanted
from chiops.resources.server import ServerKind, ServerWanted
from chiops.resources.volume import AttachmentKind, AttachmentWanted, VolumeKind, VolumeWanted


class Key(NamedTuple):
    """Which resource of a lab."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


KINDS: dict[str, Kind[Any]] = {
    "lease": LeaseKind(),
    "keypair": KeypairKind(),
    "security_group": SecurityGroupKind(),
    "server": ServerKind(),
    "floating_ip": FloatingIpKind(),
    "volume": VolumeKind(),
    "attachment": AttachmentKind(),
    "bucket": BucketKind(),
    "credential": CredentialKind(),
}
CREDENTIAL = Key("credential", "S3 key")


@dataclass(frozen=True)
class Item:
    """One wanted resource, and what must be there before it."""

    key: Key
    wanted: object
    needs: tuple[Key, ...] = ()

    @property
    def kind(self) -> Kind[Any]:
        return KINDS[self.key.kind]


def keypair_name(spec: LabSpec) -> str:
    """The key pair of a lab; one per lab, so that taking a lab down never locks another."""
    return f"chiops-{spec.name}"


def items(spec: LabSpec, facts: SiteFacts) -> list[Item]:
    """Every resource of a lab at its compute and object site."""
    return list(_items(spec, facts))


def _items(spec: LabSpec, facts: SiteFacts) -> Iterator[Item]:
    leases: tuple[Key, ...] = ()
    if spec.lease and spec.servers:
        flavors = Counter(server.flavor for server in spec.servers)
        lease = Key("lease", spec.lease.name)
        leases = (lease,)
        yield Item(lease, LeaseWanted(spec.lease.name, spec.lease.duration, dict(flavors)))
    keypair = Key("keypair", keypair_name(spec))
    if spec.servers:
        yield Item(keypair, KeypairWanted(keypair.name))
    for group in spec.security_groups:
        rules = tuple(Rule(rule.protocol, rule.port, rule.port_max or rule.port, rule.cidr) for rule in group.rules)
        key = Key("security_group", group.name)
        yield Item(key, SecurityGroupWanted(group.name, group.description, rules))
    for server in spec.servers:
        key, image = Key("server", server.name), server.image or facts.default_image
        boot = server.boot_volume
        disks: tuple[Key, ...] = ()
        if boot and not boot.delete_on_termination:
            disk = Key("volume", boot.name_for(server.name))
            yield Item(disk, VolumeWanted(disk.name, boot.size_gib, image))
            disks = (disk,)
        groups = tuple(Key("security_group", group) for group in server.security_groups)
        yield Item(
            key,
            ServerWanted(
                name=server.name,
                flavor=server.flavor,
                image=image,
                keypair=keypair.name,
                security_groups=server.security_groups,
                lease=spec.lease.name if spec.lease else "",
                boot=BootWanted(boot.size_gib, disks[0].name if disks else "") if boot else None,
            ),
            (*leases, keypair, *groups, *disks),
        )
        if server.floating_ip:
            yield Item(Key("floating_ip", server.name), FloatingIpWanted(server.name), (key,))
    for volume in spec.volumes:
        key = Key("volume", volume.name)
        yield Item(key, VolumeWanted(volume.name, volume.size_gib))
        if volume.server:
            yield Item(
                Key("attachment", volume.name),
                AttachmentWanted(volume.name, volume.server),
                (key, Key("server", volume.server)),
            )
    for bucket in spec.buckets:
        yield Item(Key("bucket", bucket.name), BucketWanted(bucket.name))
    if spec.buckets:
        yield Item(CREDENTIAL, CredentialWanted())
