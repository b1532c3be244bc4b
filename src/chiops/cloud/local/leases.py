"""Leases of the local site. They end for real: at the end its servers are deleted, by whichever of ours runs then."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from chiops.cloud.base import Lease, Mark, NodeType, ReservationRequest
from chiops.cloud.local import agent
from chiops.cloud.local.bookings import Bookings
from chiops.cloud.local.servers import LocalCompute
from chiops.errors import NotFound

if TYPE_CHECKING:
    from chiops.cloud.local.site import LocalSite


class LocalLeases:
    """`base.Leases` at the local site. There is no limit to a lease's length, nor to when it may be extended."""

    def __init__(self, site: LocalSite, compute: LocalCompute) -> None:
        self._site = site
        self._compute = compute
        self._bookings = Bookings(site.store)

    def node_types(self) -> Sequence[NodeType]:
        """Raises `NotFound`: nodes are containers, and no hosts can be booked."""
        raise NotFound("the local site has no hosts to book", todo="book a flavor, see `chiops flavor list`")

    def list(self) -> Sequence[Lease]:
        """All leases, ended ones too."""
        return self._bookings.every(_now())

    def get(self, lease_id: str) -> Lease:
        """One lease.

        Raises:
            NotFound: there is none of this id.
        """
        return self._bookings.get(lease_id, _now())

    def create(
        self,
        name: str,
        *,
        end: datetime,
        reservations: Sequence[ReservationRequest],
        mark: Mark,
        start: datetime | None = None,
    ) -> Lease:
        """Book, from now unless ``start`` says otherwise.

        Raises:
            InvalidRequest, NotFound: times or reservations make no sense; a flavor does not exist.
        """
        lease = self._bookings.create(name, start, end, reservations, mark, _now())
        agent.ensure(self._site)
        return lease

    def extend(self, lease_id: str, end: datetime) -> Lease:
        """Move a lease's end, to earlier too.

        Raises:
            Policy, InvalidRequest: it has ended; the end would lie in the past.
        """
        return self._bookings.extend(lease_id, end, _now())

    def delete(self, lease_id: str) -> None:
        """Delete a lease and every server on it. Returns when they are gone."""
        self._bookings.end(lease_id)
        self._clear(lease_id)

    def enforce(self) -> None:
        """Delete the servers of leases that are over."""
        over = self._bookings.over(_now())
        for lease_id in over:
            self._clear(lease_id)

    def booked(self) -> bool:
        """Whether any lease runs or is yet to start."""
        return self._bookings.active(_now())

    def _clear(self, lease_id: str) -> None:
        for server in self._compute.list():
            if server.lease_id == lease_id:
                with suppress(NotFound):
                    self._compute.delete(server.id)
        self._bookings.forget_deleted(lease_id)


def _now() -> datetime:
    return datetime.now(UTC)
