"""What of a lab is at its sites, by its mark: what goes with `down`, what stays, and what would be lost with it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from chiops.cloud.base import Bucket, FloatingIp, Lease, State, Volume
from chiops.errors import ChiopsError, NotFound
from chiops.lab.wanted import KINDS, Key
from chiops.names import format_bytes, format_duration
from chiops.ops import buckets, moments
from chiops.resources.booting import is_root_disk
from chiops.resources.kind import Workbench
from chiops.resources.lease import servers_on

PARTS = {
    "attachment": "volumes",
    "server": "servers",
    "floating_ip": "floating_ips",
    "security_group": "security_groups",
    "keypair": "keypairs",
    "lease": "leases",
    "volume": "volumes",
    "bucket": "buckets",
    "credential": "credentials",
}
"""Where each kind is in `Seen`."""


@dataclass(frozen=True)
class Doomed:
    """One resource that goes or stays. ``detail`` says what would be lost with it."""

    key: Key
    found: object
    site: str
    detail: str = ""

    def row(self, op: str) -> dict[str, str]:
        return {
            "op": op,
            "kind": KINDS[self.key.kind].noun,
            "name": self.key.name,
            "site": self.site,
            "reason": self.detail,
        }


@dataclass(frozen=True)
class Purge:
    """What goes that would stay without a word: data; and what stays that would go."""

    bucket: bool = False
    volume: bool = False
    keep_lease: bool = False

    def keeps(self, kind: str) -> bool:
        return {"bucket": not self.bucket, "volume": not self.volume, "lease": self.keep_lease}.get(kind, False)

    def command(self, *words: str) -> str:
        """A command of chiops that does the same again, as a shell takes it."""
        flags = {"--keep-lease": self.keep_lease, "--purge-bucket": self.bucket, "--purge-volume": self.volume}
        return shlex.join(["chiops", *words, *(flag for flag, given in flags.items() if given)])


@dataclass(frozen=True)
class Teardown:
    """What `down` means to do."""

    lab: str
    go: tuple[Doomed, ...]
    stay: tuple[Doomed, ...]
    benches: Mapping[str, Workbench] = field(default_factory=dict)

    @property
    def keys(self) -> set[Key]:
        """All that is there."""
        return {doomed.key for doomed in (*self.go, *self.stay)}


def survey(
    lab: str, benches: Mapping[str, Workbench], object_site: str, purge: Purge, *, weigh: bool = True
) -> Teardown:
    """All that carries the lab's mark, split into what goes and what stays.

    Args:
        lab: its name.
        benches: what was seen, by site, each bench with the lab's mark.
        object_site: the site whose buckets and credentials count.
        purge: what the person wants to go and to stay.
        weigh: whether buckets are counted, and those that go asked for their last change.
    """
    go: list[Doomed] = []
    stay: list[Doomed] = []
    for doomed in marked(benches, object_site):
        users = _others(doomed, benches[doomed.site])
        if users:
            stay.append(replace(doomed, detail=f"used by {', '.join(sorted(users))}"))
        elif purge.keeps(doomed.key.kind):
            stay.append(doomed)
        else:
            go.append(doomed)
    if not weigh:
        return Teardown(lab, tuple(go), tuple(stay), benches)
    with ThreadPoolExecutor(8, thread_name_prefix="weigh") as pool:
        going = pool.map(lambda one: _weigh(one, benches[one.site], dated=True), go)
        staying = pool.map(lambda one: _weigh(one, benches[one.site], dated=False), stay)
        return Teardown(lab, tuple(going), tuple(staying), benches)


def marked(benches: Mapping[str, Workbench], object_site: str) -> Iterator[Doomed]:
    """All that carries the lab's mark, and what is attached to its servers."""
    for site, bench in benches.items():
        seen, mark = bench.seen, bench.mark
        servers = {server.id: server.name for server in seen.servers if server.mark == mark}
        for volume in seen.volumes:
            for attachment in volume.attachments:
                if attachment.server_id in servers and not is_root_disk(attachment):
                    where = f"{attachment.device} on {servers[attachment.server_id]}"
                    yield Doomed(Key("attachment", volume.name), attachment, site, where)
        listed: dict[str, Sequence[object]] = {
            "server": seen.servers,
            "floating_ip": seen.floating_ips,
            "security_group": seen.security_groups,
            "keypair": seen.keypairs,
            "lease": seen.leases,
            "volume": seen.volumes,
        }
        if site == object_site:
            listed |= {"bucket": seen.buckets}
            for credential in seen.credentials:
                if credential.mark == mark:
                    yield Doomed(Key("credential", credential.access), credential, site)
        for kind, resources in listed.items():
            for resource in resources:
                if getattr(resource, "mark", None) == mark:
                    yield Doomed(Key(kind, getattr(resource, "name", "")), resource, site, _detail(resource))


def _detail(resource: object) -> str:
    if isinstance(resource, Volume):
        made = f", made {moments.local(resource.created)}" if resource.created else ""
        return f"{resource.size_gib} GiB{made}"
    if isinstance(resource, Lease):
        if resource.state is State.ENDED:
            return "has ended by itself"
        return f"ends in {format_duration(resource.end - datetime.now(UTC))}"
    return ""


def _others(doomed: Doomed, bench: Workbench) -> list[str]:
    """Servers that are not this lab's and use a security group, a volume or an address of it, or would go with its lease."""
    others = [server for server in bench.seen.servers if server.mark != bench.mark]
    if isinstance(doomed.found, Lease):
        return [server.name for server in servers_on(doomed.found, others)]
    if isinstance(doomed.found, Volume):
        at = {attachment.server_id for attachment in doomed.found.attachments}
        return [server.name for server in others if server.id in at]
    if isinstance(doomed.found, FloatingIp):
        return [server.name for server in others if server.id == doomed.found.server_id]
    if doomed.key.kind == "security_group":
        return [server.name for server in others if doomed.key.name in server.security_groups]
    return []


def _weigh(doomed: Doomed, bench: Workbench, *, dated: bool) -> Doomed:
    """A bucket with what is in it, counted now, and when it was last written to if it goes."""
    if not isinstance(doomed.found, Bucket):
        return doomed
    try:
        bucket = bench.cloud.objects.get(doomed.found.name)
    except NotFound:
        return doomed
    except ChiopsError as error:
        return replace(doomed, detail=f"not counted: {error.what}")
    objects = f"{bucket.objects:,} objects" if bucket.objects is not None else "objects not counted"
    words = [objects, format_bytes(bucket.size_bytes)]
    if dated and bucket.objects and (changed := buckets.last_change(bench.cloud, bucket, bench.seen.credentials)):
        words.append(changed.words())
    return replace(doomed, found=bucket, detail=", ".join(words))
