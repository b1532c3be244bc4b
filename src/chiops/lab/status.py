"""`chiops status`: what is up, per lab, as the cloud tells it now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from chiops.cloud.base import Lease, Server
from chiops.errors import ChiopsError
from chiops.lab import session
from chiops.lab.journal import Journal, LabRecord
from chiops.lab.places import Places
from chiops.names import format_bytes, format_duration
from chiops.remote.ssh import Ssh
from chiops.resources.kind import Workbench

SHOWN = frozenset({"leases", "servers", "volumes", "buckets"})
"""Parts of `Seen` that are read."""


@dataclass(frozen=True)
class Part:
    """One resource of a lab; ``extra`` is what JSON readers get beyond the table."""

    kind: str
    name: str
    status: str
    detail: str = ""
    extra: dict[str, object] | None = None


@dataclass(frozen=True)
class LabStatus:
    """One lab; ``problem`` is set, and the parts empty, where its site did not answer."""

    lab: str
    site: str
    phase: str
    parts: tuple[Part, ...] = ()
    problem: str = ""


def status(names: Sequence[str] = ()) -> list[LabStatus]:
    """Every remembered lab, or those named. One that can't be read never hides the others."""
    journal = Journal()
    records = [session.pick(journal, name, kept=True) for name in names] if names else journal.labs()
    return [_status(record) for record in records]


def _status(record: LabRecord) -> LabStatus:
    try:
        with Places(record.site, record.name) as places:
            benches = places.observe(parts=SHOWN)
            parts = tuple(part for site, bench in benches.items() for part in _parts(record.name, site, bench, places))
    except ChiopsError as error:
        return LabStatus(record.name, record.site, record.phase, problem=error.sentence())
    return LabStatus(record.name, record.site, record.phase, parts)


def _parts(lab: str, site: str, bench: Workbench, places: Places) -> list[Part]:
    seen, mark = bench.seen, bench.mark
    parts = [_lease(lease) for lease in seen.leases if lease.mark == mark]
    parts += [_server(lab, server, bench) for server in seen.servers if server.mark == mark]
    servers = {server.id: server.name for server in seen.servers}
    for volume in seen.volumes:
        if volume.mark == mark:
            where = ", ".join(f"{at.device} on {servers.get(at.server_id, at.server_id)}" for at in volume.attachments)
            parts.append(Part("volume", volume.name, volume.status, f"{volume.size_gib} GiB {where}".strip()))
    if site == places.objects.site:
        for bucket in seen.buckets:
            if bucket.mark == mark:
                counted = places.objects.objects.get(bucket.name)
                extra: dict[str, object] = {"objects": counted.objects, "size_bytes": counted.size_bytes}
                detail = (
                    f"{counted.objects:,} objects, {format_bytes(counted.size_bytes)}"
                    if counted.objects is not None
                    else ""
                )
                parts.append(Part("bucket", bucket.name, bucket.status or "ready", detail, extra))
    return parts


def _lease(lease: Lease) -> Part:
    left = lease.end - datetime.now(UTC)
    local = lease.end.astimezone().strftime("%H:%M %Z")
    extra: dict[str, object] = {"end": lease.end, "seconds_left": max(0, int(left.total_seconds()))}
    return Part(
        "lease", lease.name, lease.status, f"ends in {format_duration(left)}, at {local}; its servers go then", extra
    )


def _server(lab: str, server: Server, bench: Workbench) -> Part:
    node = session.nodes(lab, [server], bench.facts.ssh_user)[0]
    extra: dict[str, object] = {
        "address": node.address,
        "fixed_address": server.fixed_address,
        "flavor": server.flavor,
        "user": node.user,
        "key_file": node.key_file,
        "known_hosts": node.known_hosts,
        "ssh": Ssh(node).command_line(),
    }
    return Part("server", server.name, server.status, server.fault or f"{node.address} {server.flavor}", extra)
