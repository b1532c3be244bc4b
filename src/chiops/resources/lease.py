"""Leases: a booking of flavors until an end time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chiops.cloud.base import Lease, ReservationRequest, State
from chiops.errors import NotFound
from chiops.names import format_duration
from chiops.resources import waiting
from chiops.resources.kind import Op, Verdict, Workbench, expect
from chiops.resources.lease_policy import check_length

READY_TIMEOUT_S = 300
GONE_TIMEOUT_S = 600


@dataclass(frozen=True)
class LeaseWanted:
    """A lease of so many servers of each flavor, for so long from now."""

    name: str
    duration: timedelta
    flavors: Mapping[str, int]


class LeaseKind:
    noun = "lease"

    def judge(self, wanted: LeaseWanted, bench: Workbench) -> Verdict:
        check_length(bench.facts, wanted.flavors, wanted.duration)
        now = datetime.now(UTC)
        for lease in bench.seen.leases:
            if lease.name == wanted.name and lease.mark == bench.mark and lease.end > now:
                if lease.state is State.FAILED:
                    return Verdict(Op.REPLACE, f"it is in {lease.status}: {lease.fault or 'no reason given'}", lease)
                if lease.state in (State.READY, State.PENDING):
                    return Verdict(Op.KEEP, f"ends in {format_duration(lease.end - now)}", lease)
        flavors = ", ".join(f"{amount} × {flavor}" for flavor, amount in sorted(wanted.flavors.items()))
        return Verdict(Op.CREATE, f"{flavors} for {format_duration(wanted.duration)}")

    def make(self, wanted: LeaseWanted, bench: Workbench) -> Lease:
        lease = bench.cloud.leases.create(
            wanted.name,
            end=datetime.now(UTC) + wanted.duration,
            reservations=[
                ReservationRequest(kind="flavor:instance", flavor=flavor, amount=amount)
                for flavor, amount in sorted(wanted.flavors.items())
            ],
            mark=bench.mark,
        )
        return self.settle(wanted, lease, bench)

    def settle(self, wanted: LeaseWanted, found: object, bench: Workbench) -> Lease:  # noqa: ARG002
        found = expect(Lease, found)
        return waiting.until_ready(bench.cloud.leases.get, found, noun=self.noun, timeout_s=READY_TIMEOUT_S)

    def mend(self, wanted: LeaseWanted, found: object, bench: Workbench) -> Lease:
        return self.settle(wanted, found, bench)

    def take(self, found: object, bench: Workbench) -> None:
        found = expect(Lease, found)
        try:
            bench.cloud.leases.delete(found.id)
        except NotFound:
            return
        waiting.until_gone(bench.cloud.leases.get, found.id, what=f"lease {found.name}", timeout_s=GONE_TIMEOUT_S)
