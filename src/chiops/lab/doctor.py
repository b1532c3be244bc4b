"""`chiops doctor`: this machine, the site, and labs: those that are up, or one before it is brought up."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from chiops import assets, paths
from chiops.cloud import sites
from chiops.cloud.base import Check, State
from chiops.errors import ChiopsError, UsageError
from chiops.lab import health, keys, node_checks, quota, where
from chiops.lab.journal import Journal
from chiops.lab.loader import Lab, load
from chiops.lab.objects import needs_objects
from chiops.lab.parameters import Value
from chiops.lab.places import Places
from chiops.lab.plan import Plan, judge
from chiops.lab.session import nodes
from chiops.lab.up import resolve
from chiops.names import format_bytes
from chiops.resources.kind import Workbench

LOW_DISK_BYTES = 10 << 30
"""Below this, a base image, a benchmark image and a dataset may not fit."""


def diagnose(site: str | None, lab: str | None = None, settings: Mapping[str, Value] | None = None) -> list[Check]:
    """All findings; never an exception for one of them.

    Args:
        site: which one; None for the lab's, or what `where.meant` says.
        lab: a built-in lab, a lab file or one that is up; without it all that are up are looked at.
        settings: values for its parameters.

    Raises:
        UsageError: there is no such lab.
    """
    checks = [_program("ssh", "openssh-client"), _program("ssh-keygen", "openssh-client"), _disk(), _assets(), _key()]
    asked, broken = _labs(site, lab, settings or {})
    name = asked[0][1] if lab else site or _site()
    checks += [*diagnose_site(name), *broken]
    for one, place in asked:
        checks += _lab(one, place)
    return checks


def diagnose_site(name: str) -> list[Check]:
    """What a site says of itself and of who signs in there; that it can't be reached is a finding, too.

    Raises:
        UsageError: no site has that name.
    """
    sites.site(name)
    try:
        with sites.connect(name) as cloud:
            return list(cloud.check())
    except ChiopsError as error:
        return [Check(f"site {name}", "failed", error.what, error.todo or error.why)]


def _labs(
    site: str | None, name: str | None, settings: Mapping[str, Value]
) -> tuple[list[tuple[Lab, str]], list[Check]]:
    """The labs to look at with their sites, and what keeps others from being looked at."""
    try:
        journal = Journal()
    except ChiopsError as error:
        if name:
            raise
        return [], [Check("journal", "failed", error.what, error.todo)]
    with closing(journal):
        if name:
            return [resolve(name, settings, site, journal)], []
        found: list[tuple[Lab, str]] = []
        broken: list[Check] = []
        for record in journal.labs():
            if record.phase == "up":
                try:
                    found.append((load(record.source, record.settings), record.site))
                except ChiopsError as error:
                    broken.append(Check(f"lab {record.name}", "failed", error.what, error.todo))
        return found, broken


def _site() -> str:
    try:
        return where.meant(None)
    except UsageError:
        raise
    except ChiopsError:  # the state file, which is a finding
        return sites.DEFAULT_SITE


def _program(name: str, package: str) -> Check:
    found = shutil.which(name)
    return Check(name, "ok", found) if found else Check(name, "failed", "not installed", f"install {package}")


def _disk() -> Check:
    free = shutil.disk_usage(paths.state_dir()).free
    detail = f"{format_bytes(free)} free at {paths.state_dir()}"
    return Check("disk", "ok", detail) if free > LOW_DISK_BYTES else Check("disk", "warning", detail, "make room")


def _assets() -> Check:
    there = (assets.playbooks() / "configure.yml").is_file()
    if there:
        return Check("playbooks", "ok", str(assets.playbooks()))
    return Check("playbooks", "failed", "missing from the installation", "install chiops again")


def _key() -> Check:
    path = keys.key_path()
    if not path.exists():
        return Check("key", "ok", "made when it is first needed")
    if path.stat().st_mode & 0o077:
        return Check("key", "failed", f"{path} can be read by others, so ssh refuses it", f"chmod 600 {path}")
    return Check("key", "ok", str(path))


def _lab(lab: Lab, place: str) -> list[Check]:
    try:
        with closing(Journal()) as journal:
            needs = needs_objects(lab.name, lab.spec, journal)
        with Places(place, lab.name, objects=needs) as places:
            benches = places.observe(keys.public_key() if keys.key_path().exists() else "")
            bench = benches[places.compute.site]
            plan = judge(lab.spec, places, benches)
            checks = [Check(f"{lab.name}: {key.name}", "failed", it.what, it.todo) for key, it in plan.problems.items()]
            wanted = quota.needs(plan, bench.seen.flavors)
            checks += quota.check(lab.name, wanted, places.compute.quotas(), whole=not plan.problems)
            if any(server.mark == bench.mark for server in bench.seen.servers):
                checks += _drift(lab, plan)
                checks += _nodes(lab, bench)
                checks += _buckets(lab, benches[places.objects.site])
        return checks
    except ChiopsError as error:
        return [Check(f"lab {lab.name}", "failed", error.what, error.todo or f"run `chiops up {lab.name}`")]


def _drift(lab: Lab, plan: Plan) -> list[Check]:
    """What is not as the file says, and what is there that it does not name."""
    by_itself, told = f"run `chiops up {lab.name}`", f"see what `chiops plan {lab.name}` says of it"
    found = [(str(one), by_itself if one.mend else told) for one in plan.drift()]
    found += [(one.told, f"`{one.command}` removes it") for one in plan.strays]
    if not found:
        return [Check(f"{lab.name}: file", "ok", "all is as it says")]
    return [Check(f"{lab.name}: file", "warning", what, todo) for what, todo in found]


def _nodes(lab: Lab, bench: Workbench) -> list[Check]:
    wanted = [server.name for server in lab.spec.servers]
    there = {server.name: server for server in bench.seen.servers if server.mark == bench.mark}
    live = [there[name] for name in wanted if name in there and there[name].state is State.READY]
    if not live:
        return [Check(f"{lab.name}: nodes", "failed", "none of them runs", f"run `chiops up {lab.name}`")]
    found = nodes(lab.name, live, bench.facts.ssh_user)
    with ThreadPoolExecutor(min(16, len(found)), thread_name_prefix="doctor") as pool:
        return [one for checks in pool.map(lambda node: node_checks.check(lab.spec, node), found) for one in checks]


def _buckets(lab: Lab, bench: Workbench) -> list[Check]:
    checks = []
    for bucket in bench.seen.buckets:
        if bucket.mark == bench.mark:
            told = health.of_bucket(bucket.name, bench.cloud.objects.endpoint, bench.seen.credentials, bench.mark)
            name, todo = f"{lab.name}: bucket {bucket.name}", f"run `chiops up {lab.name}`"
            checks.append(Check(name, "ok", told.detail) if told.ok else Check(name, "failed", told.detail, todo))
    return checks
