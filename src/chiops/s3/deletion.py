"""Deletes one batch of keys and says which of them would not go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from chiops.errors import CloudError, Conflict, InvalidRequest, NotFound, Timeout, Transient
from chiops.s3 import client as s3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

ATTEMPTS = 6
SMALL = 100
"""A batch of so many keys is not halved for being slow."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An object, one version of it, or a delete marker (``size`` 0); size in bytes."""

    key: str
    version: str = ""
    size: int = 0
    current: bool = True


@dataclass(slots=True)
class Outcome:
    """What became of a batch."""

    deleted: list[Entry] = field(default_factory=list)
    failed: list[tuple[Entry, CloudError]] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        """Take in what became of another part of the batch."""
        self.deleted += other.deleted
        self.failed += other.failed


class Throttle(Protocol):
    """Limits requests; told how they fare (see `purge.Gate`)."""

    def __enter__(self) -> None: ...
    def __exit__(self, *exc: object) -> None: ...
    def succeeded(self) -> None: ...
    def overloaded(self, attempt: int) -> None: ...


class Deleter:
    """Sends DeleteObjects, and DeleteObject for single keys that no batch can carry. Safe for threads."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def delete(self, batch: Sequence[Entry], throttle: Throttle) -> Outcome:
        """Delete a batch of at most 1000 entries.

        Raises:
            Transient, Timeout: the server was overloaded at each of `ATTEMPTS` attempts.
            Auth, NotFound: the key or the bucket is no good.
        """
        outcome = Outcome()
        todo = list(batch)
        for attempt in range(ATTEMPTS):
            try:
                with throttle:
                    done, again = self._request(todo)
            except (Transient, Timeout) as error:
                if attempt == ATTEMPTS - 1:
                    raise
                throttle.overloaded(attempt)
                if isinstance(error, Timeout) and len(todo) > SMALL:
                    # Swift's S3 layer deletes one key after the other before it answers
                    outcome.add(self._by_halves(todo, error, throttle))
                    return outcome
                continue
            except (InvalidRequest, Conflict) as error:
                outcome.add(self._by_halves(todo, error, throttle))
                return outcome
            outcome.add(done)
            if not again:
                throttle.succeeded()
                return outcome
            throttle.overloaded(attempt)
            todo = [entry for entry, _ in again]
        outcome.failed += again
        return outcome

    def _request(self, entries: Sequence[Entry]) -> tuple[Outcome, list[tuple[Entry, CloudError]]]:
        """One DeleteObjects; what it did, and the entries that the server asks us to try again."""
        doing = f"Deleting objects of the bucket {self._bucket}"
        with s3.translated(doing):
            answer = self._client.delete_objects(
                Bucket=self._bucket, Delete={"Objects": [_identifier(entry) for entry in entries], "Quiet": True}
            )
        errors = {(item.get("Key", ""), item.get("VersionId", "")): item for item in answer.get("Errors", [])}
        outcome = Outcome()
        again: list[tuple[Entry, CloudError]] = []
        for entry in entries:
            item = errors.get((entry.key, entry.version)) or errors.get((entry.key, ""))
            code = item.get("Code", "") if item else ""
            if item is None or code in {"NoSuchKey", "NoSuchVersion"}:
                outcome.deleted.append(entry)
                continue
            error = s3.from_code(doing, code, item.get("Message", ""))
            (again if isinstance(error, Transient) else outcome.failed).append((entry, error))
        return outcome, again

    def _by_halves(self, entries: Sequence[Entry], error: CloudError, throttle: Throttle) -> Outcome:
        """The server refuses the batch as a whole: some key cannot be written in XML, it knows no batches, or it is too slow."""
        if len(entries) == 1:
            return self._single(entries[0], error, throttle)
        middle = len(entries) // 2
        outcome = self.delete(entries[:middle], throttle)
        outcome.add(self.delete(entries[middle:], throttle))
        return outcome

    def _single(self, entry: Entry, error: CloudError, throttle: Throttle) -> Outcome:
        try:
            with throttle, s3.translated(error.what):
                if entry.version:
                    self._client.delete_object(Bucket=self._bucket, Key=entry.key, VersionId=entry.version)
                else:
                    self._client.delete_object(Bucket=self._bucket, Key=entry.key)
        except NotFound:
            pass
        except CloudError as again:
            return Outcome(failed=[(entry, again)])
        return Outcome(deleted=[entry])


def _identifier(entry: Entry) -> ObjectIdentifierTypeDef:
    return {"Key": entry.key, "VersionId": entry.version} if entry.version else {"Key": entry.key}
