"""What a site allows of leases, checked before it is asked. Pure: facts, times and flavor names in, an error or nothing out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, cast

from chiops.cloud.base import Flavor, Lease, ReservationRequest, SiteFacts, State
from chiops.errors import Policy
from chiops.names import format_duration


def longest(facts: SiteFacts, flavors: Iterable[str]) -> timedelta | None:
    """The longest lease that holds these flavors; None if the site sets no limit."""
    days = [
        next((days for pattern, days in facts.lease_days.items() if fnmatchcase(flavor, pattern)), facts.max_lease_days)
        for flavor in flavors
    ] or [facts.max_lease_days]
    limits = [limit for limit in days if limit]
    return timedelta(days=min(limits)) if limits else None


def check_length(facts: SiteFacts, flavors: Iterable[str], span: timedelta) -> None:
    """Refuse a lease that is longer than the site allows.

    Raises:
        Policy: says what is allowed.
    """
    limit = longest(facts, flavors)
    if limit is not None and span > limit:
        raise Policy(
            f"a lease of {format_duration(span)} is longer than {facts.name} allows",
            why=f"at most {_days(limit)}",
            todo="ask for less",
        )


def check_extension(facts: SiteFacts, lease: Lease, end: datetime, now: datetime) -> None:
    """Refuse an extension that the site would refuse, or that is none.

    Raises:
        Policy: the lease is over or failed, it is too early, or it is too long; says when and how much is possible.
    """
    if lease.state in (State.ENDED, State.DELETING, State.FAILED) or lease.end <= now:
        raise Policy(
            f"the lease {lease.name} is {lease.status or 'over'} and can't be extended",
            why=lease.fault,
            todo="make a new one with `chiops lease create`",
        )
    if end <= lease.end:
        raise Policy(
            f"the lease {lease.name} lasts that long already", why=f"it ends at {lease.end:%Y-%m-%d %H:%M} UTC"
        )
    left, more = lease.end - now, end - lease.end
    if facts.extension_window_hours is not None:
        window = timedelta(hours=facts.extension_window_hours)
        if left > window:
            raise Policy(
                f"{facts.name} extends a lease only in the last {facts.extension_window_hours:g} hours before its end",
                why=f"{lease.name} has {format_duration(left)} left",
                todo=f"ask again after {lease.end - window:%Y-%m-%d %H:%M} UTC",
            )
    if facts.extension_days is not None:
        limit = timedelta(days=facts.extension_days)
        if more > limit:
            raise Policy(
                f"{facts.name} extends a lease by at most {_days(limit)} at a time",
                why=f"that would be {format_duration(more)}",
                todo="ask for less",
            )
    elif facts.extension_window_hours is None:
        # No rule for extensions: the whole lease still has to fit.
        check_length(facts, [item.flavor_name for item in lease.reservations if item.flavor_name], end - lease.start)


def requests_of(lease: Lease) -> list[ReservationRequest]:
    """What a lease books, as it would be asked for again."""
    return [
        ReservationRequest(
            kind=cast("Any", item.kind),
            flavor=item.flavor_name,
            amount=item.amount,
            resource_properties=item.resource_properties,
        )
        for item in lease.reservations
    ]


def service_units(wanted: Sequence[ReservationRequest], flavors: Sequence[Flavor], span: timedelta) -> float | None:
    """What a lease will cost, in service units; None where it has no price, or that of any part is not known."""
    prices = {name: flavor.su_per_hour for flavor in flavors for name in (flavor.id, flavor.name)}
    per_hour = 0.0
    for item in wanted:
        if item.kind == "virtual:floatingip":
            continue
        price = prices.get(item.flavor)
        if price is None:
            return None
        per_hour += price * item.amount
    return per_hour * span.total_seconds() / 3600 or None


def _days(span: timedelta) -> str:
    """Limits are whole days mostly, and read as such: ``7 days``."""
    if span % timedelta(days=1):
        return format_duration(span)
    return "1 day" if span.days == 1 else f"{span.days} days"
