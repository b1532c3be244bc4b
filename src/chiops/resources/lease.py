"""Leases: a booking of flavors until an end time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chiops.cloud.base import Lease, Mark, ReservationRequest, Server, State
from chiops.errors import NotFound, NotOurs
from chiops.names import format_duration
from chiops.resources import waiting
from chiops.resources.kind import Difference, Op, Verdict, Workbench, expect
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
                    require_ours(lease, bench.seen.servers, bench.mark)
                    reason = f"it is in {lease.status}: {lease.fault or 'no reason given'}"
                    differs = (Difference("status", lease.status, "ACTIVE"),)
                    return Verdict(Op.REPLACE, reason, lease, differs, _lost_with(lease, bench))
                if lease.state in (State.READY, State.PENDING):
                    return _judge_running(wanted, lease, bench, now)
        return Verdict(Op.CREATE, f"{_show(wanted.flavors)} for {format_duration(wanted.duration)}")

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

    def take(self, found: object, bench: Workbench, *, alone: bool = False) -> None:
        """End it, unless somebody else's server is on it by now: the site would delete that, too.

        Args:
            found: the lease.
            bench: where it is.
            alone: whether servers of our other labs keep it as well.

        Raises:
            NotOurs: there is such a server.
        """
        found = expect(Lease, found)
        # Asked anew: since it was looked at somebody may have answered a question, and others started servers
        require_ours(found, bench.cloud.compute.list(), bench.mark, alone=alone)
        try:
            bench.cloud.leases.delete(found.id)
        except NotFound:
            return
        waiting.until_gone(bench.cloud.leases.get, found.id, what=f"lease {found.name}", timeout_s=GONE_TIMEOUT_S)


def servers_on(lease: Lease, servers: Iterable[Server]) -> list[Server]:
    """The servers that go when the lease ends, whoever made them."""
    flavors = {f"reservation:{item.id}" for item in lease.reservations}
    return [server for server in servers if server.lease_id == lease.id or server.flavor in flavors]


def require_ours(lease: Lease, servers: Iterable[Server], mark: Mark, *, alone: bool = False) -> None:
    """Refuse to end a lease that carries servers of others.

    Raises:
        NotOurs: another owner's server is on it, or one without a mark; if ``alone``, also one of another lab of ours.
    """
    others = sorted(server.name for server in servers_on(lease, servers) if not _is_ours(server, mark, alone=alone))
    if others:
        whose = "the lab's" if alone else "yours"
        raise NotOurs(
            f"the lease {lease.name} carries servers that are not {whose}: {', '.join(others)}",
            todo="have them deleted by those who made them; they would go with the lease",
        )


def _is_ours(server: Server, mark: Mark, *, alone: bool) -> bool:
    return server.mark == mark if alone else server.mark is not None and server.mark.owner == mark.owner


def _judge_running(wanted: LeaseWanted, lease: Lease, bench: Workbench, now: datetime) -> Verdict:
    booked = {item.flavor_name: item.amount for item in lease.reservations if item.kind == "flavor:instance"}
    short = {flavor: amount for flavor, amount in wanted.flavors.items() if booked.get(flavor, 0) < amount}
    if short and booked and all(booked):  # a site that does not say what is booked is taken at its word
        require_ours(lease, bench.seen.servers, bench.mark)
        differs = (Difference("books", _show(booked), _show(wanted.flavors)),)
        return Verdict(Op.REPLACE, f"it lacks {_show(short)}", lease, differs, _lost_with(lease, bench))
    return Verdict(Op.KEEP, f"ends in {format_duration(lease.end - now)}", lease)


def _lost_with(lease: Lease, bench: Workbench) -> str:
    names = sorted(server.name for server in servers_on(lease, bench.seen.servers) if server.has_run)
    return f"{', '.join(names)} on it, with what is on their disks" if names else ""


def _show(flavors: Mapping[str, int]) -> str:
    return ", ".join(f"{amount} × {flavor}" for flavor, amount in sorted(flavors.items())) or "nothing"
