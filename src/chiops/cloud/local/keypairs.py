"""Public keys that servers let in, in the site's database."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from datetime import UTC, datetime

from chiops.cloud.base import Keypair, Mark
from chiops.cloud.local.store import Store
from chiops.errors import Conflict, InvalidRequest, NotFound

_TABLE = (
    "CREATE TABLE IF NOT EXISTS keypairs"
    " (name TEXT PRIMARY KEY, public_key TEXT NOT NULL, mark TEXT NOT NULL, created TEXT NOT NULL)"
)


class Keypairs:
    """Names are unique, as at Nova."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.define(_TABLE)

    def every(self) -> list[Keypair]:
        """All keypairs."""
        return [_keypair(row) for row in self._store.rows("SELECT * FROM keypairs ORDER BY created")]

    def get(self, name: str) -> Keypair:
        """The keypair of this name.

        Raises:
            NotFound: there is none.
        """
        row = self._store.row("SELECT * FROM keypairs WHERE name = ?", (name,))
        if row is None:
            raise NotFound(f"No keypair {name} at the local site")
        return _keypair(row)

    def create(self, name: str, public_key: str, mark: Mark) -> Keypair:
        """Keep a public key under a name.

        Raises:
            InvalidRequest: it is no public key.
            Conflict: the name is taken.
        """
        fingerprint(public_key)
        values = (name, public_key.strip(), mark.as_text(), datetime.now(UTC).isoformat())
        try:
            self._store.execute("INSERT INTO keypairs VALUES (?, ?, ?, ?)", values)
        except sqlite3.IntegrityError as error:
            raise Conflict(f"A keypair named {name} exists at the local site") from error
        return self.get(name)

    def delete(self, name: str) -> None:
        """Forget a keypair; servers made with it keep the key."""
        if not self._store.execute("DELETE FROM keypairs WHERE name = ?", (name,)):
            raise NotFound(f"No keypair {name} at the local site")


def fingerprint(public_key: str) -> str:
    """The MD5 fingerprint that Nova shows.

    Raises:
        InvalidRequest: the text is no public key in OpenSSH's format.
    """
    words = public_key.split()
    try:
        kind, blob = words[0], base64.b64decode(words[1], validate=True)
    except (IndexError, ValueError) as error:
        raise _no_key("it is not a line like ssh-ed25519 AAAA… name") from error
    fields = _fields(blob)
    if len(public_key.strip().splitlines()) != 1 or len(fields) < 2 or fields[0] != kind.encode():
        raise _no_key("its inner parts do not fit together")
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[index : index + 2] for index in range(0, len(digest), 2))


def _fields(blob: bytes) -> list[bytes]:
    """The length-prefixed fields that a key consists of; none if they do not fill it exactly."""
    fields, at = [], 0
    while at < len(blob):
        size = int.from_bytes(blob[at : at + 4])
        field = blob[at + 4 : at + 4 + size]
        if at + 4 > len(blob) or len(field) != size:
            return []
        fields.append(field)
        at += 4 + size
    return fields


def _no_key(why: str) -> InvalidRequest:
    return InvalidRequest("That is no public key", why=why, todo="give the content of the .pub file")


def _keypair(row: sqlite3.Row) -> Keypair:
    return Keypair(
        id=row["name"],
        name=row["name"],
        public_key=row["public_key"],
        fingerprint=fingerprint(row["public_key"]),
        mark=Mark.from_text(row["mark"]),
        created=datetime.fromisoformat(row["created"]),
    )
