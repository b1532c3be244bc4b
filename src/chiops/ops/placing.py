"""Where a single server goes: which flavor, on which part of which lease."""

from __future__ import annotations

from dataclasses import dataclass

from chiops.cloud.base import Flavor, Lease, Reservation, State
from chiops.errors import Conflict, NotFound, UsageError
from chiops.ops import leases, resolve
from chiops.ops.desk import Desk
from chiops.resources.kind import Seen

BARE_METAL = "baremetal"
"""The flavor of every reserved host."""


@dataclass(frozen=True)
class Place:
    """Where a server goes: a flavor, on a lease's reservation or on none."""

    flavor: Flavor
    lease: Lease | None = None
    reservation: Reservation | None = None

    @property
    def flavor_id(self) -> str:
        """What the server is created with."""
        return (self.reservation.flavor_id if self.reservation else "") or self.flavor.id


def find_place(desk: Desk, seen: Seen, wanted_flavor: str, wanted_lease: str) -> Place:
    """The flavor and reservation that the person's words mean, "" for none.

    Raises:
        UsageError: no flavor can be told from them, or the site wants a lease.
        Conflict: the lease is not active.
        NotFound: no such flavor or lease, or the lease does not book the flavor.
    """
    flavor = resolve.one(seen.flavors, wanted_flavor, "flavor", desk.site) if wanted_flavor else None
    if not wanted_lease:
        if desk.facts.needs_lease:
            raise UsageError(
                f"{desk.site} runs servers only on a lease",
                todo="add --lease NAME; `chiops lease create` makes one",
            )
        if flavor is None:
            raise UsageError("no flavor was named", todo="add --flavor, as listed by `chiops flavor list`")
        return Place(flavor)
    lease = leases.find(desk, seen.leases, wanted_lease)
    if lease.state is not State.READY:
        raise Conflict(
            f"the lease {lease.name} is {lease.status}, so no server can be made on it",
            why=lease.fault,
            todo="wait for it with `chiops lease wait`" if lease.state is State.PENDING else "make a new one",
        )
    return _reserved(seen, lease, flavor)


def _reserved(seen: Seen, lease: Lease, flavor: Flavor | None) -> Place:
    books = [item for item in lease.reservations if item.kind in ("flavor:instance", "physical:host")]
    names = sorted({item.flavor_name or BARE_METAL for item in books})
    wanted = flavor.name if flavor else (names[0] if len(names) == 1 else "")
    if not wanted:
        raise UsageError(f"the lease {lease.name} books {leases.reserves(lease)}", todo="choose one with --flavor")
    for item in books:
        if (item.flavor_name or BARE_METAL) == wanted:
            known = next((one for one in seen.flavors if one.name == wanted), None)
            base = flavor or known or Flavor(id=item.flavor_id, name=wanted, vcpus=0, ram_mib=0, disk_gib=0)
            return Place(base, lease, item)
    raise NotFound(
        f"the lease {lease.name} does not book {wanted}",
        why=f"it books {leases.reserves(lease)}",
        todo="leave --flavor out to take what it books" if len(names) == 1 else f"choose one of: {', '.join(names)}",
    )
