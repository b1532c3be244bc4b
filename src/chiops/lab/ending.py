"""What the end of a lease deletes and what outlives it, and what it has cost until now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chiops.cloud.base import Flavor, Lease, Server, State
from chiops.lab.health import paths_on
from chiops.lab.spec import LabSpec
from chiops.names import format_duration
from chiops.resources.booting import is_root_disk
from chiops.resources.kind import Seen
from chiops.resources.lease import servers_on
from chiops.resources.lease_policy import requests_of, service_units


@dataclass(frozen=True)
class Ending:
    """The end of a lease: which servers go, which paths on them outlive it, which do not."""

    lease: str
    end: datetime
    seconds_left: int
    servers: tuple[str, ...]
    safe: tuple[str, ...]
    lost: tuple[str, ...]

    def sentence(self) -> str:
        """As a person is told."""
        left = format_duration(timedelta(seconds=self.seconds_left))
        if not self.servers:
            return f"in {left} the lease {self.lease} ends; no server is on it"
        goes = "goes" if len(self.servers) == 1 else "go"
        parts = [f"in {left} {_and(self.servers)} {goes}"]
        fates = [f"{_and(self.safe)} {'is' if len(self.safe) == 1 else 'are'} safe"] if self.safe else []
        if self.lost:
            verb = "is" if len(self.lost) == 1 else "are"
            fates.append(f"{_and(self.lost)} {verb} not" if self.safe else f"{_and(self.lost)} {verb} lost")
        return "; ".join([*parts, ", ".join(fates)] if fates else parts)


@dataclass(frozen=True)
class Units:
    """Service units: what leases have used, and what they will have used more when they end."""

    used: float
    to_come: float


def ending(lease: Lease, seen: Seen, spec: LabSpec | None, user: str, now: datetime) -> Ending:
    """What happens at a lease's end.

    Args:
        lease: it.
        seen: servers and volumes of its site.
        spec: the lab, None where its file can't be read; then only the servers are known.
        user: who logs in on nodes.
        now: the time.
    """
    servers = servers_on(lease, seen.servers)
    names = tuple(sorted(server.name for server in servers))
    safe = tuple(dict.fromkeys(path for name in names for path in (paths_on(spec, name) if spec else ())))
    home = "/root" if user == "root" else f"/home/{user}"
    lost = () if all(_outlives(server, seen) for server in servers) else (home,)
    return Ending(lease.name, lease.end, max(0, int((lease.end - now).total_seconds())), names, safe, lost)


def _outlives(server: Server, seen: Seen) -> bool:
    """Whether its root disk is a volume that somebody marked: one that goes with its server has no mark of its own."""
    return any(
        at.server_id == server.id and is_root_disk(at) and volume.mark is not None
        for volume in seen.volumes
        for at in volume.attachments
    )


def units(leases: Sequence[Lease], flavors: Sequence[Flavor], now: datetime) -> Units | None:
    """What the leases have cost and will cost; None where the site publishes no price for one of them."""
    used = to_come = 0.0
    for lease in leases:
        price = service_units(requests_of(lease), flavors, timedelta(hours=1))
        if price is None:
            return None
        last = min(now, lease.end)
        used += price * max(0.0, (last - lease.start).total_seconds() / 3600)
        if lease.state in (State.READY, State.PENDING):
            to_come += price * max(0.0, (lease.end - max(now, lease.start)).total_seconds() / 3600)
    return Units(used, to_come) if leases else None


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
