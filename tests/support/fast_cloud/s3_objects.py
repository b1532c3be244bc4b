"""Objects in the fast cloud's file: versions, delete markers and unfinished uploads included."""

from __future__ import annotations

import sqlite3
import uuid
from dataclasses import dataclass

from tests.support.fast_cloud.store import Store

UNVERSIONED = "null"


@dataclass(frozen=True)
class Version:
    """An object as listed, or a delete marker."""

    key: str
    version: str
    size: int
    marker: bool
    latest: bool
    modified: str


class Objects:
    """What the S3 server reads and writes. Each call is one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def secret(self, access: str) -> str | None:
        """The secret of a key; None for one that is not known."""
        row = self._store.row("credential", access)
        return str(row.body["secret"]) if row else None

    def exists(self, bucket: str) -> bool:
        return self._store.row("bucket", bucket) is not None

    def versioned(self, bucket: str, turn: bool | None = None) -> bool:
        """Whether the bucket keeps versions; ``turn`` switches that."""
        with self._store.change():
            row = self._store.row("bucket", bucket)
            if row is None:
                return False
            if turn is not None:
                row.body["versioned"] = turn
                self._store.save(row)
            return bool(row.body.get("versioned"))

    def put(self, bucket: str, key: str, data: bytes, *, marker: bool = False) -> None:
        """Write an object, or a delete marker."""
        with self._store.change():
            keep = self.versioned(bucket)
            if not keep:
                self._store.db.execute(
                    "DELETE FROM objects WHERE bucket = ? AND key = ? AND version = ?", (bucket, key, UNVERSIONED)
                )
            version = uuid.uuid4().hex if keep else UNVERSIONED
            self._store.db.execute(
                "INSERT INTO objects (bucket, key, version, marker, data) VALUES (?, ?, ?, ?, ?)",
                (bucket, key, version, marker, data),
            )

    def get(self, bucket: str, key: str) -> bytes | None:
        """The newest version's content; None if there is none, or it is deleted."""
        rows = self._rows(
            "SELECT * FROM objects WHERE bucket = ? AND key = ? ORDER BY number DESC LIMIT 1", bucket, key
        )
        return None if not rows or rows[0]["marker"] else bytes(rows[0]["data"])

    def delete(self, bucket: str, key: str, version: str = "") -> None:
        """Delete one version; without one the object, which a versioned bucket hides behind a marker."""
        with self._store.change():
            if not version and self.versioned(bucket):
                self.put(bucket, key, b"", marker=True)
                return
            self._store.db.execute(
                "DELETE FROM objects WHERE bucket = ? AND key = ? AND (version = ? OR ? = '')",
                (bucket, key, version, version),
            )

    def versions(self, bucket: str) -> list[Version]:
        """All versions by key, newest first."""
        rows = self._rows(
            "SELECT key, version, length(data) AS size, marker, modified FROM objects WHERE bucket = ? ORDER BY key, number DESC",
            bucket,
        )
        found: list[Version] = []
        for row in rows:
            latest = not found or found[-1].key != row["key"]
            found.append(Version(row["key"], row["version"], row["size"], bool(row["marker"]), latest, row["modified"]))
        return found

    def current(self, bucket: str, prefix: str = "") -> list[Version]:
        """The objects that a plain listing shows."""
        return [one for one in self.versions(bucket) if one.latest and not one.marker and one.key.startswith(prefix)]

    def count(self, bucket: str) -> tuple[int, int]:
        """Objects and their bytes."""
        found = self.current(bucket)
        return len(found), sum(one.size for one in found)

    def is_empty(self, bucket: str) -> bool:
        """Whether not even an old version is left."""
        return not self.versions(bucket)

    # Uploads in parts

    def begin(self, bucket: str, key: str) -> str:
        upload = uuid.uuid4().hex
        with self._store.change():
            self._store.db.execute("INSERT INTO uploads VALUES (?, ?, ?)", (upload, bucket, key))
        return upload

    def uploads(self, bucket: str) -> list[tuple[str, str]]:
        """Key and id of every unfinished upload."""
        rows = self._rows("SELECT key, id FROM uploads WHERE bucket = ? ORDER BY key, id", bucket)
        return [(row["key"], row["id"]) for row in rows]

    def part(self, upload: str, number: int, data: bytes) -> None:
        with self._store.change():
            self._store.db.execute("INSERT OR REPLACE INTO parts VALUES (?, ?, ?)", (upload, number, data))

    def complete(self, upload: str, bucket: str, key: str) -> None:
        with self._store.change():
            parts = self._rows("SELECT data FROM parts WHERE upload = ? ORDER BY number", upload)
            self.put(bucket, key, b"".join(bytes(part["data"]) for part in parts))
            self.abort(upload)

    def abort(self, upload: str) -> bool:
        """Forget an upload; whether there was one."""
        with self._store.change():
            self._store.db.execute("DELETE FROM parts WHERE upload = ?", (upload,))
            return self._store.db.execute("DELETE FROM uploads WHERE id = ?", (upload,)).rowcount > 0

    def _rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        with self._store.change():
            return self._store.db.execute(sql, values).fetchall()
