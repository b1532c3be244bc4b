"""The S3 keys of the site: those that labs ask for, and one of our own with which buckets are made."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from chiops.cloud.base import Mark
from chiops.cloud.local.store import Store
from chiops.errors import NotFound

_USER_ACTIONS = ("Read", "Write", "List", "Tagging")
"""SeaweedFS's words for all that can be done with objects, in any bucket; making and deleting buckets is ``Admin``."""


@dataclass(frozen=True, slots=True)
class Key:
    """An S3 key pair. ``mark`` is None for our own."""

    access: str
    secret: str = field(repr=False)
    mark: Mark | None = None
    created: datetime | None = None


class Keys:
    """The table of keys, in the site's database, which only its owner can read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.define(
            "CREATE TABLE IF NOT EXISTS s3_keys (access TEXT PRIMARY KEY, secret TEXT NOT NULL, role TEXT NOT NULL,"
            " lab TEXT NOT NULL DEFAULT '', owner TEXT NOT NULL DEFAULT '', created TEXT NOT NULL)"
        )
        # 0 between a key's row and the server's knowing of it: who is killed there leaves a key that is listed and refused.
        store.add_columns("s3_keys", told="INTEGER NOT NULL DEFAULT 1")

    def list(self) -> Sequence[Key]:
        """The keys that labs asked for, oldest first."""
        rows = self._store.rows("SELECT * FROM s3_keys WHERE role = 'user' ORDER BY created, access")
        return [
            Key(row["access"], row["secret"], Mark(row["lab"], row["owner"]), datetime.fromisoformat(row["created"]))
            for row in rows
        ]

    def add(self, mark: Mark) -> Key:
        """A new key; it works as soon as the S3 server has been told."""
        key = Key(secrets.token_hex(16), secrets.token_hex(20), mark, datetime.now(UTC))
        self._insert(key, "user")
        return key

    def revoke(self, access: str) -> None:
        """Forget the secret and note that the key must be refused; it is listed no more.

        Raises:
            NotFound: there is no such key.
        """
        if not self._store.execute(
            "UPDATE s3_keys SET role = 'revoked', secret = '', told = 0 WHERE access = ? AND role = 'user'", (access,)
        ):
            raise NotFound(f"No S3 key {access} at the local site")

    def untold(self) -> Sequence[Key]:
        """Keys that the S3 server may not know of yet; those without a secret are revoked."""
        return [Key(row["access"], row["secret"]) for row in self._store.rows("SELECT * FROM s3_keys WHERE NOT told")]

    def told(self, keys: Sequence[Key]) -> None:
        """Note that the S3 server knows them as they are."""
        for key in keys:
            self._store.execute("UPDATE s3_keys SET told = 1 WHERE access = ? AND secret = ?", (key.access, key.secret))

    def forget_revoked(self) -> None:
        """Drop revoked keys for good; right when no S3 server runs that might still know them."""
        self._store.execute("DELETE FROM s3_keys WHERE role = 'revoked'")

    def admin(self) -> Key:
        """Our own key, made when it is first asked for."""
        with self._store.transaction() as db:
            row = db.execute("SELECT * FROM s3_keys WHERE role = 'admin'").fetchone()
            if row is None:
                key = Key(secrets.token_hex(16), secrets.token_hex(20), created=datetime.now(UTC))
                db.execute(*_insertion(key, "admin"))
                return key
        return Key(row["access"], row["secret"])

    def identities(self) -> dict[str, object]:
        """SeaweedFS's configuration of who may do what.

        A reload adds and changes identities but drops none that have gone from the file, so a revoked key stays in it, with
        no credentials, until the server has been started anew.
        """
        admin = self.admin()
        revoked = self._store.rows("SELECT access FROM s3_keys WHERE role = 'revoked' ORDER BY access")
        return {
            "identities": [
                _identity("admin", ["Admin"], admin),
                *(_identity(key.access, list(_USER_ACTIONS), key) for key in self.list()),
                *({"name": row["access"], "credentials": [], "actions": []} for row in revoked),
            ]
        }

    def _insert(self, key: Key, role: str) -> None:
        self._store.execute(*_insertion(key, role))


def _insertion(key: Key, role: str) -> tuple[str, tuple[str | int, ...]]:
    lab, owner = (key.mark.lab, key.mark.owner) if key.mark else ("", "")
    created = (key.created or datetime.now(UTC)).isoformat()
    columns = "(access, secret, role, lab, owner, created, told) VALUES (?, ?, ?, ?, ?, ?, ?)"
    return f"INSERT INTO s3_keys {columns}", (key.access, key.secret, role, lab, owner, created, int(role == "admin"))


def _identity(name: str, actions: list[str], key: Key) -> dict[str, object]:
    return {"name": name, "credentials": [{"accessKey": key.access, "secretKey": key.secret}], "actions": actions}
