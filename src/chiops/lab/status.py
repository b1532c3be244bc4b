"""`chiops status`: what is up, per lab, as the cloud and the nodes tell it now."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from chiops import logs
from chiops.cloud import sites
from chiops.cloud.base import Bucket, Lease, Node, Server, State, Volume
from chiops.errors import ChiopsError
from chiops.lab import health, keys, session
from chiops.lab.ending import Ending, Units, ending, units
from chiops.lab.health import Health
from chiops.lab.journal import Journal, LabRecord
from chiops.lab.loader import load
from chiops.lab.objects import needs_objects
from chiops.lab.places import OBJECT_PARTS, Places
from chiops.lab.plan import Drift, judge
from chiops.lab.spec import LabSpec
from chiops.lab.strays import Stray
from chiops.lab.unread import reason, unjudged, unread
from chiops.names import format_bytes, format_duration
from chiops.remote.ssh import Ssh
from chiops.resources.kind import Seen, Workbench

log = logging.getLogger(__name__)
UNKNOWN, OK, FAILED = "", "ok", "failed"


@dataclass(frozen=True)
class Part:
    """One resource of a lab; ``health`` is ok, failed or "" for not asked, ``extra`` what JSON readers get beyond the table."""

    kind: str
    name: str
    status: str
    detail: str = ""
    health: str = UNKNOWN
    extra: dict[str, object] | None = None


@dataclass(frozen=True)
class LabStatus:
    """One lab.

    ``phase`` is what this machine remembers, ``headline`` what was seen. ``problem`` is set, and the rest empty, where its site
    did not answer; ``note`` where its file can't be read; ``unread`` has the parts that its sites did not list, with why.
    """

    lab: str
    site: str
    phase: str
    headline: str = ""
    parts: tuple[Part, ...] = ()
    endings: tuple[Ending, ...] = ()
    units: Units | None = None
    drift: tuple[Drift, ...] = ()
    strays: tuple[Stray, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    note: str = ""


def status(names: Sequence[str] = (), *, check: bool = True, site: str | None = None) -> list[LabStatus]:
    """Every remembered lab, or those named, all at once. One that can't be read never hides the others.

    Args:
        names: of labs; all if empty.
        check: whether nodes and buckets are asked how they are.
        site: only of labs there, if one is named.

    Raises:
        UsageError: a lab named is not known, or at another site; or there is no such site.
    """
    if site:
        sites.site(site)
    journal = Journal()
    try:
        records = [session.pick(journal, name, kept=True, site=site) for name in names] if names else journal.labs()
        records = [record for record in records if site in (None, record.site)]
    finally:
        journal.close()
    if not records:
        return []
    with ThreadPoolExecutor(min(8, len(records)), thread_name_prefix="status") as pool:
        return list(pool.map(lambda record: _status(record, check), records))


_ORDER = ("lease", "server", "volume", "bucket")


def _status(record: LabRecord, check: bool) -> LabStatus:
    found = LabStatus(record.name, record.site, record.phase)
    try:
        return _read(found, record, check)
    except ChiopsError as error:
        return replace(found, problem=error.sentence())
    except Exception as error:  # one odd answer never hides the other labs
        log.exception("the lab %s could not be shown", record.name)
        return replace(found, problem=f"{reason(error)}. This is a mistake in chiops; details are in {logs.path()}.")


def _read(found: LabStatus, record: LabRecord, check: bool) -> LabStatus:
    spec: LabSpec | None = None
    try:
        spec = load(record.source, record.settings).spec
    except ChiopsError as error:
        found = replace(found, note=error.sentence())
    with closing(Journal()) as journal:
        needs = needs_objects(record.name, spec, journal)
    with Places(record.site, record.name, tolerant=True, objects=needs) as places:
        return _look(found, spec, places, check)


def _look(found: LabStatus, spec: LabSpec | None, places: Places, check: bool) -> LabStatus:
    benches = places.observe(keys.public_key(), tolerant=True)
    bench, mark = benches[places.compute.site], benches[places.compute.site].mark
    leases = [lease for lease in bench.seen.leases if lease.mark == mark]
    running = [lease for lease in leases if lease.state in (State.READY, State.PENDING)]
    now = datetime.now(UTC)
    user = places.compute_facts.ssh_user
    plan = judge(spec, places, benches) if spec and found.phase == "up" else None
    missing = unread(benches)
    if not places.needs_objects:  # whether it can be read is no news of a lab without buckets
        missing = {part: error for part, error in missing.items() if part not in OBJECT_PARTS}
    silent = unjudged(missing)
    return replace(
        found,
        headline=_headline(found.phase, spec, bench),
        # Of a lab that is down nothing is left to ask: its nodes are gone, and so is its key.
        parts=tuple(_parts(spec, benches, places, check and found.phase == "up")),
        endings=tuple(ending(lease, bench.seen, spec, user, now) for lease in running),
        units=units(leases, bench.seen.flavors, now),
        drift=tuple(one for one in plan.drift() if one.kind not in silent) if plan else (),
        strays=tuple(one for one in plan.strays if one.kind not in silent) if plan else (),
        unread={part: reason(error) for part, error in missing.items()},
    )


def _headline(phase: str, spec: LabSpec | None, bench: Workbench) -> str:
    """What of a lab is up, by what its site shows now."""
    if phase != "up":
        return "down, but for what was kept"
    leases = [lease.state for lease in bench.seen.leases if lease.mark == bench.mark]
    if State.ENDED in leases and not {State.READY, State.PENDING} & set(leases):
        return "its lease has ended"
    if "servers" in bench.seen.unread:
        return "up, as far as can be seen"
    if (spec is None or spec.servers) and not any(server.mark == bench.mark for server in bench.seen.servers):
        return "none of its servers is there"
    return "up"


def _parts(spec: LabSpec | None, benches: Mapping[str, Workbench], places: Places, check: bool) -> list[Part]:
    compute, objects = benches[places.compute.site], benches[places.objects.site]
    mark = compute.mark
    servers = [server for server in compute.seen.servers if server.mark == mark]
    nodes = {node.server_id: node for node in session.nodes(places.lab, servers, places.compute_facts.ssh_user)}
    buckets = [bucket for bucket in objects.seen.buckets if bucket.mark == objects.mark]
    asked: dict[str, Callable[[], Health]] = {}
    if check and spec:
        for server in servers:
            if server.state is State.READY:
                asked[server.id] = partial(health.of_node, spec, nodes[server.id])
    if check and "credentials" not in objects.seen.unread:
        for bucket in [one for one in buckets if not one.fault]:
            credentials, endpoint = objects.seen.credentials, places.objects.objects.endpoint
            asked[bucket.name] = partial(health.of_bucket, bucket.name, endpoint, credentials, objects.mark)
    answers = health.ask_all(asked)
    parts = [_lease(lease) for lease in compute.seen.leases if lease.mark == mark]
    parts += [_server(server, nodes[server.id], answers.get(server.id)) for server in servers]
    parts += [_volume(volume, compute.seen) for volume in compute.seen.volumes if volume.mark == mark]
    answers |= {bucket.name: Health(False, bucket.fault) for bucket in buckets if check and bucket.fault}
    with ThreadPoolExecutor(8, thread_name_prefix="buckets") as pool:
        parts += pool.map(lambda bucket: _bucket(bucket, places, answers.get(bucket.name)), buckets)
    # Clouds list in any order; a screen that is looked at again and again should not shuffle.
    return sorted(parts, key=lambda part: (_ORDER.index(part.kind), part.name))


def _lease(lease: Lease) -> Part:
    left = lease.end - datetime.now(UTC)
    local = lease.end.astimezone().strftime("%H:%M %Z")
    extra: dict[str, object] = {"end": lease.end, "seconds_left": max(0, int(left.total_seconds()))}
    detail = (
        f"ends in {format_duration(left)}, at {local}" if lease.state in (State.READY, State.PENDING) else lease.fault
    )
    return Part("lease", lease.name, lease.status, detail, _state(lease.state), extra)


def _server(server: Server, node: Node, told: Health | None) -> Part:
    extra: dict[str, object] = {
        "address": node.address,
        "fixed_address": server.fixed_address,
        "flavor": server.flavor,
        "user": node.user,
        "key_file": node.key_file,
        "known_hosts": node.known_hosts,
        "ssh": Ssh(node).command_line(),
    }
    detail = server.fault or f"{node.address} {server.flavor}"
    if told:
        detail += f", {told.detail}"
    return Part("server", server.name, server.status, detail, _health(told) or _state(server.state), extra)


def _volume(volume: Volume, seen: Seen) -> Part:
    servers = {server.id: server.name for server in seen.servers}
    where = ", ".join(f"{at.device} on {servers.get(at.server_id, at.server_id)}" for at in volume.attachments)
    detail = volume.fault or f"{volume.size_gib} GiB {where}".strip()
    return Part("volume", volume.name, volume.status, detail, _state(volume.state), {"size_gib": volume.size_gib})


def _bucket(bucket: Bucket, places: Places, told: Health | None) -> Part:
    if bucket.fault:  # nobody serves it, and it would have to be started to be counted
        return Part("bucket", bucket.name, bucket.status, bucket.fault, _health(told))
    words, extra = [], dict[str, object]()
    try:
        counted = places.objects.objects.get(bucket.name)
        extra = {"objects": counted.objects, "size_bytes": counted.size_bytes}
        if counted.objects is not None:
            words.append(f"{counted.objects:,} objects, {format_bytes(counted.size_bytes)}")
    except ChiopsError as error:
        told = told or Health(False, error.what)
    if told and not told.ok:
        words.append(told.detail)
    return Part("bucket", bucket.name, bucket.status or "ready", ", ".join(words), _health(told), extra)


def _health(told: Health | None) -> str:
    return UNKNOWN if told is None else OK if told.ok else FAILED


def _state(state: State) -> str:
    """What the cloud's word alone says: only that it is not well."""
    return FAILED if state in (State.FAILED, State.ENDED, State.DELETING) else UNKNOWN
