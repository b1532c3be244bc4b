"""The rules between resources: what the clock ends, what a deletion takes along, how many of each there may be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from chiops.errors import NotFound, Quota
from tests.support.fast_cloud.store import Row, Store

PROJECT = "project-1"
LOOKS = 2
"""How often a resource is looked at until it is where it was going to."""
QUOTA = {
    "server": 40,
    "volume": 40,
    "group": 40,
    "address": 20,
    "keypair": 40,
    "bucket": 100,
    "lease": 40,
    "credential": 40,
}


@dataclass
class World:
    """The file with its rules, as one user sees and changes it."""

    path: Path
    user: str = "me"
    quota: dict[str, int] = field(default_factory=lambda: dict(QUOTA))

    def __post_init__(self) -> None:
        self.store = Store(self.path)

    @contextmanager
    def turn(self) -> Iterator[Store]:
        """A request: what the clock has ended is ended first; all that the request does is done, or nothing."""
        self._tick()
        with self.store.change():
            yield self.store

    def _tick(self) -> None:
        with self.store.change():
            for lease in self.store.rows("lease"):
                ends = datetime.fromisoformat(lease.body["end"])
                if lease.status == "ACTIVE" and ends <= datetime.now(UTC):
                    self.end_servers(lease.id)
                    lease.status, lease.then = "TERMINATED", ""
                    self.store.save(lease)

    def see(self, kind: str) -> list[Row]:
        """All of a kind, each looked at."""
        return [row for row in map(self._look, self.store.rows(kind)) if row]

    def need(self, kind: str, id_: str, noun: str) -> Row:
        """One of a kind as it is.

        Raises:
            NotFound: there is none of that id.
        """
        row = self.store.row(kind, id_)
        if row is None:
            raise NotFound(f"there is no {noun} {id_}")
        return row

    def look(self, kind: str, id_: str, noun: str) -> Row:
        """One of a kind, looked at: a request of its own."""
        self._tick()
        with self.store.change():
            row = self._look(self.need(kind, id_, noun))
        if row is None:
            raise NotFound(f"there is no {noun} {id_}")
        return row

    def check_quota(self, kind: str, noun: str) -> None:
        """Refuse one more than there may be."""
        if len(self.store.rows(kind)) >= self.quota[kind]:
            raise Quota(f"no {noun} was made", why=f"the quota of {self.quota[kind]} is used up")

    def heads(self, row: Row, status: str, then: str) -> Row:
        """Have a resource take ``status`` now and ``then`` after a few looks."""
        row.status, row.then, row.looks = status, then, LOOKS
        return self.store.save(row)

    def end_servers(self, lease_id: str) -> None:
        """Begin to delete every server of a lease."""
        for server in self.store.rows("server"):
            if server.body["lease"] == lease_id and server.then != "gone":
                self.heads(server, "DELETING", "gone")

    def _look(self, row: Row) -> Row | None:
        if not row.then:
            return row
        row.looks -= 1
        if row.looks > 0:
            return self.store.save(row)
        row.status, row.then = row.then, ""
        if row.status == "gone":
            self._gone(row)
            return None
        if row.kind == "volume" and row.status == "available":
            row.body["at"] = None
        return self.store.save(row)

    def _gone(self, row: Row) -> None:
        self.store.remove(row)
        if row.kind == "lease":
            self.end_servers(row.id)
        if row.kind != "server":
            return
        for volume in self.store.rows("volume"):
            if (volume.body["at"] or {}).get("server") == row.id:
                if volume.body.get("ends_with_server"):
                    self.store.remove(volume)
                else:
                    self.heads(volume, "detaching", "available")
        for address in self.store.rows("address"):
            if address.body["server"] == row.id:
                address.body["server"] = ""
                self.store.save(address)
