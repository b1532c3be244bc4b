"""What the options of `chiops lease` mean: reservations and times."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from chiops.cloud.base import ReservationRequest
from chiops.errors import UsageError
from chiops.ops.moments import parse_moment, span


def reservations(
    flavors: Sequence[str],
    amount: int,
    node_type: str | None = None,
    resource_properties: str | None = None,
    floating_ips: int = 0,
) -> list[ReservationRequest]:
    """The parts of a lease.

    Raises:
        UsageError: it would book nothing, both flavors and hosts, or properties that are no filter of Blazar's.
    """
    hosts = node_type or resource_properties
    if flavors and hosts:
        raise UsageError("a lease books flavors or hosts, not both", todo="make two leases")
    if not flavors and not hosts and not floating_ips:
        raise UsageError("the lease would book nothing", todo="add --flavor, --node-type or --floating-ips")
    wanted = [ReservationRequest(kind="flavor:instance", flavor=flavor, amount=amount) for flavor in flavors]
    if len({item.flavor for item in wanted}) < len(wanted):
        raise UsageError("a flavor is named twice", todo="say how many with --amount")
    if hosts:
        properties = _properties(node_type, resource_properties)
        wanted.append(ReservationRequest(kind="physical:host", amount=amount, resource_properties=properties))
    if floating_ips:
        wanted.append(ReservationRequest(kind="virtual:floatingip", amount=floating_ips))
    return wanted


def _properties(node_type: str | None, given: str | None) -> str:
    """Blazar's filter: a JSON list in prefix notation."""
    parts: list[object] = [["==", "$node_type", node_type]] if node_type else []
    if given:
        try:
            parsed = json.loads(given)
        except ValueError as error:
            raise UsageError("--resource-properties is no JSON", why=str(error), todo=_EXAMPLE) from None
        if not isinstance(parsed, list):
            raise UsageError("--resource-properties must be a JSON list", todo=_EXAMPLE)
        if not parsed:
            raise UsageError("--resource-properties names no property of hosts", todo=_EXAMPLE)
        parts.append(parsed)
    return json.dumps(parts[0] if len(parts) == 1 else ["and", *parts])


_EXAMPLE = """write for example '["==", "$node_type", "gpu_rtx_6000"]'"""


def times(
    start: str | None, end: str | None, duration: str | None, *, default: str, now: datetime | None = None
) -> tuple[datetime | None, datetime]:
    """Start (None for now) and end of a lease, from what was given.

    Raises:
        UsageError: both end and duration, not a time, or the times are not in order.
    """
    now = now or datetime.now(UTC)
    if end and duration:
        raise UsageError("--end and --duration say the same", todo="leave one out")
    begins = parse_moment(start, now) if start else None
    if begins and begins < now:
        raise UsageError(f"{start} has passed", todo="leave --start out to begin now")
    ends = parse_moment(end, now) if end else _later(begins or now, span(duration or default))
    if ends <= (begins or now):
        raise UsageError("the lease would end before it begins", todo="give a later end")
    return begins, ends


def extension(by: str | None, end: str | None, now: datetime | None = None) -> tuple[timedelta | None, datetime | None]:
    """By how much, or until when; exactly one of the two.

    Raises:
        UsageError: neither or both, or not a time.
    """
    if by and end:
        raise UsageError("--by and --end exclude each other", todo="leave one out")
    if not by and not end:
        raise UsageError("say how long", todo="add --by 2h, or --end '2026-11-21 18:00'")
    return (span(by), None) if by else (None, parse_moment(str(end), now or datetime.now(UTC)))


def _later(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        raise UsageError("that is longer than any lease") from None
