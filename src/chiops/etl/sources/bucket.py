"""Objects of the bucket, below a prefix or by a list of keys, fetched by many threads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from ..config import S3Config
from ..errors import EtlError
from ..listing import list_prefix
from ..parallel import each
from ..protocol import Events
from ..s3 import connect, explain
from ..stages import check_room
from .base import Entry, put
from .sent import Sent

_BLOCK = 1 << 20
_BETWEEN = re.compile(r"[\s,]*")


@dataclass(frozen=True, slots=True)
class Prefix:
    """The objects below ``<prefix>/``."""

    s3: S3Config
    prefix: str
    threads: int

    @property
    def where(self) -> str:
        """The prefix, as S3 tools write it."""
        return f"s3://{self.s3.bucket}/{self.prefix}"

    def list(self, work: Path, events: Events) -> Iterator[Entry]:  # noqa: ARG002
        """Every object, as listed."""
        with _client(self.s3, 1) as client:
            for number, (name, found) in enumerate(list_prefix(client, self.s3.bucket, self.prefix), start=1):
                events.progress("List objects", number, 0, "objects")
                yield Entry(name, found.size, found.modified * 10**9, found.tag)

    def fetch(self, entries: Iterable[Entry], raw: Path, events: Events) -> None:
        """Fetch what is missing."""
        _fetch(self.s3, f"{self.prefix}/" if self.prefix else "", entries, raw, self.threads, events)

    def raw(self, work: Path) -> Path:
        """A folder of our own."""
        return work / "source"


@dataclass(frozen=True, slots=True)
class Index:
    """The objects whose keys an index lists: a JSON list, in the bucket under the key ``at``, or sent if that is empty."""

    s3: S3Config
    at: str
    threads: int
    sent: Sent

    @property
    def where(self) -> str:
        """The index."""
        return f"s3://{self.s3.bucket}/{self.at}" if self.at else self.sent.where

    def list(self, work: Path, events: Events) -> Iterator[Entry]:
        """Every key; sizes show when they are fetched.

        Raises:
            EtlError: it is not a JSON list of keys.
        """
        folder, path = work / "index", work / "index" / "index.json"
        if self.at:
            with _client(self.s3, 1) as client:
                put(Entry(self.at, -1), path, _get(client, self.s3, self.at)["Body"].iter_chunks(_BLOCK))
        else:
            entries = list(self.sent.list(work, events))
            self.sent.fetch(entries, folder, events)
            path = folder / entries[0].path
        with path.open(encoding="utf-8") as stream:
            for key in strings(stream, self.where):
                yield Entry(key, -1)

    def fetch(self, entries: Iterable[Entry], raw: Path, events: Events) -> None:
        """Fetch what is missing."""
        _fetch(self.s3, "", entries, raw, self.threads, events)

    def raw(self, work: Path) -> Path:
        """A folder of our own."""
        return work / "source"


def strings(stream: TextIO, where: str) -> Iterator[str]:
    """The members of a JSON list of texts, read piece by piece.

    Raises:
        EtlError: it is no such list.
    """
    decoder = json.JSONDecoder()
    wrong = EtlError(f"{where} is not a JSON list of keys", todo="make one with `chiops data index PREFIX`")
    text = stream.read(_BLOCK).lstrip("\ufeff \t\r\n")
    if not text.startswith("["):
        raise wrong
    place = 1
    while True:
        place = _BETWEEN.match(text, place).end()  # type: ignore[union-attr]
        try:
            if text[place : place + 1] == "]":
                return
            value, end = decoder.raw_decode(text, place)
        except ValueError:
            more = stream.read(_BLOCK)
            if not more:
                raise wrong from None
            text, place = text[place:] + more, 0
            continue
        if not isinstance(value, str):
            raise wrong
        place = end
        yield value


def _fetch(s3: S3Config, start: str, entries: Iterable[Entry], raw: Path, threads: int, events: Events) -> None:
    """Bring the objects ``start`` + path that are not in ``raw`` yet, by size and date."""
    total, needed = 0, 0
    for entry in entries:
        total += 1
        needed += 0 if entry.is_at(raw / entry.path) else max(entry.size, 0)
    check_room(raw, needed)
    with _client(s3, threads) as client:

        def bring(entry: Entry) -> None:
            place = raw / entry.path
            if entry.size < 0 and place.exists():  # a list tells nothing of it: the bucket does
                head = client.head_object(Bucket=s3.bucket, Key=start + entry.path)
                entry = _entry(entry.path, head)
            if not entry.is_at(place):
                found = _get(client, s3, start + entry.path)
                put(entry if entry.size >= 0 else _entry(entry.path, found), place, found["Body"].iter_chunks(_BLOCK))

        for done, _ in enumerate(each(threads, bring, entries), start=1):
            events.progress("Fetch objects", done, total, "objects")


def _entry(path: str, answer: Mapping[str, Any]) -> Entry:
    return Entry(path, int(answer["ContentLength"]), int(answer["LastModified"].timestamp()) * 10**9)


def _get(client: Any, s3: S3Config, key: str) -> Any:
    from botocore.exceptions import ClientError

    try:
        return client.get_object(Bucket=s3.bucket, Key=key)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in ("NoSuchKey", "404"):
            raise
        why = f"there is no object {key!r} in bucket {s3.bucket}"
        todo = "correct the prefix or the list, or prepare again if it was deleted just now"
        raise EtlError("what was listed cannot be had", why=why, todo=todo, kind="not-found") from None


@contextmanager
def _client(s3: S3Config, threads: int) -> Iterator[Any]:
    """A client whose failures are in words."""
    from botocore.exceptions import BotoCoreError, ClientError

    client = connect(s3, threads)
    try:
        yield client
    except (ClientError, BotoCoreError) as error:
        raise explain(error, s3) from error
    finally:
        client.close()
