"""A cloud in memory, ready at once: labs go up and down on it in milliseconds, are broken by hand, or stopped at any request."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Self

from chiops.cloud.base import (
    Attachment,
    BootVolume,
    Bucket,
    Check,
    Ec2Credential,
    Flavor,
    FloatingIp,
    Identity,
    Image,
    Keypair,
    Lease,
    Mark,
    Quota,
    Reservation,
    ReservationRequest,
    Rule,
    S3Endpoint,
    SecurityGroup,
    Server,
    ServerRequest,
    State,
    Volume,
)
from chiops.errors import Conflict, NotFound

SITE = "memory"
GOES = "in-use, goes with its server"
ME = Identity("me", "me", "p", "p")
FLAVORS = (
    Flavor(id="f1", name="m1.tiny", vcpus=1, ram_mib=512, disk_gib=1, su_per_hour=0.5),
    Flavor(id="f2", name="m1.large", vcpus=4, ram_mib=8192, disk_gib=40, su_per_hour=2.0),
)
IMAGES = (Image(id="img-1", name="CC-Ubuntu24.04"), Image(id="img-2", name="CC-CentOS9"))


def nothing(request: str) -> None:
    """Before a request is carried out."""


@dataclass
class Memory:
    """All that the site holds, by id. ``hook`` is called before each request with its name; ``after`` once it was carried out."""

    things: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    hook: Callable[[str], None] = nothing
    after: Callable[[str], None] = nothing
    site: str = SITE
    node_settings: Mapping[str, object] = field(default_factory=dict)
    checks: Sequence[Check] = ()
    limits: Sequence[Quota] = ()
    me: Identity = ME
    lock: threading.RLock = field(default_factory=threading.RLock)
    ids: Iterator[int] = field(default_factory=itertools.count)

    def of(self, kind: str) -> dict[str, Any]:
        return self.things.setdefault(kind, {})

    def find(self, kind: str, name: str) -> Any:
        return next(one for one in self.of(kind).values() if one.name == name)

    def change(self, kind: str, name: str, **values: Any) -> None:
        """By hand, without a request."""
        found = self.find(kind, name)
        self.of(kind)[found.id] = replace(found, **values)

    def drop(self, kind: str, name: str) -> None:
        """By hand, without a request."""
        del self.of(kind)[self.find(kind, name).id]

    def count(self) -> dict[str, int]:
        return {kind: len(found) for kind, found in self.things.items() if found}

    def new_id(self, kind: str) -> str:
        return f"{kind}-{next(self.ids)}"

    def one(self, kind: str, id_: str) -> Any:
        if id_ not in self.of(kind):
            raise NotFound(f"there is no {kind} {id_}")
        return self.of(kind)[id_]

    def group_names(self, words: Sequence[str]) -> tuple[str, ...]:
        """Security groups, given by name or id, by name."""
        known = self.of("security_group")
        return tuple(known[word].name if word in known else word for word in words)

    def __getattr__(self, service: str) -> Any:
        if service in SERVICES:
            return _Counted(self, service, SERVICES[service](self))
        raise AttributeError(service)

    def prepare(self) -> None: ...
    def check(self) -> Sequence[Check]:
        return self.checks

    def quotas(self) -> Sequence[Quota]:
        return self.limits

    def close(self) -> None: ...
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None: ...


@dataclass
class _Counted:
    """A service whose requests are noted, and carried out one at a time."""

    memory: Memory
    name: str
    service: Any

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.service, name)

        def request(*args: Any, **values: Any) -> Any:
            with self.memory.lock:
                self.memory.requests.append(f"{self.name}.{name}")
                self.memory.hook(f"{self.name}.{name}")
                answer = method(*args, **values)
                self.memory.after(f"{self.name}.{name}")
                return answer

        return request


@dataclass
class _Service:
    at: Memory


class _Leases(_Service):
    def list(self) -> Sequence[Lease]:
        return list(self.at.of("lease").values())

    def get(self, lease_id: str) -> Lease:
        found: Lease = self.at.one("lease", lease_id)
        return found

    def create(
        self,
        name: str,
        *,
        end: datetime,
        reservations: Sequence[ReservationRequest],
        mark: Mark,
        start: datetime | None = None,
    ) -> Lease:
        id_ = self.at.new_id("lease")
        booked = tuple(
            Reservation(
                id=f"{id_}-{one.flavor}",
                kind=one.kind,
                status="active",
                amount=one.amount,
                flavor_id=f"{id_}-{one.flavor}",
                flavor_name=next((f.name for f in FLAVORS if one.flavor in (f.id, f.name)), ""),
            )
            for one in reservations
        )
        now = datetime.now(UTC)
        made = Lease(id=id_, name=name, status="ACTIVE", mark=mark, start=start or now, end=end, reservations=booked)
        self.at.of("lease")[id_] = made
        return made

    def extend(self, lease_id: str, end: datetime) -> Lease:
        self.at.of("lease")[lease_id] = replace(self.get(lease_id), end=end)
        return self.get(lease_id)

    def delete(self, lease_id: str) -> None:
        self.get(lease_id)
        del self.at.of("lease")[lease_id]
        for server in [one for one in self.at.of("server").values() if one.lease_id == lease_id]:
            _Compute(self.at).delete(server.id)


class _Compute(_Service):
    def flavors(self) -> Sequence[Flavor]:
        return FLAVORS

    def images(self) -> Sequence[Image]:
        return IMAGES

    def keypairs(self) -> Sequence[Keypair]:
        return list(self.at.of("keypair").values())

    def create_keypair(self, name: str, public_key: str, *, mark: Mark) -> Keypair:
        if name in self.at.of("keypair"):
            raise Conflict(f"the key pair {name} is there")
        self.at.of("keypair")[name] = made = Keypair(id=name, name=name, public_key=public_key, mark=mark)
        return made

    def delete_keypair(self, name: str) -> None:
        self.at.one("keypair", name)
        del self.at.of("keypair")[name]

    def list(self) -> Sequence[Server]:
        return list(self.at.of("server").values())

    def get(self, server_id: str) -> Server:
        found: Server = self.at.one("server", server_id)
        return found

    def create(self, request: ServerRequest) -> Server:
        id_ = self.at.new_id("server")
        lease = self.at.of("lease").get(request.lease_id)
        booked = {one.id: one.flavor_name for one in lease.reservations} if lease else {}
        plain = {one.id: one.name for one in FLAVORS}
        made = Server(
            id=id_,
            name=request.name,
            status="ACTIVE",
            mark=request.mark,
            flavor=booked.get(request.reservation_id) or plain.get(request.flavor_id, request.flavor_id),
            image="" if request.boot_volume else request.image_id,
            volumes=(self._boot_from(request.boot_volume, id_),) if request.boot_volume else (),
            keypair=request.keypair,
            lease_id=request.lease_id,
            fixed_address="10.0.0.1",
            security_groups=self.at.group_names(request.security_groups),
        )
        self.at.of("server")[id_] = made
        return made

    def _boot_from(self, boot: BootVolume, server_id: str) -> str:
        """The id of the volume; one that goes with its server says so in its status, as it has neither name nor mark."""
        id_ = boot.volume_id or self.at.new_id("volume")
        there = self.at.of("volume").get(id_) or Volume(id=id_, name="", size_gib=boot.size_gib, bootable=True)
        if there.attachments:
            raise Conflict("the volume is attached")
        at = Attachment(volume_id=id_, server_id=server_id, device="/dev/vda")
        status = GOES if boot.delete_on_termination else "in-use"
        self.at.of("volume")[id_] = replace(there, attachments=(at,), state=State.IN_USE, status=status)
        return id_

    def reboot(self, server_id: str) -> None:
        self.at.of("server")[server_id] = replace(self.get(server_id), status="ACTIVE", state=State.READY)

    start = reboot

    def delete(self, server_id: str) -> None:
        self.get(server_id)
        del self.at.of("server")[server_id]
        for ip in [one for one in self.at.of("floating_ip").values() if one.server_id == server_id]:
            self.at.of("floating_ip")[ip.id] = replace(ip, server_id="")
        for volume in [one for one in self.at.of("volume").values() if one.attachments]:
            if volume.attachments[0].server_id == server_id and volume.status == GOES:
                del self.at.of("volume")[volume.id]
            elif volume.attachments[0].server_id == server_id:
                self.at.of("volume")[volume.id] = replace(volume, attachments=(), state=State.READY)


class _Network(_Service):
    def floating_ips(self) -> Sequence[FloatingIp]:
        return list(self.at.of("floating_ip").values())

    def create_floating_ip(self, *, mark: Mark) -> FloatingIp:
        id_ = self.at.new_id("fip")
        address = f"192.0.2.{id_.rpartition('-')[2]}"
        self.at.of("floating_ip")[id_] = made = FloatingIp(id=id_, name=address, address=address, mark=mark)
        return made

    def bind_floating_ip(self, floating_ip_id: str, server_id: str) -> FloatingIp:
        made: FloatingIp = replace(self.at.one("floating_ip", floating_ip_id), server_id=server_id)
        self.at.of("floating_ip")[floating_ip_id] = made
        return made

    def unbind_floating_ip(self, floating_ip_id: str) -> FloatingIp:
        return self.bind_floating_ip(floating_ip_id, "")

    def delete_floating_ip(self, floating_ip_id: str) -> None:
        self.at.one("floating_ip", floating_ip_id)
        del self.at.of("floating_ip")[floating_ip_id]

    def security_groups(self) -> Sequence[SecurityGroup]:
        return list(self.at.of("security_group").values())

    def create_security_group(self, name: str, *, description: str, mark: Mark) -> SecurityGroup:
        id_ = self.at.new_id("group")
        self.at.of("security_group")[id_] = made = SecurityGroup(id=id_, name=name, mark=mark)
        return made

    def add_rule(self, group_id: str, rule: Rule) -> None:
        group = self.at.one("security_group", group_id)
        self.at.of("security_group")[group_id] = replace(group, rules=(*group.rules, rule))

    def remove_rule(self, group_id: str, rule: Rule) -> None:
        group = self.at.one("security_group", group_id)
        rules = tuple(one for one in group.rules if one != rule)
        self.at.of("security_group")[group_id] = replace(group, rules=rules)

    def delete_security_group(self, group_id: str) -> None:
        group = self.at.one("security_group", group_id)
        if any(group.name in one.security_groups for one in self.at.of("server").values()):
            raise Conflict("the group is in use")
        del self.at.of("security_group")[group_id]

    def server_groups(self, server_id: str) -> Sequence[str]:
        names = self.at.one("server", server_id).security_groups
        return [one.id for one in self.at.of("security_group").values() if one.name in names]

    def set_server_groups(self, server_id: str, groups: Sequence[str]) -> None:
        server = self.at.one("server", server_id)
        self.at.of("server")[server_id] = replace(server, security_groups=self.at.group_names(groups))


class _Volumes(_Service):
    def list(self) -> Sequence[Volume]:
        return list(self.at.of("volume").values())

    def get(self, volume_id: str) -> Volume:
        found: Volume = self.at.one("volume", volume_id)
        return found

    def create(self, name: str, *, size_gib: int, mark: Mark, image_id: str = "", volume_type: str = "") -> Volume:
        id_ = self.at.new_id("volume")
        self.at.of("volume")[id_] = made = Volume(
            id=id_, name=name, mark=mark, size_gib=size_gib, status="available", bootable=bool(image_id)
        )
        return made

    def extend(self, volume_id: str, size_gib: int) -> Volume:
        self.at.of("volume")[volume_id] = replace(self.get(volume_id), size_gib=size_gib)
        return self.get(volume_id)

    def attach(self, volume_id: str, server_id: str) -> Attachment:
        if self.get(volume_id).attachments:
            raise Conflict("the volume is attached")
        made = Attachment(volume_id=volume_id, server_id=server_id, device="/dev/vdb")
        self.at.of("volume")[volume_id] = replace(self.get(volume_id), attachments=(made,), state=State.IN_USE)
        return made

    def detach(self, volume_id: str, server_id: str) -> None:
        self.at.of("volume")[volume_id] = replace(self.get(volume_id), attachments=(), state=State.READY)

    def delete(self, volume_id: str) -> None:
        if self.get(volume_id).attachments:
            raise Conflict("the volume is attached")
        del self.at.of("volume")[volume_id]


class _Objects(_Service):
    def endpoint(self) -> S3Endpoint:
        return S3Endpoint("http://s3.invalid")

    def swift(self) -> None:
        return None

    def list(self) -> Sequence[Bucket]:
        return list(self.at.of("bucket").values())

    def get(self, name: str) -> Bucket:
        found: Bucket = self.at.one("bucket", name)
        return found

    def create(self, name: str, *, mark: Mark) -> Bucket:
        self.at.of("bucket")[name] = made = Bucket(id=name, name=name, mark=mark, objects=0, size_bytes=0)
        return made

    def outpaces_s3(self, name: str) -> bool:
        return False

    def purge_segments(self, name: str) -> int:
        return 0

    def delete(self, name: str) -> None:
        if self.get(name).objects:
            raise Conflict("the bucket is not empty")
        del self.at.of("bucket")[name]


class _Identity(_Service):
    def whoami(self) -> Identity:
        return self.at.me

    def ec2_credentials(self) -> Sequence[Ec2Credential]:
        return list(self.at.of("credential").values())

    def create_ec2_credential(self, *, mark: Mark) -> Ec2Credential:
        access = self.at.new_id("key")
        made = Ec2Credential(access=access, secret="s", project_id="p", mark=mark)
        self.at.of("credential")[access] = made
        return made

    def delete_ec2_credential(self, access: str) -> None:
        self.at.one("credential", access)
        del self.at.of("credential")[access]


SERVICES: dict[str, Callable[[Memory], Any]] = {
    "leases": _Leases,
    "compute": _Compute,
    "network": _Network,
    "volumes": _Volumes,
    "objects": _Objects,
    "identity": _Identity,
}
