"""Bookings: made, extended, ended, and what their end takes along."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from chiops.cloud.base import Cloud, Image, Keypair, Lease, ReservationRequest, SecurityGroup, Server, State
from chiops.errors import CloudError, InvalidRequest, NotFound, Policy
from tests.support.poll import is_gone, wait_for, wait_gone
from tests.support.scratch import Scratch
from tests.support.target import FLAVOR, Target


def ended(cloud: Cloud, lease_id: str) -> bool:
    try:
        return cloud.leases.get(lease_id).state is State.ENDED
    except NotFound:
        return True


def soon(target: Target) -> timedelta:
    """The soonest end that leaves time for a server to be made."""
    if target.lease_step > 1:
        return timedelta(seconds=2 * target.lease_step)
    return timedelta(seconds=8 if target.real_nodes else 2)


def test_a_lease_becomes_ready_with_a_usable_reservation(cloud: Cloud, scratch: Scratch) -> None:
    asked = datetime.now(UTC)
    made = scratch.ready_lease(lasts=timedelta(hours=3), flavor=FLAVOR, amount=2)
    (reservation,) = made.reservations
    assert (reservation.kind, reservation.amount) == ("flavor:instance", 2)
    assert reservation.flavor_id
    assert made.start.tzinfo is not None
    assert abs(made.start - asked) < timedelta(minutes=2)
    assert timedelta(hours=2, minutes=58) < made.end - asked < timedelta(hours=3, minutes=2)
    assert made.mark in (scratch.mark, None), "a lease is ours, or its service cannot tell"


def test_get_and_list_agree(cloud: Cloud, lease: Lease) -> None:
    listed = {found.id: found for found in cloud.leases.list()}
    found = cloud.leases.get(lease.id)
    assert listed[lease.id].name == found.name == lease.name
    assert listed[lease.id].end == found.end == lease.end


def test_names_may_repeat(cloud: Cloud, scratch: Scratch) -> None:
    first = scratch.ready_lease(flavor=FLAVOR)
    wanted = [ReservationRequest(kind="flavor:instance", flavor=FLAVOR)]
    second = cloud.leases.create(first.name, end=first.end, reservations=wanted, mark=scratch.mark)
    scratch.on_close(lambda: cloud.leases.delete(second.id))
    assert first.id != second.id


def test_extend_moves_the_end(cloud: Cloud, scratch: Scratch) -> None:
    made = scratch.ready_lease(lasts=timedelta(hours=1), flavor=FLAVOR)
    later = made.end + timedelta(hours=1)
    cloud.leases.extend(made.id, later)
    found = wait_for(
        "lease extended",
        lambda: cloud.leases.get(made.id),
        until=lambda found: found.end == later,
        within=scratch.target.patience,
    )
    assert found.start == made.start
    assert [r.id for r in found.reservations] == [r.id for r in made.reservations]


def test_an_end_in_the_past_is_refused(cloud: Cloud, scratch: Scratch, lease: Lease) -> None:
    name, past = scratch.name("lease"), datetime.now(UTC) - timedelta(hours=1)
    wanted = [ReservationRequest(kind="flavor:instance", flavor=FLAVOR)]
    with pytest.raises((InvalidRequest, Policy)):
        cloud.leases.create(name, end=past, reservations=wanted, mark=scratch.mark)
    assert name not in {found.name for found in cloud.leases.list()}
    with pytest.raises((InvalidRequest, Policy)):
        cloud.leases.extend(lease.id, past)
    assert cloud.leases.get(lease.id).end == lease.end


def test_an_unknown_flavor_is_refused(cloud: Cloud, scratch: Scratch) -> None:
    wanted = [ReservationRequest(kind="flavor:instance", flavor="no-such-flavor")]
    with pytest.raises((NotFound, InvalidRequest)):
        cloud.leases.create(
            scratch.name("lease"), end=datetime.now(UTC) + timedelta(hours=1), reservations=wanted, mark=scratch.mark
        )


def test_what_is_unknown_is_not_found(cloud: Cloud) -> None:
    unknown = str(uuid.uuid4())
    asked: list[Callable[[], object]] = [
        lambda: cloud.leases.get(unknown),
        lambda: cloud.leases.delete(unknown),
        lambda: cloud.leases.extend(unknown, datetime.now(UTC) + timedelta(hours=1)),
    ]
    for ask in asked:
        with pytest.raises(NotFound):
            ask()


def test_deleting_a_lease_deletes_its_servers(
    cloud: Cloud, scratch: Scratch, image: Image, keypair: Keypair, ssh_group: SecurityGroup, lease: Lease
) -> None:
    booked = scratch.ready_lease(flavor=FLAVOR)
    server = scratch.until_ready(scratch.server(image=image, lease=booked, keypair=keypair, groups=[ssh_group]))
    cloud.leases.delete(booked.id)
    wait_gone("server of the deleted lease", lambda: cloud.compute.get(server.id), within=scratch.target.patience)
    wait_for("lease ended", lambda: ended(cloud, booked.id), within=scratch.target.patience)
    assert cloud.leases.get(lease.id).state is State.READY, "another lease stays"


def test_a_lease_ends_at_its_end_and_takes_its_servers_along(
    cloud: Cloud,
    scratch: Scratch,
    image: Image,
    keypair: Keypair,
    ssh_group: SecurityGroup,
    shared_server: Server,
) -> None:
    booked = scratch.ready_lease(lasts=soon(scratch.target), flavor=FLAVOR)
    server = scratch.server(image=image, lease=booked, keypair=keypair, groups=[ssh_group])
    remaining = (booked.end - datetime.now(UTC)).total_seconds()
    wait_gone("server", lambda: cloud.compute.get(server.id), within=remaining + scratch.target.patience)
    assert datetime.now(UTC) >= booked.end, "not before its time"
    wait_for("lease ended", lambda: ended(cloud, booked.id), within=scratch.target.patience)
    assert cloud.compute.get(shared_server.id).state is State.READY, "a server of another lease stays"


def test_no_server_is_made_on_an_ended_lease(
    cloud: Cloud, scratch: Scratch, image: Image, keypair: Keypair, ssh_group: SecurityGroup
) -> None:
    booked = scratch.ready_lease(flavor=FLAVOR)
    cloud.leases.delete(booked.id)
    wait_for("lease ended", lambda: ended(cloud, booked.id), within=scratch.target.patience)
    try:
        server = scratch.server(image=image, lease=booked, keypair=keypair, groups=[ssh_group])
    except CloudError:
        return
    found = wait_for(
        "server refused",
        lambda: None if is_gone(lambda: cloud.compute.get(server.id)) else cloud.compute.get(server.id),
        until=lambda found: found is None or found.state is not State.PENDING,
        within=scratch.target.patience,
    )
    assert found is None or (found.state is State.FAILED and found.fault)
