"""Leases and the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chiops.cloud.base import Lease, Mark, ReservationRequest, State
from chiops.cloud.local.bookings import Bookings
from chiops.cloud.local.store import Store
from chiops.errors import InvalidRequest, NotFound, Policy

MARK = Mark("lab", "me")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WANTED = [ReservationRequest(kind="flavor:instance", flavor="m1.small", amount=2)]


@pytest.fixture
def bookings(tmp_path: Path) -> Bookings:
    return Bookings(Store(tmp_path / "site.db"))


def book(bookings: Bookings, *, start: datetime | None = None, end: datetime = NOW + HOUR) -> Lease:
    return bookings.create("a", start, end, WANTED, MARK, NOW)


@pytest.mark.parametrize(
    ("at", "state", "reservation"),
    [
        (NOW, State.PENDING, "pending"),
        (NOW + HOUR, State.READY, "active"),
        (NOW + 2 * HOUR - timedelta(microseconds=1), State.READY, "active"),
        (NOW + 2 * HOUR, State.ENDED, "deleted"),
    ],
)
def test_the_clock_says_what_a_lease_is(bookings: Bookings, at: datetime, state: State, reservation: str) -> None:
    lease = book(bookings, start=NOW + HOUR, end=NOW + 2 * HOUR)
    found = bookings.get(lease.id, at)
    assert (found.state, found.reservations[0].status) == (state, reservation)


def test_a_reserved_flavor_is_found_by_its_id_while_the_lease_runs(bookings: Bookings) -> None:
    lease = book(bookings)
    flavor_id = lease.reservations[0].flavor_id
    found = bookings.reserved(flavor_id, NOW)
    assert found is not None
    assert (found[0].id, found[1].flavor_name, found[1].amount) == (lease.id, "m1.small", 2)
    with pytest.raises(Policy):
        bookings.reserved(flavor_id, NOW + HOUR)
    assert bookings.reserved("m1.small", NOW) is None


def test_over_means_ended_or_deleted(bookings: Bookings) -> None:
    ended, deleted, running = book(bookings), book(bookings, end=NOW + 3 * HOUR), book(bookings, end=NOW + 3 * HOUR)
    bookings.end(deleted.id)
    assert bookings.over(NOW) == {deleted.id}
    assert bookings.over(NOW + HOUR) == {deleted.id, ended.id}
    with pytest.raises(NotFound):
        bookings.get(deleted.id, NOW)
    bookings.forget_deleted(deleted.id)
    bookings.forget_deleted(running.id)
    assert bookings.over(NOW + HOUR) == {ended.id}
    assert bookings.get(running.id, NOW).state is State.READY


def test_a_site_with_a_lease_to_come_is_in_use(bookings: Bookings) -> None:
    assert not bookings.active(NOW)
    book(bookings, start=NOW + HOUR, end=NOW + 2 * HOUR)
    assert bookings.active(NOW)
    assert not bookings.active(NOW + 2 * HOUR)


def test_extending(bookings: Bookings) -> None:
    lease = book(bookings)
    assert bookings.extend(lease.id, NOW + 2 * HOUR, NOW).end == NOW + 2 * HOUR
    with pytest.raises(InvalidRequest):
        bookings.extend(lease.id, NOW, NOW)
    with pytest.raises(Policy):
        bookings.extend(lease.id, NOW + 5 * HOUR, NOW + 3 * HOUR)
    assert bookings.get(lease.id, NOW).end == NOW + 2 * HOUR


@pytest.mark.parametrize(
    "wanted",
    [
        [],
        [ReservationRequest(kind="physical:host")],
        [ReservationRequest(kind="flavor:instance", flavor="m1.small", amount=0)],
    ],
)
def test_what_makes_no_sense_is_refused(bookings: Bookings, wanted: list[ReservationRequest]) -> None:
    with pytest.raises(InvalidRequest):
        bookings.create("a", None, NOW + HOUR, wanted, MARK, NOW)
    assert bookings.every(NOW) == []


@pytest.mark.parametrize(("start", "end"), [(None, NOW), (NOW + HOUR, NOW + HOUR), (NOW - 2 * HOUR, NOW - HOUR)])
def test_a_lease_must_end_after_it_starts(bookings: Bookings, start: datetime | None, end: datetime) -> None:
    with pytest.raises(InvalidRequest):
        book(bookings, start=start, end=end)


def test_a_name_of_81_characters_is_refused(bookings: Bookings) -> None:
    with pytest.raises(InvalidRequest):
        bookings.create("a" * 81, None, NOW + HOUR, WANTED, MARK, NOW)
