"""`chiops extend`: more time for a lab, as far as its site's rules allow, and never at the price of the lease."""

from __future__ import annotations

from datetime import datetime, timedelta

from chiops.cloud.base import Lease, State
from chiops.errors import Ambiguous, NotFound
from chiops.lab.journal import LabRecord
from chiops.lab.lock import lab_lock
from chiops.lab.places import Places
from chiops.ops import leases
from chiops.ops.desk import Confirm, Desk


def extend(record: LabRecord, confirm: Confirm, *, by: timedelta | None = None, end: datetime | None = None) -> Lease:
    """Move the end of a lab's lease, having checked the site's rules and asked; what came of it is read anew.

    Args:
        record: which lab.
        confirm: asked with the new end and the price.
        by: how much later.
        end: or until when.

    Raises:
        NotFound: the lab has no lease that runs.
        Policy: the site's rules forbid it; says when and how much is possible.
        ResourceFailed: the extension broke the lease; with its fault.
    """
    with (
        lab_lock(record.name, f"extend {record.name}", beside_work=True),
        Places(record.site, record.name, tolerant=True) as places,  # a lease is no business of its object site
    ):
        desk = Desk(places.compute, places.compute_facts, record.name)
        running = [
            lease
            for lease in places.compute.leases.list()
            if lease.mark == desk.mark and lease.state in (State.READY, State.PENDING)
        ]
        if not running:
            raise NotFound(
                f"the lab {record.name} has no lease that runs", todo=f"`chiops up {record.name}` makes a new one"
            )
        if len(running) > 1:
            raise Ambiguous(
                f"the lab {record.name} has {len(running)} leases",
                todo=f"extend one with `chiops lease extend`: {', '.join(lease.name for lease in running)}",
            )
        return leases.extend(desk, running[0].id, confirm, by=by, end=end)
