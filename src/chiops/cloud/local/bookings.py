"""Leases in the site's database, and what follows from them and the clock."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from chiops.cloud.base import Lease, Mark, Reservation, ReservationRequest, State
from chiops.cloud.local import flavors
from chiops.cloud.local.store import Store
from chiops.errors import InvalidRequest, NotFound, Policy

_TABLE = (
    "CREATE TABLE IF NOT EXISTS leases (id TEXT PRIMARY KEY, name TEXT NOT NULL, starts TEXT NOT NULL, ends TEXT NOT NULL,"
    " reservations TEXT NOT NULL, mark TEXT NOT NULL, created TEXT NOT NULL, deleted INTEGER NOT NULL DEFAULT 0)"
)
_STATES = {
    "PENDING": State.PENDING,
    "ACTIVE": State.READY,
    "TERMINATED": State.ENDED,
}


class Bookings:
    """Status follows from the clock at each look. A deleted lease stays until its servers are gone, so that a crash loses none."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.define(_TABLE)

    def every(self, now: datetime) -> list[Lease]:
        """All leases that are not deleted."""
        rows = self._store.rows("SELECT * FROM leases WHERE NOT deleted ORDER BY created")
        return [_lease(row, now) for row in rows]

    def get(self, lease_id: str, now: datetime) -> Lease:
        """A lease.

        Raises:
            NotFound: there is none of this id.
        """
        row = self._store.row("SELECT * FROM leases WHERE id = ? AND NOT deleted", (lease_id,))
        if row is None:
            raise NotFound(f"No lease {lease_id} at the local site")
        return _lease(row, now)

    def create(
        self,
        name: str,
        start: datetime | None,
        end: datetime,
        wanted: Sequence[ReservationRequest],
        mark: Mark,
        now: datetime,
    ) -> Lease:
        """Book.

        Raises:
            InvalidRequest: the times or the reservations make no sense.
            NotFound: a flavor does not exist.
        """
        if not name or len(name) > 80:
            raise InvalidRequest("A lease needs a name of 1 to 80 characters")
        starts = max(start or now, now)
        if end <= starts:
            raise InvalidRequest(
                "The lease would end before it starts", why=f"it would end at {end:%Y-%m-%d %H:%M:%S} UTC"
            )
        if not wanted:
            raise InvalidRequest("The lease reserves nothing")
        reservations = [_reserve(request) for request in wanted]
        lease_id = str(uuid.uuid4())
        values = (
            *(lease_id, name, starts.isoformat(), end.isoformat(), json.dumps(reservations)),
            *(mark.as_text(), now.isoformat()),
        )
        statement = (
            "INSERT INTO leases (id, name, starts, ends, reservations, mark, created) VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        self._store.execute(statement, values)
        return self.get(lease_id, now)

    def extend(self, lease_id: str, end: datetime, now: datetime) -> Lease:
        """Move a lease's end.

        Raises:
            Policy: it has ended.
            InvalidRequest: the end would lie in the past.
        """
        with self._store.transaction() as db:
            lease = _lease(_need(db, lease_id), now)
            if lease.state is State.ENDED:
                raise Policy(f"Lease {lease.name} has ended and cannot be extended", todo="make a new one")
            if end <= max(now, lease.start):
                raise InvalidRequest("The lease would end in the past", why=f"at {end:%Y-%m-%d %H:%M:%S} UTC")
            db.execute("UPDATE leases SET ends = ? WHERE id = ?", (end.isoformat(), lease_id))
        return self.get(lease_id, now)

    def end(self, lease_id: str) -> None:
        """Mark a lease deleted: from now on its servers have to go."""
        with self._store.transaction() as db:
            _need(db, lease_id)
            db.execute("UPDATE leases SET deleted = 1 WHERE id = ?", (lease_id,))

    def forget_deleted(self, lease_id: str) -> None:
        """Forget a deleted lease, when its servers are gone."""
        self._store.execute("DELETE FROM leases WHERE id = ? AND deleted", (lease_id,))

    def over(self, now: datetime) -> set[str]:
        """The leases whose servers have to go: ended, or deleted."""
        rows = self._store.rows("SELECT * FROM leases")
        return {row["id"] for row in rows if row["deleted"] or datetime.fromisoformat(row["ends"]) <= now}

    def active(self, now: datetime) -> bool:
        """Whether any lease runs or is yet to start."""
        return any(lease.state is not State.ENDED for lease in self.every(now))

    def reserved(self, flavor_id: str, now: datetime) -> tuple[Lease, Reservation] | None:
        """The lease and reservation behind a reserved flavor's id; None if no lease has it.

        Raises:
            Policy: the lease has not started, or has ended.
        """
        for lease in self.every(now):
            for reservation in lease.reservations:
                if flavor_id in (reservation.flavor_id, reservation.id):
                    if lease.state is not State.READY:
                        raise Policy(f"Lease {lease.name} is {lease.status.lower()}, so no server can be made on it")
                    return lease, reservation
        return None


def _reserve(request: ReservationRequest) -> dict[str, object]:
    if request.kind != "flavor:instance":
        raise InvalidRequest(f"The local site reserves flavors, not {request.kind}", todo="reserve a flavor")
    if request.amount < 1:
        raise InvalidRequest(f"A reservation of {request.amount} servers makes no sense")
    flavor = flavors.by_name(request.flavor)
    return {"id": str(uuid.uuid4()), "kind": request.kind, "amount": request.amount, "flavor_name": flavor.name}


def status(start: datetime, end: datetime, now: datetime) -> str:
    """Blazar's word for a lease from ``start`` to ``end``, at ``now``."""
    if now >= end:
        return "TERMINATED"
    return "PENDING" if now < start else "ACTIVE"


def _need(db: sqlite3.Connection, lease_id: str) -> sqlite3.Row:
    row = db.execute("SELECT * FROM leases WHERE id = ? AND NOT deleted", (lease_id,)).fetchone()
    if row is None:
        raise NotFound(f"No lease {lease_id} at the local site")
    return cast(sqlite3.Row, row)


def _lease(row: sqlite3.Row, now: datetime) -> Lease:
    start, end = (datetime.fromisoformat(row[column]).astimezone(UTC) for column in ("starts", "ends"))
    word = status(start, end, now)
    reservation_word = {"ACTIVE": "active", "PENDING": "pending"}.get(word, "deleted")
    # as at Blazar, the reserved flavor's id is the reservation's
    reservations = tuple(
        Reservation(**{**stored, "flavor_id": stored["id"], "status": reservation_word})
        for stored in json.loads(row["reservations"])
    )
    return Lease(
        id=row["id"],
        name=row["name"],
        status=word,
        state=_STATES[word],
        mark=Mark.from_text(row["mark"]),
        created=datetime.fromisoformat(row["created"]),
        start=start,
        end=end,
        reservations=reservations,
    )
