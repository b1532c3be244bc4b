"""Blazar's leases, over its REST interface: the client library adds nothing to it but a dependency."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from chiops.cloud.base import Lease, Mark, NodeType, Reservation, ReservationRequest, State
from chiops.cloud.openstack import marks, times, told
from chiops.cloud.openstack.errors import LEASE_TRUST, NoService
from chiops.cloud.openstack.once import looked_for, once
from chiops.cloud.openstack.site import Site
from chiops.errors import Auth, InvalidRequest, NotFound, Timeout, Transient

FORMAT = "%Y-%m-%d %H:%M"
"""Blazar knows no seconds; its times are UTC."""
CLOCKS_DIFFER = timedelta(minutes=3)
_STATES = {
    "CREATING": State.PENDING,
    "PENDING": State.PENDING,
    "STARTING": State.PENDING,
    "UPDATING": State.PENDING,
    "ACTIVE": State.READY,
    "TERMINATING": State.DELETING,
    "DELETING": State.DELETING,
    "TERMINATED": State.ENDED,
    "ERROR": State.FAILED,
}


class OpenStackLeases:
    """`base.Leases` at one site."""

    def __init__(self, site: Site, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._site = site
        self._api = site.adapter("reservation")
        self._now = now

    def node_types(self) -> Sequence[NodeType]:
        """The types of hosts that can be booked."""
        from chiops.cloud.openstack.hardware import node_types

        return node_types(self._site)

    def list(self) -> Sequence[Lease]:
        """Every lease of the project. One request: Blazar does not page. A site without Blazar has none."""
        try:
            with self._site.doing("listing leases"):
                return [lease(item) for item in told.listing(self._api.get("/leases").json()["leases"], "id")]
        except NoService:
            return []

    def get(self, lease_id: str) -> Lease:
        """One lease.

        Raises:
            NotFound: no such lease, or deleted.
        """
        with self._site.doing(f"reading the lease {lease_id}", f"lease {lease_id}"):
            return lease(self._api.get(f"/leases/{lease_id}").json()["lease"])

    def create(
        self,
        name: str,
        *,
        end: datetime,
        reservations: Sequence[ReservationRequest],
        mark: Mark,
        start: datetime | None = None,
    ) -> Lease:
        """Book until ``end`` (rounded down to the minute), from ``start`` or from now.

        Raises:
            Capacity: no room for that in that time.
            Policy: longer than the site allows.
            InvalidRequest: the times are not in order, or the name too long.
            NotFound: no such flavor or network.
            Auth: the application credential may not book.
        """
        if end <= max(start or self._now(), self._now()):
            raise InvalidRequest(f"the lease {name} would end before it begins", todo="give a later end")
        stored = marks.lease_name(name, mark)
        body = {
            "name": stored,
            "start_date": _minute(start) if start else "now",
            "end_date": _minute(end),
            "reservations": [self._reservation(item) for item in reservations],
            "events": [],
            "before_end_date": None,
        }
        asked = self._now()

        def make() -> Lease:
            with self._site.doing(f"booking the lease {name}"):
                return lease(self._api.post("/leases", json=body).json()["lease"])

        def find() -> Lease | None:
            since = asked - CLOCKS_DIFFER
            same = [it for it in self.list() if (it.name, it.mark, _minute(it.end)) == (name, mark, body["end_date"])]
            return next((it for it in same if it.created and it.created >= since), None)

        try:
            return once(make, find, what=f"the lease {name}")
        except Timeout as lost:
            if self._site.application_credential and "internal server error" in lost.why.lower():
                # Blazar acts for its user through a trust; where Keystone grants none to an application credential
                # it hides the reason behind this
                raise Auth(
                    f"the lease {name} was not made at {self._site.facts.name}",
                    why="Blazar says 'Internal Server Error', as it does to application credentials that it may not act for",
                    todo=LEASE_TRUST,
                ) from lost
            raise

    def _reservation(self, wanted: ReservationRequest) -> dict[str, object]:
        if wanted.kind == "flavor:instance":
            # A non-null affinity is refused with 409, a missing one with 400
            flavor_id = self._site.flavor(wanted.flavor).id
            return {"resource_type": wanted.kind, "flavor_id": flavor_id, "amount": wanted.amount, "affinity": None}
        if wanted.kind == "physical:host":
            return {
                "resource_type": wanted.kind,
                "min": wanted.amount,
                "max": wanted.amount,
                "hypervisor_properties": "",
                "resource_properties": wanted.resource_properties,
            }
        network_id = self._site.external_network_id(wanted.network)
        return {"resource_type": wanted.kind, "network_id": network_id, "amount": wanted.amount}

    def extend(self, lease_id: str, end: datetime) -> Lease:
        """Move the end. Sends nothing but the end, once, and reads the lease anew: an extension may put it into ERROR.

        Raises:
            Policy: not in the site's window, or by too long.
            Capacity: somebody else has booked that time.
            InvalidRequest: the end is past.
            Timeout: the answer was lost, and the end has not moved so far; it may still.
        """
        if end <= self._now():
            self.get(lease_id)
            raise InvalidRequest(f"the lease {lease_id} can't end in the past", todo="give a later end")

        def find() -> Lease | None:
            found = self.get(lease_id)
            return found if _minute(found.end) == _minute(end) or found.state is State.FAILED else None

        try:
            with self._site.doing(f"extending the lease {lease_id}", f"lease {lease_id}"):
                self._api.put(f"/leases/{lease_id}", json={"end_date": _minute(end)})
            return self.get(lease_id)
        except (Timeout, Transient) as lost:
            if found := looked_for(find):
                return found
            raise Timeout(
                f"the end of the lease {lease_id} may or may not move to {_minute(end)} UTC",
                why=f"the site's answer was lost ({lost.why or lost.what}) and the end has not moved yet",
                todo=f"run the command again with --end '{_minute(end)}Z', which moves it no further than that",
            ) from lost

    def delete(self, lease_id: str) -> None:
        """End the lease now, with every server on it.

        Blazar answers when all is gone, which can take minutes: no answer in time means that it is still at it.
        """
        try:
            with self._site.doing(f"deleting the lease {lease_id}", f"lease {lease_id}"):
                self._api.delete(f"/leases/{lease_id}")
        except (Timeout, Transient):
            try:
                if self.get(lease_id).state not in (State.DELETING, State.ENDED):
                    raise
            except NotFound:
                return


def _minute(when: datetime) -> str:
    return when.astimezone(UTC).strftime(FORMAT)


def lease(item: Mapping[str, Any]) -> Lease:
    """A lease as Blazar describes it."""
    name, mark = marks.from_lease(told.text(item.get("name")), told.text(item.get("user_id")))
    parts = (it for it in told.mappings(item.get("reservations")) if told.text(it.get("id")))
    reservations = tuple(_reservation(it) for it in parts)
    status = told.text(item.get("status"))
    state = _STATES.get(status, State.PENDING)
    if state is State.READY and any(it.status == "pending" for it in reservations):
        state = State.PENDING  # the lease is ACTIVE a moment before its flavor can be used
    epoch = datetime.fromtimestamp(0, UTC)
    return Lease(
        id=item["id"],
        name=name,
        status=status,
        state=state,
        fault=_fault(item, reservations) if state is State.FAILED else "",
        mark=mark,
        created=times.parse(item.get("created_at")),
        start=times.parse(item.get("start_date")) or epoch,
        end=times.parse(item.get("end_date")) or epoch,
        reservations=reservations,
    )


def _reservation(item: Mapping[str, Any]) -> Reservation:
    kind = told.text(item.get("resource_type"))
    flavor_name, filter_ = "", told.text(item.get("resource_properties"))
    if kind == "flavor:instance":
        # Blazar keeps the flavor as it was when it was booked
        try:
            properties = json.loads(filter_)
        except ValueError:
            properties = {}
        flavor_name = told.text(told.mapping(properties).get("name"))
    return Reservation(
        id=item["id"],
        kind=kind,
        status=told.text(item.get("status")),
        amount=told.number(item.get("amount")) or told.number(item.get("max")) or 1,
        flavor_id=told.text(item.get("flavor_id")) or (item["id"] if kind == "flavor:instance" else ""),
        flavor_name=flavor_name,
        resource_properties=filter_ if kind == "physical:host" else "",
    )


def _fault(item: Mapping[str, Any], reservations: Sequence[Reservation]) -> str:
    """Blazar keeps no reason, only what went wrong: which event, which reservation."""
    events = [it.get("event_type") for it in told.mappings(item.get("events")) if it.get("status") == "ERROR"]
    broken = [
        f"the reservation of {it.flavor_name or it.kind} is in error" for it in reservations if it.status == "error"
    ]
    return "; ".join([*(f"its {event} event failed" for event in events), *broken]) or "Blazar gives no reason"
