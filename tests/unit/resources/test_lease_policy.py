"""What a site allows of leases, before it is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chiops.cloud.base import Flavor, Lease, Mark, Reservation, ReservationRequest, SiteFacts, State
from chiops.errors import Policy
from chiops.resources.lease_policy import check_extension, check_length, longest, service_units

NOW = datetime(2026, 11, 20, 21, 15, tzinfo=UTC)
KVM = SiteFacts(name="KVM@TACC", cloud="openstack", max_lease_days=180, lease_days={"g1.*": 7})
METAL = SiteFacts(name="CHI@TACC", cloud="openstack", max_lease_days=7, extension_window_hours=48, extension_days=7)
FREE = SiteFacts(name="local", cloud="local")


def days(number: float) -> timedelta:
    return timedelta(days=number)


def lease(**changes: Any) -> Lease:
    books = (Reservation(id="r", kind="flavor:instance", status="active", flavor_name="m1.large"),)
    base: dict[str, Any] = {"start": NOW - days(6), "end": NOW + days(1), "state": State.READY, "status": "ACTIVE"}
    return Lease(id="1", name="l", mark=Mark("none", "me"), reservations=books, **{**base, **changes})


@pytest.mark.parametrize(
    ("facts", "flavors", "limit"),
    [
        (KVM, ["m1.large"], days(180)),
        (KVM, ["g1.h100.pci.1"], days(7)),
        (KVM, ["m1.large", "g1.h100.pci.1"], days(7)),
        (KVM, [], days(180)),
        (METAL, ["baremetal"], days(7)),
        (FREE, ["m1.large"], None),
    ],
)
def test_the_shortest_limit_of_all_flavors_counts(
    facts: SiteFacts, flavors: list[str], limit: timedelta | None
) -> None:
    assert longest(facts, flavors) == limit


def test_up_to_the_limit_is_fine_and_beyond_is_not() -> None:
    check_length(METAL, [], days(7))
    with pytest.raises(Policy, match="longer than CHI@TACC allows: at most 7 days"):
        check_length(METAL, [], days(7) + timedelta(minutes=1))


@pytest.mark.parametrize(
    ("facts", "found", "end", "told"),
    [
        (METAL, lease(end=NOW + days(3)), NOW + days(4), "only in the last 48 hours before its end"),
        (METAL, lease(), NOW + days(9), "by at most 7 days at a time"),
        (METAL, lease(), NOW + timedelta(hours=23), "lasts that long already"),
        (
            METAL,
            lease(state=State.ENDED, status="TERMINATED", end=NOW),
            NOW + days(1),
            "is TERMINATED and can't be extended",
        ),
        (
            METAL,
            lease(state=State.FAILED, status="ERROR", fault="its start event failed"),
            NOW + days(2),
            "its start event",
        ),
        (METAL, lease(end=NOW), NOW + days(1), "can't be extended"),
        (KVM, lease(), NOW + days(190), "longer than KVM@TACC allows"),
    ],
)
def test_extensions_that_the_site_would_refuse(facts: SiteFacts, found: Lease, end: datetime, told: str) -> None:
    with pytest.raises(Policy, match=told):
        check_extension(facts, found, end, NOW)


def test_it_is_told_when_an_extension_becomes_possible() -> None:
    with pytest.raises(Policy) as caught:
        check_extension(METAL, lease(end=NOW + days(3)), NOW + days(4), NOW)
    assert "Ask again after 2026-11-21 21:15 UTC" in caught.value.sentence()


@pytest.mark.parametrize(("facts", "end"), [(METAL, NOW + days(8)), (KVM, NOW + days(100)), (FREE, NOW + days(999))])
def test_extensions_that_the_site_allows(facts: SiteFacts, end: datetime) -> None:
    check_extension(facts, lease(), end, NOW)


def test_the_price_is_told_where_all_prices_are_known() -> None:
    flavors = [
        Flavor(id="1", name="m1.large", vcpus=4, ram_mib=1, disk_gib=1, su_per_hour=0.08),
        Flavor(id="2", name="odd", vcpus=4, ram_mib=1, disk_gib=1),
    ]
    large = ReservationRequest(kind="flavor:instance", flavor="m1.large", amount=2)
    address = ReservationRequest(kind="virtual:floatingip")
    assert service_units([large, address], flavors, timedelta(hours=4)) == pytest.approx(0.64)
    assert service_units([large, ReservationRequest(kind="flavor:instance", flavor="odd")], flavors, days(1)) is None
    assert service_units([address], flavors, days(1)) is None
