"""What the end of a lease deletes and what outlives it, and what it has cost until now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chiops.cloud.base import Flavor, Lease, Server, State, Volume
from chiops.lab.spec import LabSpec
from chiops.names import format_duration
from chiops.resources.booting import is_root_disk
from chiops.resources.kind import Seen
from chiops.resources.lease import servers_on
from chiops.resources.lease_policy import requests_of, service_units


@dataclass(frozen=True)
class Ending:
    """The end of a lease: which servers go, which paths on them outlive it, which do not. None where the servers are not known."""

    lease: str
    end: datetime
    seconds_left: int
    servers: tuple[str, ...] | None
    safe: tuple[str, ...]
    lost: tuple[str, ...]

    def sentence(self) -> str:
        """As a person is told."""
        left = format_duration(timedelta(seconds=self.seconds_left))
        if self.servers is None:
            return f"in {left} the lease {self.lease} ends; which servers are on it is not known"
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
    """What happens at a lease's end, as far as servers and volumes were read.

    Args:
        lease: it.
        seen: servers and volumes of its site.
        spec: the lab, None where its file can't be read; then only the servers are known.
        user: who logs in on nodes.
        now: the time.
    """
    left = max(0, int((lease.end - now).total_seconds()))
    if "servers" in seen.unread:
        return Ending(lease.name, lease.end, left, None, (), ())
    servers = sorted(servers_on(lease, seen.servers), key=lambda server: server.name)
    names = tuple(server.name for server in servers)
    if "volumes" in seen.unread:
        return Ending(lease.name, lease.end, left, names, (), ())
    fates = [fate for server in servers if server.mark == lease.mark for fate in _fates(server, seen, spec)]
    home = "/root" if user == "root" else f"/home/{user}"
    fates += [(home, False) for server in servers if not _outlives(server, seen)]
    lost = tuple(dict.fromkeys(path for path, outlives in fates if not outlives))
    safe = tuple(dict.fromkeys(path for path, _ in fates if path not in lost))
    return Ending(lease.name, lease.end, left, names, safe, lost)


def _fates(server: Server, seen: Seen, spec: LabSpec | None) -> Iterator[tuple[str, bool]]:
    """Where the lab mounts something on a server, and whether that outlives it.

    A volume does while it is attached; else the path is a folder on the root disk, and what is in it goes with that.
    """
    if spec is None:
        return
    for mount in spec.mounts:
        if mount.server == server.name:
            yield mount.path, True
    at = {volume.name for volume in seen.volumes if volume.mark == server.mark and _carries(server, volume)}
    for wanted in spec.volumes:
        if wanted.server == server.name and wanted.mount:
            yield wanted.mount, wanted.name in at or _outlives(server, seen)


def _carries(server: Server, volume: Volume) -> bool:
    return any(at.server_id == server.id and not is_root_disk(at) for at in volume.attachments)


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
