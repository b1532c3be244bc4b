"""Leases of the fast cloud."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from chiops.cloud.base import Lease, Mark, Reservation, ReservationRequest, State
from chiops.errors import Capacity, InvalidRequest, NotFound, Policy
from tests.support.fast_cloud.flavors import FLAVORS
from tests.support.fast_cloud.store import Row
from tests.support.fast_cloud.world import LOOKS, World

HOSTS = 100
"""How many servers all leases may hold at a time."""
_STATES = {"PENDING": State.PENDING, "ACTIVE": State.READY, "DELETING": State.DELETING, "TERMINATED": State.ENDED}


class FastLeases:
    """`base.Leases`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def list(self) -> Sequence[Lease]:
        with self._world.turn():
            return [_lease(row) for row in self._world.see("lease")]

    def get(self, lease_id: str) -> Lease:
        return _lease(self._world.look("lease", lease_id, "lease"))

    def create(
        self,
        name: str,
        *,
        end: datetime,
        reservations: Sequence[ReservationRequest],
        mark: Mark,
        start: datetime | None = None,
    ) -> Lease:
        now = datetime.now(UTC)
        start = max(start or now, now)
        if end <= start or not reservations or not name:
            raise InvalidRequest(f"the lease {name} was not made", why="it has no name, no time or nothing in it")
        with self._world.turn() as store:
            self._world.check_quota("lease", "lease")
            wanted = [_reserve(request) for request in reservations]
            live = [row for row in store.rows("lease") if row.status in ("PENDING", "ACTIVE")]
            taken = sum(int(item["amount"]) for row in live for item in row.body["reservations"])
            if taken + sum(request.amount for request in reservations) > HOSTS:
                raise Capacity(f"the lease {name} was not made", why="not enough hosts available")
            body = {"start": start.isoformat(), "end": end.isoformat(), "reservations": wanted}
            row = Row("lease", name, self._world.user, mark, "PENDING", LOOKS, "ACTIVE", body)
            return _lease(store.add(row))

    def extend(self, lease_id: str, end: datetime) -> Lease:
        with self._world.turn() as store:
            row = self._world.need("lease", lease_id, "lease")
            if row.status not in ("PENDING", "ACTIVE"):
                raise Policy(f"the lease {row.name} is {row.status} and can't be extended")
            if end <= datetime.now(UTC):
                raise InvalidRequest(f"the lease {row.name} was not extended", why="that end is in the past")
            row.body["end"] = end.isoformat()
            return _lease(store.save(row))

    def delete(self, lease_id: str) -> None:
        with self._world.turn():
            row = self._world.need("lease", lease_id, "lease")
            self._world.end_servers(row.id)
            self._world.heads(row, "DELETING", "gone")


def _reserve(request: ReservationRequest) -> dict[str, object]:
    if request.kind != "flavor:instance" or request.amount < 1:
        raise InvalidRequest(f"{request.amount} of {request.kind} can't be reserved here")
    flavor = next((one for one in FLAVORS if request.flavor in (one.id, one.name)), None)
    if flavor is None:
        raise NotFound(f"there is no flavor {request.flavor!r}")
    return {"id": str(uuid.uuid4()), "amount": request.amount, "flavor_name": flavor.name}


def _lease(row: Row) -> Lease:
    start, end = (datetime.fromisoformat(row.body[name]) for name in ("start", "end"))
    waits = row.status == "ACTIVE" and start > datetime.now(UTC)
    status = "PENDING" if waits else row.status
    word = {"ACTIVE": "active", "PENDING": "pending"}.get(status, "deleted")
    return Lease(
        id=row.id,
        name=row.name,
        status=status,
        state=_STATES[status],
        mark=row.mark,
        created=row.created,
        start=start,
        end=end,
        reservations=tuple(
            Reservation(
                id=item["id"],
                kind="flavor:instance",
                status=word,
                amount=item["amount"],
                flavor_id=item["id"],  # as Blazar does
                flavor_name=item["flavor_name"],
            )
            for item in row.body["reservations"]
        ),
    )
