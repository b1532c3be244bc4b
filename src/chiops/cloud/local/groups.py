"""Security groups and which server is in which, in the site's database."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from chiops.cloud.base import Mark, Rule, SecurityGroup
from chiops.cloud.local import ingress
from chiops.cloud.local.store import Store
from chiops.errors import Ambiguous, Conflict, InvalidRequest, NotFound

_TABLES = (
    "CREATE TABLE IF NOT EXISTS security_groups"
    " (id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL, mark TEXT NOT NULL, created TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS security_rules ("
    " group_id TEXT NOT NULL REFERENCES security_groups (id) ON DELETE CASCADE,"
    " protocol TEXT NOT NULL, port_min INTEGER NOT NULL, port_max INTEGER NOT NULL, cidr TEXT NOT NULL,"
    " PRIMARY KEY (group_id, protocol, port_min, port_max, cidr))",
    # no cascade: a group that a server is in cannot be deleted
    "CREATE TABLE IF NOT EXISTS server_groups (server_id TEXT NOT NULL,"
    " group_id TEXT NOT NULL REFERENCES security_groups (id), PRIMARY KEY (server_id, group_id))",
)


class Groups:
    """All of it is one transaction each, and says nothing to the nodes: `network` does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.define(*_TABLES)

    def every(self) -> list[SecurityGroup]:
        """All groups with their rules."""
        with self._store.transaction() as db:
            rules: dict[str, list[Rule]] = {}
            for row in db.execute("SELECT * FROM security_rules"):
                rules.setdefault(row["group_id"], []).append(_rule(row))
            return [
                _group(row, rules.get(row["id"], []))
                for row in db.execute("SELECT * FROM security_groups ORDER BY created")
            ]

    def create(self, name: str, description: str, mark: Mark) -> SecurityGroup:
        """A new group without rules; names may repeat."""
        if not name:
            raise InvalidRequest("A security group needs a name")
        group_id = str(uuid.uuid4())
        values = (group_id, name, description, mark.as_text(), datetime.now(UTC).isoformat())
        with self._store.transaction() as db:
            db.execute("INSERT INTO security_groups VALUES (?, ?, ?, ?, ?)", values)
            return _group(_need(db, group_id), [])

    def delete(self, group_id: str) -> None:
        """Delete a group that no server is in."""
        with self._store.transaction() as db:
            name = _need(db, group_id)["name"]
            if row := db.execute("SELECT server_id FROM server_groups WHERE group_id = ?", (group_id,)).fetchone():
                raise Conflict(f"Security group {name} cannot be deleted", why=f"server {row['server_id']} is in it")
            db.execute("DELETE FROM security_groups WHERE id = ?", (group_id,))

    def add_rule(self, group_id: str, rule: Rule) -> None:
        """Open what the rule says."""
        ingress.check(rule)
        with self._store.transaction() as db:
            name = _need(db, group_id)["name"]
            try:
                db.execute("INSERT INTO security_rules VALUES (?, ?, ?, ?, ?)", (group_id, *_values(rule)))
            except sqlite3.IntegrityError as error:
                raise Conflict(f"Security group {name} has this rule already") from error

    def remove_rule(self, group_id: str, rule: Rule) -> None:
        """Close what the rule opened."""
        with self._store.transaction() as db:
            name = _need(db, group_id)["name"]
            where = "group_id = ? AND protocol = ? AND port_min = ? AND port_max = ? AND cidr = ?"
            done = db.execute(f"DELETE FROM security_rules WHERE {where}", (group_id, *_values(rule)))  # noqa: S608 - constant
            if not done.rowcount:
                raise NotFound(f"Security group {name} has no such rule")

    def resolve(self, words: Sequence[str]) -> list[str]:
        """The ids of groups by name or id.

        Raises:
            NotFound, Ambiguous: no group has the name, or several do.
        """
        ids = []
        for word in dict.fromkeys(words):
            rows = self._store.rows("SELECT id FROM security_groups WHERE id = ?", (word,))
            rows = rows or self._store.rows("SELECT id FROM security_groups WHERE name = ?", (word,))
            if not rows:
                raise NotFound(f"No security group {word} at the local site")
            if len(rows) > 1:
                raise Ambiguous(
                    f"{len(rows)} security groups at the local site are named {word}", todo="use the id instead"
                )
            ids.append(str(rows[0]["id"]))
        return ids

    def assign(self, server_id: str, group_ids: Sequence[str]) -> None:
        """Put a server into exactly these groups."""
        with self._store.transaction() as db:
            db.execute("DELETE FROM server_groups WHERE server_id = ?", (server_id,))
            try:
                db.executemany(
                    "INSERT INTO server_groups VALUES (?, ?)", [(server_id, group_id) for group_id in group_ids]
                )
            except sqlite3.IntegrityError as error:
                raise NotFound("A security group of the server was deleted meanwhile") from error

    def of(self, server_id: str) -> list[str]:
        """The ids of a server's groups."""
        rows = self._store.rows("SELECT group_id FROM server_groups WHERE server_id = ?", (server_id,))
        return [row["group_id"] for row in rows]

    def names_by_server(self) -> dict[str, tuple[str, ...]]:
        """For every server that is in any, its groups' names."""
        query = "SELECT server_id, name FROM server_groups JOIN security_groups ON id = group_id ORDER BY name"
        found: dict[str, tuple[str, ...]] = {}
        for row in self._store.rows(query):
            found[row["server_id"]] = (*found.get(row["server_id"], ()), row["name"])
        return found

    def members(self, group_id: str) -> list[str]:
        """The servers in a group."""
        rows = self._store.rows("SELECT server_id FROM server_groups WHERE group_id = ?", (group_id,))
        return [row["server_id"] for row in rows]

    def rules_for(self, server_id: str) -> list[Rule]:
        """What all groups of a server open together."""
        query = (
            "SELECT DISTINCT protocol, port_min, port_max, cidr"
            " FROM security_rules NATURAL JOIN server_groups WHERE server_id = ?"
        )
        return [_rule(row) for row in self._store.rows(query, (server_id,))]


def _need(db: sqlite3.Connection, group_id: str) -> sqlite3.Row:
    row = db.execute("SELECT * FROM security_groups WHERE id = ?", (group_id,)).fetchone()
    if row is None:
        raise NotFound(f"No security group {group_id} at the local site")
    return cast(sqlite3.Row, row)


def _group(row: sqlite3.Row, rules: Sequence[Rule]) -> SecurityGroup:
    return SecurityGroup(
        id=row["id"],
        name=row["name"],
        description=row["description"],
        mark=Mark.from_text(row["mark"]),
        created=datetime.fromisoformat(row["created"]),
        rules=tuple(sorted(rules)),
    )


def _rule(row: sqlite3.Row) -> Rule:
    return Rule(row["protocol"], row["port_min"], row["port_max"], row["cidr"])


def _values(rule: Rule) -> tuple[str, int, int, str]:
    return rule.protocol, rule.port_min, rule.port_max, rule.cidr
