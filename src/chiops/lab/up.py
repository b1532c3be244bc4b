"""`chiops up` and `chiops plan`: observe, plan, ask, apply, configure, verify."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from chiops import progress
from chiops.cloud.base import Attachment, Ec2Credential, FloatingIp, Node, S3Access, Server, Volume
from chiops.errors import UsageError
from chiops.lab import keys, where
from chiops.lab.apply import apply
from chiops.lab.configure import configure
from chiops.lab.journal import Journal, LabRecord
from chiops.lab.loader import Lab
from chiops.lab.lock import interruptible, lab_lock
from chiops.lab.objects import needs_objects
from chiops.lab.parameters import Value
from chiops.lab.places import Places
from chiops.lab.plan import Drift, Plan, Step, make_plan
from chiops.lab.records import meant, portable
from chiops.lab.release import Release, release
from chiops.lab.session import nodes
from chiops.lab.strays import Stray
from chiops.lab.wanted import CREDENTIAL
from chiops.resources.booting import is_root_disk
from chiops.resources.kind import Op

Confirm = Callable[[Plan], None]
"""Shows the plan and asks; raises `Declined` if the person says no."""


@dataclass(frozen=True)
class Outcome:
    """What `up` did: how many resources and configuration tasks changed, the nodes that now run, and what it left alone."""

    lab: Lab
    site: str
    changed: int
    configured: int
    nodes: tuple[Node, ...]
    strays: tuple[Stray, ...]
    drift: tuple[Drift, ...] = ()


def resolve(name: str, settings: Mapping[str, Value], site: str | None, journal: Journal) -> tuple[Lab, str]:
    """The lab and its site; a lab that is up keeps the settings and the site that it was brought up with.

    Raises:
        UsageError: no such lab or site; or it is not clear which lab; or the lab is up at another site.
    """
    records = journal.labs()
    lab, record = meant(name, settings, records)
    record = record or next((record for record in records if record.name == lab.name), None)
    if record:
        _same_place(record, lab, site)
    return lab, site or (where.for_known(record) if record else where.for_new(lab.spec.site))


def _same_place(record: LabRecord, lab: Lab, site: str | None) -> None:
    if site and site != record.site:
        raise UsageError(
            f"the lab {lab.name} is up at {record.site}",
            todo=f"run `chiops down {lab.name}` before you bring it up at {site}",
        )
    if record.source != portable(lab.source):
        raise UsageError(
            f"a lab named {lab.name} is up from another file, {record.source}",
            todo="take it down first, or change `name:` in this one",
        )


def plan(name: str, settings: Mapping[str, Value], site: str | None, replace_: Collection[str] = ()) -> Plan:
    """What `up` would do now. Changes nothing."""
    journal = Journal()
    lab, place = resolve(name, settings, site, journal)
    needs = needs_objects(lab.name, lab.spec, journal)
    with Places(place, lab.name, objects=needs) as places, progress.task("look at what is there"):
        return make_plan(lab.spec, places, keys.public_key(), replace_)


def up(
    name: str,
    settings: Mapping[str, Value],
    site: str | None,
    confirm: Confirm,
    release_held: Release,
    *,
    replace_: Collection[str] = (),
    configured: bool = True,
) -> Outcome:
    """Bring a lab up, or to what its file says now. Safe to run again, at any time, after any end.

    Args:
        name: a built-in lab or a lab file.
        settings: values for its parameters.
        site: where; None for where it is up, where its file says, or the default site.
        confirm: shown the plan before anything is made; not asked when nothing would change.
        release_held: shown what uses the volumes of servers that are replaced, before that is ended.
        replace_: servers and leases that may be replaced although data is lost with them.
        configured: whether the nodes are reached by ssh and configured, or left as they boot.

    Raises:
        Conflict: something that holds data would have to be replaced, and is not in ``replace_``.
        Interrupted: the person pressed Ctrl-C; it names the command that goes on.
        ChiopsError: what went wrong first; everything that was made is journaled and carries the lab's mark.
    """
    journal = Journal()
    lab, place = resolve(name, settings, site, journal)
    options = _words(replace_, configured)
    begun = interruptible(f"`{_command(name, settings, site, options)}` goes on")
    needs = needs_objects(lab.name, lab.spec, journal)
    with begun, lab_lock(lab.name, f"up {name}"), Places(place, lab.name, objects=needs) as places:
        places.prepare()
        with progress.task("look at what is there"):
            planned = make_plan(lab.spec, places, keys.public_key(), replace_)
        planned.require_allowed()
        if planned.changes:
            confirm(planned)
        journal.remember(lab.name, site=place, source=portable(lab.source), settings=lab.values)
        # From here on its name is enough: the journal has its file, its values and its site.
        again = _command(lab.name, {}, None, options)
        with interruptible(f"`{again}` goes on, `chiops down {lab.name}` takes it back"):
            _release(planned, places, release_held)
            changed = apply(planned, journal)
            found = _nodes(lab, planned, places)
            _forget_former(planned, found)
            tasks = _configure(lab, planned, places, found) if configured else 0
    left = tuple(drift for drift in planned.drift() if not drift.mend)
    return Outcome(lab, place, changed, tasks, tuple(found), planned.strays, left)


def _words(replace_: Collection[str], configured: bool) -> list[str]:
    """What of the command line changes what `up` does, whichever way the lab is named."""
    return [word for name in replace_ for word in ("--replace", name)] + ([] if configured else ["--no-configure"])


def _command(lab: str, settings: Mapping[str, Value], site: str | None, options: Sequence[str]) -> str:
    """The command that does the same again, as a shell takes it."""
    values = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    return shlex.join(["chiops", "up", lab, *values, *(["--site", site] if site else []), *options])


def _configure(lab: Lab, planned: Plan, places: Places, found: Sequence[Node]) -> int:
    """Configure the nodes; how many tasks changed something."""
    buckets, volumes = _keys(lab, places, planned), _volumes(lab, planned, places)
    facts = places.compute.node_settings
    swift = places.objects.objects.swift() if buckets else None
    return configure(lab.spec, found, buckets, volumes, facts, swift=swift, source=lab.source)


def _release(planned: Plan, places: Places, ask: Release) -> None:
    """Have servers that are replaced let go of their volumes while they still can."""
    bench = planned.benches[places.compute.site]
    going = {
        step.verdict.found.id
        for step in planned.steps
        if step.verdict.op is Op.REPLACE and isinstance(step.verdict.found, Server)
    }
    attached: list[Attachment] = [
        attachment
        for volume in bench.seen.volumes
        for attachment in volume.attachments
        if attachment.server_id in going and not is_root_disk(attachment)
    ]
    release(attached, bench, ask)


def _forget_former(planned: Plan, found: Collection[Node]) -> None:
    """Drop the host keys of addresses that another server answers at now."""
    from chiops.remote.ssh import Ssh

    new = {step.key.name for step in planned.changes if step.key.kind == "floating_ip" or _is_new(step)}
    for node in found:
        if node.name in new:
            Ssh(node).forget_host_key()


def _is_new(step: Step) -> bool:
    return step.key.kind == "server" and step.verdict.op in (Op.CREATE, Op.REPLACE)


def _nodes(lab: Lab, planned: Plan, places: Places) -> list[Node]:
    bench = planned.benches[places.compute.site]
    servers = []
    for spec in lab.spec.servers:
        server = bench.get("server", spec.name, Server)
        if spec.floating_ip:
            # The server was read before its address was bound.
            address = bench.get("floating_ip", spec.name, FloatingIp).address
            server = replace(server, floating_address=address)
        servers.append(server)
    return nodes(lab.name, servers, places.compute_facts.ssh_user)


def _keys(lab: Lab, places: Places, planned: Plan) -> dict[str, S3Access]:
    """The buckets by name, with the key that the plan has found or made."""
    if not lab.spec.buckets:
        return {}
    key = planned.benches[places.objects.site].get(*CREDENTIAL, Ec2Credential)
    endpoint = places.objects.objects.endpoint()
    return {
        bucket.name: S3Access(bucket=bucket.name, endpoint=endpoint, access=key.access, secret=key.secret)
        for bucket in lab.spec.buckets
    }


def _volumes(lab: Lab, planned: Plan, places: Places) -> dict[str, Volume]:
    bench = planned.benches[places.compute.site]
    return {volume.name: bench.get("volume", volume.name, Volume) for volume in lab.spec.volumes}
