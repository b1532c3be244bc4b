"""What the options of `chiops lease` mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from chiops.cloud.base import ReservationRequest
from chiops.errors import UsageError
from chiops.ops import booking

NOW = datetime(2026, 11, 20, 21, 15, tzinfo=UTC)


def test_flavors_and_addresses_are_parts_of_one_lease() -> None:
    assert booking.reservations(["m1.large", "m1.small"], 2, floating_ips=1) == [
        ReservationRequest(kind="flavor:instance", flavor="m1.large", amount=2),
        ReservationRequest(kind="flavor:instance", flavor="m1.small", amount=2),
        ReservationRequest(kind="virtual:floatingip", amount=1),
    ]


def test_a_node_type_is_blazars_filter() -> None:
    (host,) = booking.reservations([], 3, "gpu_rtx_6000")
    assert (host.kind, host.amount) == ("physical:host", 3)
    assert json.loads(host.resource_properties) == ["==", "$node_type", "gpu_rtx_6000"]


def test_a_node_type_and_properties_both_count() -> None:
    (host,) = booking.reservations([], 1, "compute", '["=", "$uid", "1"]')
    assert json.loads(host.resource_properties) == ["and", ["==", "$node_type", "compute"], ["=", "$uid", "1"]]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (([], 1), "would book nothing"),
        ((["m1.large"], 1, "compute"), "not both"),
        ((["m1.large", "m1.large"], 1), "named twice"),
        (([], 1, None, "{"), "is no JSON"),
        (([], 1, None, '{"a": 1}'), "must be a JSON list"),
        (([], 1, None, "[]"), "names no property of hosts. Write for example"),
    ],
)
def test_what_makes_no_lease_is_refused(arguments: tuple[object, ...], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        booking.reservations(*arguments)  # type: ignore[arg-type]


def test_times_from_a_duration_begin_now_or_at_the_start() -> None:
    assert booking.times(None, None, "90m", default="4h", now=NOW) == (None, NOW + timedelta(minutes=90))
    assert booking.times(None, None, None, default="4h", now=NOW) == (None, NOW + timedelta(hours=4))
    start, end = booking.times("2026-11-21T10:00Z", None, "1h", default="4h", now=NOW)
    assert (start, end) == (datetime(2026, 11, 21, 10, tzinfo=UTC), datetime(2026, 11, 21, 11, tzinfo=UTC))


@pytest.mark.parametrize(
    ("start", "end", "duration", "told"),
    [
        (None, "2026-11-21T10:00Z", "4h", "say the same"),
        ("2026-11-19T10:00Z", None, None, "has passed"),
        (None, "2026-11-20T10:00Z", None, "end before it begins"),
        ("2026-11-21T10:00Z", "2026-11-21T10:00Z", None, "end before it begins"),
        (None, None, "soon", "not a duration"),
        (None, None, "9999999d", "longer than any lease"),
    ],
)
def test_times_out_of_order_are_refused(start: str | None, end: str | None, duration: str | None, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        booking.times(start, end, duration, default="4h", now=NOW)


def test_an_extension_is_by_or_until() -> None:
    assert booking.extension("2h", None) == (timedelta(hours=2), None)
    assert booking.extension(None, "2026-11-21T10:00Z", NOW) == (None, datetime(2026, 11, 21, 10, tzinfo=UTC))
    with pytest.raises(UsageError, match="Add --by 2h"):
        booking.extension(None, None)
    with pytest.raises(UsageError, match="--by and --end exclude each other"):
        booking.extension("2h", "18:00")
