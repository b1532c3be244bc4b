"""`chiops down`: everything that carries the lab's mark goes, in order, and is verified gone; data only by flag."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from chiops import progress
from chiops.cloud.base import Attachment, Bucket, Volume
from chiops.errors import ChiopsError, NotFound
from chiops.lab import keys
from chiops.lab.apply import in_order, raise_first
from chiops.lab.journal import Journal, LabRecord
from chiops.lab.lock import lab_lock
from chiops.lab.places import ALL_PARTS, CATALOGUE, Places
from chiops.lab.release import Release, release
from chiops.lab.volumes import is_root_disk
from chiops.lab.wanted import KINDS, Key
from chiops.names import format_bytes
from chiops.ops.buckets import purge_bucket
from chiops.resources.kind import Workbench

DATA = ("volume", "bucket")


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
class Teardown:
    """What `down` means to do."""

    lab: str
    go: tuple[Doomed, ...]
    stay: tuple[Doomed, ...]
    benches: Mapping[str, Workbench]


Confirm = Callable[[Teardown], None]
"""Shows what goes and what stays, and asks; raises `Declined` if the person says no."""


@dataclass(frozen=True)
class Outcome:
    """What went and what stays."""

    lab: str
    gone: tuple[Doomed, ...]
    stayed: tuple[Doomed, ...]


def down(
    record: LabRecord,
    confirm: Confirm,
    release_held: Release,
    *,
    purge_bucket: bool = False,
    purge_volume: bool = False,
) -> Outcome:
    """Take a lab down. Safe to run again after any end; what is gone already is no error.

    Args:
        record: which lab, and where.
        confirm: shown what goes and what stays, before anything is touched.
        release_held: shown what uses the lab's volumes on its nodes, before that is ended.
        purge_bucket: whether its buckets go too, with all their objects.
        purge_volume: whether its volumes go too.

    Raises:
        ChiopsError: the first failure; what did not depend on it is gone all the same, and `down` again goes on from there.
    """
    journal = Journal()
    with lab_lock(record.name), Places(record.site, record.name) as places:
        with progress.task("look at what is there"):
            teardown = survey(places, {"bucket": purge_bucket, "volume": purge_volume})
        if teardown.go:
            confirm(teardown)
        attached = [doomed.found for doomed in teardown.go if isinstance(doomed.found, Attachment)]
        held = release(attached, teardown.benches[places.compute.site], release_held)
        _take_all(teardown, held, journal)
        with progress.task("verify that it is gone"):
            _verify(survey(places, {"bucket": purge_bucket, "volume": purge_volume}))
        keys.forget_hosts(record.name)
        if teardown.stay:
            journal.kept(record.name)
        else:
            journal.forget(record.name)
    return Outcome(record.name, teardown.go, teardown.stay)


def survey(places: Places, purge: Mapping[str, bool]) -> Teardown:
    """All that carries the lab's mark, split into what goes and what stays."""
    benches = places.observe(parts=ALL_PARTS - CATALOGUE)
    go: list[Doomed] = []
    stay: list[Doomed] = []
    for doomed in _marked(benches, places):
        users = _others(doomed, benches[doomed.site])
        if users:
            stay.append(replace(doomed, detail=f"used by {', '.join(users)}"))
        elif doomed.key.kind in DATA and not purge[doomed.key.kind]:
            stay.append(doomed)
        else:
            go.append(doomed)
    if any(doomed.key.kind == "bucket" for doomed in go + stay):
        go, stay = ([_weigh(doomed, places) for doomed in part] for part in (go, stay))
    return Teardown(places.lab, tuple(go), tuple(stay), benches)


def _marked(benches: Mapping[str, Workbench], places: Places) -> Iterator[Doomed]:
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
        if site == places.objects.site:
            listed |= {"bucket": seen.buckets}
            for credential in seen.credentials:
                if credential.mark == mark:
                    yield Doomed(Key("credential", credential.access), credential, site)
        for kind, resources in listed.items():
            for resource in resources:
                if getattr(resource, "mark", None) == mark:
                    detail = f"{resource.size_gib} GiB" if isinstance(resource, Volume) else ""
                    yield Doomed(Key(kind, getattr(resource, "name", "")), resource, site, detail)


def _others(doomed: Doomed, bench: Workbench) -> list[str]:
    """Servers that are not this lab's and use a security group or a volume of it."""
    others = [server for server in bench.seen.servers if server.mark != bench.mark]
    if isinstance(doomed.found, Volume):
        at = {attachment.server_id for attachment in doomed.found.attachments}
        return [server.name for server in others if server.id in at]
    if doomed.key.kind == "security_group":
        return [server.name for server in others if doomed.key.name in server.security_groups]
    return []


def _weigh(doomed: Doomed, places: Places) -> Doomed:
    """A bucket with what is in it, counted now."""
    if not isinstance(doomed.found, Bucket):
        return doomed
    try:
        bucket = places.objects.objects.get(doomed.found.name)
    except NotFound:
        return doomed
    objects = f"{bucket.objects:,} objects" if bucket.objects is not None else "objects not counted"
    return replace(doomed, found=bucket, detail=f"{objects}, {format_bytes(bucket.size_bytes)}")


_AFTER = {
    "server": ("attachment",),
    "floating_ip": ("server",),
    "security_group": ("server",),
    "keypair": ("server",),
    "lease": ("server", "floating_ip"),
    "volume": ("attachment", "server"),
    "credential": ("bucket", "server"),
}
"""What must be gone before a kind goes. A bucket goes first of all: its purge needs the key."""


def _take_all(teardown: Teardown, held: Sequence[Attachment], journal: Journal) -> None:
    # A volume that its node still holds is not pulled out from under it: it comes free when the server has gone.
    go = [doomed for doomed in teardown.go if doomed.found not in held]
    by_key = {Key(doomed.key.kind, f"{index} {doomed.key.name}"): doomed for index, doomed in enumerate(go)}
    needs = {key: [other for other in by_key if other.kind in _AFTER.get(key.kind, ())] for key in by_key}
    work = {key: (lambda doomed=doomed: _take(teardown, doomed, journal)) for key, doomed in by_key.items()}
    raise_first(in_order(work, needs))


def _take(teardown: Teardown, doomed: Doomed, journal: Journal) -> None:
    bench, kind = teardown.benches[doomed.site], KINDS[doomed.key.kind]
    with (
        progress.task(f"delete {kind.noun} {doomed.key.name}") as task,
        journal.entry(
            lab=teardown.lab, site=doomed.site, op="delete", kind=doomed.key.kind, name=doomed.key.name
        ) as entry,
    ):
        entry.resource = str(getattr(doomed.found, "id", ""))
        if isinstance(doomed.found, Bucket):
            purge_bucket(bench.cloud, doomed.found, task)
        kind.take(doomed.found, bench)


def _verify(left: Teardown) -> None:
    if left.go:
        names = ", ".join(f"{KINDS[doomed.key.kind].noun} {doomed.key.name}" for doomed in left.go)
        raise ChiopsError(f"still there after `down`: {names}", todo=f"run `chiops down {left.lab}` again")
