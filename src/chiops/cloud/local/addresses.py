"""Which address belongs to which server, and which floating ones there are, in the site's database."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import cast

from chiops.cloud.base import FloatingIp, Mark, State
from chiops.cloud.local.store import Store
from chiops.errors import Capacity, Conflict, NotFound

_TABLES = (
    "CREATE TABLE IF NOT EXISTS fixed_ips (address TEXT PRIMARY KEY, server_id TEXT UNIQUE NOT NULL)",
    "CREATE TABLE IF NOT EXISTS floating_ips (id TEXT PRIMARY KEY, address TEXT UNIQUE NOT NULL, server_id TEXT NOT NULL,"
    " mark TEXT NOT NULL, created TEXT NOT NULL)",
)


class Addresses:
    """All of it is one transaction each, and says nothing to the nodes: `network` does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.define(*_TABLES)

    def reserve_fixed(self, server_id: str, pool: Iterable[str]) -> str:
        """A server's own address: the one it has, or the first of ``pool`` that no other server has.

        Raises:
            Capacity: all are taken.
        """
        with self._store.transaction() as db:
            taken = {row["address"]: row["server_id"] for row in db.execute("SELECT * FROM fixed_ips")}
            for address in pool:
                if taken.get(address) == server_id:
                    return address
            db.execute("DELETE FROM fixed_ips WHERE server_id = ?", (server_id,))
            for address in pool:
                if address not in taken:
                    db.execute("INSERT INTO fixed_ips VALUES (?, ?)", (address, server_id))
                    return address
        raise Capacity("No address is left for another server at the local site", todo="delete a server")

    def fixed(self) -> dict[str, str]:
        """Server id → address."""
        return {row["server_id"]: row["address"] for row in self._store.rows("SELECT * FROM fixed_ips")}

    def forget_server(self, server_id: str) -> None:
        """A server is gone: its own address is free, its floating ones are unbound."""
        with self._store.transaction() as db:
            db.execute("DELETE FROM fixed_ips WHERE server_id = ?", (server_id,))
            db.execute("UPDATE floating_ips SET server_id = '' WHERE server_id = ?", (server_id,))

    def floating(self) -> list[FloatingIp]:
        """All floating addresses."""
        return [_floating(row) for row in self._store.rows("SELECT * FROM floating_ips ORDER BY created")]

    def floating_of(self, server_id: str) -> list[str]:
        """The floating addresses bound to a server."""
        rows = self._store.rows("SELECT address FROM floating_ips WHERE server_id = ? ORDER BY created", (server_id,))
        return [row["address"] for row in rows]

    def create(self, pool: Iterable[str], mark: Mark) -> FloatingIp:
        """A floating address, bound to nothing.

        Raises:
            Capacity: all are taken.
        """
        with self._store.transaction() as db:
            taken = {row["address"] for row in db.execute("SELECT address FROM floating_ips")}
            address = next((address for address in pool if address not in taken), None)
            if address is None:
                raise Capacity("No floating address is left at the local site", todo="delete one that is not used")
            new_id = str(uuid.uuid4())
            values = (new_id, address, "", mark.as_text(), datetime.now(UTC).isoformat())
            db.execute("INSERT INTO floating_ips VALUES (?, ?, ?, ?, ?)", values)
            return _floating(_need(db, new_id))

    def bind(self, floating_ip_id: str, server_id: str) -> FloatingIp:
        """Bind an address; again to the same server is fine.

        Raises:
            Conflict: it is bound to another server.
        """
        with self._store.transaction() as db:
            row = _need(db, floating_ip_id)
            if row["server_id"] not in ("", server_id):
                raise Conflict(f"Floating address {row['address']} is bound to another server", todo="unbind it first")
            db.execute("UPDATE floating_ips SET server_id = ? WHERE id = ?", (server_id, floating_ip_id))
            return _floating(_need(db, floating_ip_id))

    def unbind(self, floating_ip_id: str) -> tuple[FloatingIp, str]:
        """Unbind an address; the address, and the server that had it or nothing."""
        with self._store.transaction() as db:
            had = str(_need(db, floating_ip_id)["server_id"])
            db.execute("UPDATE floating_ips SET server_id = '' WHERE id = ?", (floating_ip_id,))
            return _floating(_need(db, floating_ip_id)), had

    def delete(self, floating_ip_id: str) -> tuple[FloatingIp, str]:
        """Give an address back; the address, and the server that had it or nothing."""
        with self._store.transaction() as db:
            row = _need(db, floating_ip_id)
            db.execute("DELETE FROM floating_ips WHERE id = ?", (floating_ip_id,))
            return _floating(row), row["server_id"]


def _need(db: sqlite3.Connection, floating_ip_id: str) -> sqlite3.Row:
    row = db.execute("SELECT * FROM floating_ips WHERE id = ?", (floating_ip_id,)).fetchone()
    if row is None:
        raise NotFound(f"No floating address {floating_ip_id} at the local site")
    return cast(sqlite3.Row, row)


def _floating(row: sqlite3.Row) -> FloatingIp:
    bound = bool(row["server_id"])
    return FloatingIp(
        id=row["id"],
        name=row["address"],
        address=row["address"],
        server_id=row["server_id"],
        status="ACTIVE" if bound else "DOWN",
        state=State.IN_USE if bound else State.READY,
        mark=Mark.from_text(row["mark"]),
        created=datetime.fromisoformat(row["created"]),
    )
