"""What `chiops doctor` asks of an OpenStack site. Each check answers in its own words and never fails the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from chiops.cloud.base import Check, Quota
from chiops.cloud.openstack.site import Site
from chiops.errors import ChiopsError, NotFound

NEEDED_ROLES = frozenset({"member", "reader"})
"""Blazar's and Keystone's reads ask for the reader's role where a member's does not imply it."""
CLOCK_S = 60
"""S3 signatures go stale when clocks differ by more than 15 minutes, leases begin at the wrong minute long before."""
SERVICES = {
    "compute": "Nova",
    "image": "Glance",
    "network": "Neutron",
    "block-storage": "Cinder",
    "reservation": "Blazar",
    "object-store": "the object store",
}


def check(site: Site) -> Sequence[Check]:
    """All findings; the slow ones at the same time."""
    try:
        me = site.me
    except ChiopsError as error:
        return [Check("sign-in", "failed", error.what + (f": {error.why}" if error.why else ""), error.todo)]
    found = [Check("sign-in", "ok", f"{me.user_name} in the project {me.project_name} at {site.facts.name}")]
    asks: list[Callable[[], Sequence[Check]]] = [
        lambda: _roles(site),
        lambda: _credential(site),
        lambda: _clock(site),
        *((lambda kind=kind, name=name: [_service(site, kind, name)]) for kind, name in SERVICES.items()),
        lambda: _pool(site),
        lambda: [_quota(one) for one in _compute_quota(site)],
        lambda: [_quota(one) for one in _volume_quota(site)],
        lambda: [_quota(one) for one in _address_quota(site)],
    ]
    with ThreadPoolExecutor(len(asks), thread_name_prefix="doctor") as pool:
        for answer in pool.map(_tolerant, asks):
            found += answer
    return found


def _tolerant(ask: Callable[[], Sequence[Check]]) -> Sequence[Check]:
    try:
        return ask()
    except ChiopsError as error:
        return [Check(error.what, "warning", error.why, error.todo or "ask the site's help desk if it stays")]


def _roles(site: Site) -> Sequence[Check]:
    auth: Any = site.conn.session.auth
    roles = {name.lower() for name in auth.get_access(site.conn.session).role_names}
    missing = NEEDED_ROLES - roles
    if not missing or "admin" in roles:
        return [Check("roles", "ok", ", ".join(sorted(roles)))]
    todo = "ask the project's lead for the role, and make application credentials anew with all roles ticked"
    return [Check("roles", "warning", f"{', '.join(sorted(missing))} is missing, some lists may be refused", todo)]


def _credential(site: Site) -> Sequence[Check]:
    if not site.application_credential:
        kind = str(site.conn.config.config.get("auth_type") or "")
        return [Check("credential", "ok", kind or "Chameleon's Jupyter")]
    with site.doing("reading the application credential"):
        auth: Any = site.conn.session.auth
        keystone: Any = site.keystone
        access = auth.get_access(site.conn.session)
        credential_id = access.application_credential_id
        found = keystone.get_application_credential(site.me.user_id, credential_id)
    if found.unrestricted:
        return [
            Check(
                "credential",
                "ok",
                "unrestricted application credential; a site may still keep it from making EC2 credentials",
            )
        ]
    return [
        Check(
            "credential",
            "warning",
            "restricted application credential: leases and EC2 credentials will be refused to it",
            f"make one with 'unrestricted' ticked at {site.facts.web or 'the dashboard'}",
        )
    ]


def _clock(site: Site) -> Sequence[Check]:
    with site.doing("asking for the time"):
        auth: Any = site.conn.session.auth
        answer: Any = site.conn.session.get(auth.auth_url, authenticated=False)
    date = answer.headers.get("Date")
    if not date:
        return []
    off = (datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds()
    if abs(off) < CLOCK_S:
        return [Check("clock", "ok", "agrees with the site's")]
    way = "ahead of" if off > 0 else "behind"
    return [
        Check("clock", "failed", f"this machine is {abs(off):.0f} s {way} the site", "set this machine's clock (NTP)")
    ]


def _service(site: Site, kind: str, name: str) -> Check:
    needed = kind != "reservation" or site.facts.needs_lease
    try:
        with site.doing(f"asking {name}"):
            adapter = site.adapter(kind)
            url = adapter.get_endpoint()
            if not url:
                raise NotFound(f"{name} is not in the catalogue of {site.region or site.facts.name}")
            adapter.get("", raise_exc=False)  # any answer will do, a refusal too
    except ChiopsError as error:
        todo = (
            "set `needs_lease: false` for the site in sites.yaml if it takes servers without"
            if kind == "reservation"
            else ""
        )
        if kind == "object-store":
            needed, todo = not site.facts.object_site, "name another site's as `object_site` in sites.yaml"
        if isinstance(error, NotFound) and not needed:
            return Check(name, "ok", f"not at {site.facts.name}, and not needed")
        return Check(
            name, "failed" if needed else "warning", error.what, todo or "try again later, or ask the help desk"
        )
    return Check(name, "ok", str(url))


def quotas(site: Site) -> Sequence[Quota]:
    """What the project uses and may use; a service that does not tell is left out."""
    asks = (_compute_quota, _volume_quota, _address_quota)

    def ask(one: Callable[[Site], Iterator[Quota]]) -> Sequence[Quota]:
        try:
            return list(one(site))
        except ChiopsError:
            return ()

    with ThreadPoolExecutor(len(asks), thread_name_prefix="quota") as pool:
        return [quota for found in pool.map(ask, asks) for quota in found]


def _compute_quota(site: Site) -> Iterator[Quota]:
    with site.doing("reading Nova's limits"):
        limits = site.conn.compute.get_limits().absolute
    yield _limited("servers", limits.instances_used, limits.instances)
    yield _limited("cores", limits.total_cores_used, limits.total_cores)
    yield _limited("ram_mib", limits.total_ram_used, limits.total_ram)


def _volume_quota(site: Site) -> Iterator[Quota]:
    with site.doing("reading Cinder's limits"):
        limits = site.conn.block_storage.get_limits().absolute
    yield _limited("volumes", limits.total_volumes_used, limits.max_total_volumes)
    yield _limited("volume_gib", limits.total_gigabytes_used, limits.max_total_volume_gigabytes)


def _address_quota(site: Site) -> Iterator[Quota]:
    with site.doing("reading Neutron's quota"):
        quota: Any = site.conn.network.get_quota(site.me.project_id, details=True)
    for name, detail in (("floating_ips", quota.floating_ips), ("security_groups", quota.security_groups)):
        yield _limited(name, detail["used"], detail["limit"])


def _limited(name: str, used: int | None, limit: int | None) -> Quota:
    return Quota(name, used or 0, None if used is None or limit is None or limit < 0 else limit)


def _pool(site: Site) -> Sequence[Check]:
    """Where floating IPs come from."""
    with site.doing("looking for the network of floating IPs"):
        site.external_network_id()
    return [Check("address pool", "ok", site.facts.external_network or "the one external network there is")]


def _quota(quota: Quota) -> Check:
    name = f"quota of {quota.name.replace('_', ' ')}"
    if quota.limit is None:
        return Check(name, "ok", f"{quota.used} used, no limit")
    if quota.used < quota.limit:
        return Check(name, "ok", f"{quota.used} of {quota.limit} used")
    return Check(
        name, "warning", f"all {quota.limit} are used", "delete what is not needed, or ask the project's lead for more"
    )
