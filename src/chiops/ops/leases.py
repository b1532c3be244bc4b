"""Leases one at a time: booked, extended, waited for, ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chiops import progress
from chiops.cloud.base import FloatingIp, Lease, Reservation, ReservationRequest, Server, State
from chiops.errors import CloudError, Conflict, UsageError
from chiops.names import format_duration
from chiops.ops import hosts, moments, resolve, shell
from chiops.ops.desk import Confirm, Desk
from chiops.resources import waiting
from chiops.resources.lease import GONE_TIMEOUT_S, READY_TIMEOUT_S, LeaseKind, require_ours, servers_on
from chiops.resources.lease_policy import check_extension, check_length, requests_of, service_units

NOUN = "lease"
LIVE = (State.READY, State.PENDING)
ROUNDING = timedelta(minutes=1)
"""Sites count in whole minutes."""


@dataclass(frozen=True)
class Booked:
    """A lease, whether it is ``new``, and its price in service units where that is known."""

    lease: Lease
    new: bool
    service_units: float | None = None


def find(desk: Desk, leases: Iterable[Lease], word: str) -> Lease:
    """The lease of that name or id; one that runs beats ended ones of its name."""
    return resolve.one(
        leases,
        word,
        NOUN,
        desk.site,
        prefer=lambda lease: lease.state in LIVE,
        describe=lambda lease: f"{lease.status}, ends {moments.utc(lease.end)}",
    )


def create(
    desk: Desk,
    name: str,
    wanted: Sequence[ReservationRequest],
    *,
    end: datetime,
    start: datetime | None = None,
    wait: bool = True,
) -> Booked:
    """Book, and wait until it is active unless it starts later. One of ours that books the same is taken as it is.

    Raises:
        Policy: longer than the site allows.
        Conflict: the name stands for another lease.
        NotFound: no such flavor or type of hosts.
    """
    seen = desk.look("leases", "flavors")
    now = datetime.now(UTC)
    flavors = [resolve.one(seen.flavors, item.flavor, "flavor", desk.site) for item in wanted if item.flavor]
    length = round((end - (start or now)) / ROUNDING) * ROUNDING
    check_length(desk.facts, [flavor.name for flavor in flavors], length)
    price = service_units(wanted, seen.flavors, length)
    names = {item.id: item.name for item in flavors}
    found = desk.namesake(seen.leases, NOUN, name, lambda lease: _differs(desk, lease, wanted, names))
    if found:
        return Booked(_ready(desk, found) if wait and found.start <= now else found, new=False)
    with desk.change("create", NOUN, name) as (_, entry), hosts.explained(desk, wanted):
        lease = desk.cloud.leases.create(name, end=end, start=start, reservations=wanted, mark=desk.mark)
        entry.resource = lease.id
        if wait and (start is None or start <= now):
            lease = _ready(desk, lease)
    return Booked(lease, new=True, service_units=price)


def _differs(desk: Desk, lease: Lease, wanted: Sequence[ReservationRequest], flavor_names: dict[str, str]) -> str:
    if elsewhere := desk.in_another_lab(lease):
        return elsewhere
    asked = {(it.kind, flavor_names.get(it.flavor, it.flavor)): it for it in wanted}
    booked = {(it.kind, it.flavor_name): it for it in lease.reservations}
    same = (
        len(wanted) == len(lease.reservations)
        and asked.keys() == booked.keys()
        and all(
            it.amount == booked[key].amount and hosts.same(it.resource_properties, booked[key].resource_properties)
            for key, it in asked.items()
        )
    )
    return "" if same else f"and books {reserves(lease)}"


def reserves(lease: Lease) -> str:
    """What it holds, for people: ``1 × m1.large, 2 × floating IP``."""
    return ", ".join(f"{item.amount} × {_thing(item)}" for item in lease.reservations) or "nothing"


def _thing(item: Reservation) -> str:
    if item.kind == "physical:host":
        return hosts.described(item.resource_properties)
    return item.flavor_name or {"virtual:floatingip": "floating IP"}.get(item.kind, item.kind)


def _ready(desk: Desk, lease: Lease) -> Lease:
    return waiting.until_ready(desk.cloud.leases.get, lease, noun=NOUN, timeout_s=READY_TIMEOUT_S)


def wait(desk: Desk, word: str, timeout_s: float) -> Lease:
    """Wait until a lease is active.

    Raises:
        ResourceFailed: it failed; with its fault.
        Conflict: it is over.
        Timeout: not within ``timeout_s`` seconds.
    """
    lease = find(desk, desk.cloud.leases.list(), word)
    if lease.state not in (*LIVE, State.FAILED):
        raise Conflict(f"the lease {lease.name} is {lease.status}", todo="make a new one with `chiops lease create`")
    with progress.task(f"wait for lease {lease.name}"):
        return waiting.until_ready(desk.cloud.leases.get, lease, noun=NOUN, timeout_s=timeout_s)


def extend(
    desk: Desk, word: str, confirm: Confirm, *, by: timedelta | None = None, end: datetime | None = None
) -> Lease:
    """Move the end of a lease of ours, having asked; only the end is sent, and what came of it is read anew.

    Raises:
        Policy: the site's rules forbid it.
        Conflict: its end was moved by somebody else meanwhile.
        ResourceFailed: the extension broke the lease; with its fault.
        NotOurs: it is not ours.
    """
    seen, now = desk.look("leases", "flavors"), datetime.now(UTC)
    lease = desk.own(find(desk, seen.leases, word), NOUN, word)
    until = end or _later(lease, by or timedelta())
    check_extension(desk.facts, lease, until, now)
    price = service_units(requests_of(lease), seen.flavors, until - lease.end)
    cost = f" It costs {price:.2f} service units more." if price is not None else ""
    confirm(f"Extend {lease.name} by {format_duration(until - lease.end)}, to {moments.local(until)}?{cost}")
    lease = _unmoved(desk, lease, until)
    with desk.change("extend", NOUN, lease.name, lease.mark) as (_, entry):
        entry.resource = lease.id
        desk.cloud.leases.extend(lease.id, until)
        # A look that fails is no reason to fail: who extends by 2 h once more would get four
        moved = waiting.until(
            lambda: desk.cloud.leases.get(lease.id), what=f"reading {NOUN} {lease.name}", timeout_s=READY_TIMEOUT_S
        )
        states = (State.READY, State.PENDING) if lease.state is State.PENDING else ()
        moved = waiting.until_ready(desk.cloud.leases.get, moved, noun=NOUN, timeout_s=READY_TIMEOUT_S, states=states)
        if moved.end + ROUNDING < until:
            raise CloudError(f"{desk.site} moved the end of {lease.name} only to {moments.local(moved.end)}")
    return moved


def _unmoved(desk: Desk, asked: Lease, until: datetime) -> Lease:
    """The lease as it is now. An end that was moved meanwhile could be later than ours, and servers would go too early."""
    now = datetime.now(UTC)
    changing = asked.state is State.PENDING and asked.start <= now
    # One that is just being changed would be broken by a second change
    lease = _ready(desk, asked) if changing else desk.cloud.leases.get(asked.id)
    if lease.end != asked.end:
        raise Conflict(
            f"the end of {lease.name} moved meanwhile to {moments.local(lease.end)}",
            todo="run it again if it is still to be later",
        )
    check_extension(desk.facts, lease, until, datetime.now(UTC))
    return lease


def _later(lease: Lease, by: timedelta) -> datetime:
    try:
        return lease.end + by
    except OverflowError:
        raise UsageError("that is longer than any lease", todo="ask for less") from None


@dataclass(frozen=True)
class Ended:
    """What went with a lease, and what stays although nothing uses it now."""

    lease: Lease
    servers: tuple[Server, ...]
    addresses: tuple[str, ...]


def delete(desk: Desk, word: str, confirm: Confirm) -> Ended:
    """End a lease of ours, and with it every server on it; returns once they are gone.

    Raises:
        NotOurs: it is not ours, or somebody else's server is on it.
    """
    seen = desk.look("leases", "servers", "floating_ips", "volumes")
    lease = desk.own(find(desk, seen.leases, word), NOUN, word)
    doomed = servers_on(lease, seen.servers)
    require_ours(lease, doomed, desk.mark)
    ids = {server.id for server in doomed}
    volumes = [volume.name for volume in seen.volumes if any(at.server_id in ids for at in volume.attachments)]
    confirm(_question(lease, doomed, volumes))
    with desk.change("delete", NOUN, lease.name, lease.mark) as (task, entry):
        entry.resource = lease.id
        LeaseKind().take(lease, desk.bench(seen))
        for server in doomed:
            task.note(f"server {server.name} goes")
            waiting.until_gone(
                desk.cloud.compute.get, server.id, what=f"server {server.name}", timeout_s=GONE_TIMEOUT_S
            )
            shell.forget(desk, server)
    along = addresses_of(lease, seen.floating_ips)
    addresses = tuple(ip.address for ip in seen.floating_ips if ip.server_id in ids and ip not in along)
    return Ended(lease, tuple(doomed), addresses)


def addresses_of(lease: Lease, addresses: Iterable[FloatingIp]) -> list[FloatingIp]:
    """The addresses that it booked, which go with it."""
    booked = {item.id for item in lease.reservations}
    return [one for one in addresses if one.reservation_id in booked]


def _question(lease: Lease, doomed: Sequence[Server], volumes: Sequence[str]) -> str:
    parts = [f"Delete the lease {lease.name}"]
    if doomed:
        parts.append(f" and with it the server{'s' * (len(doomed) > 1)} {', '.join(one.name for one in doomed)}")
    if volumes:
        parts.append(f", to which {', '.join(volumes)} {'is' if len(volumes) == 1 else 'are'} still attached")
    return "".join(parts) + "?"
