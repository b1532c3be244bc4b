"""Where a person's own images are: a folder here, a folder on the node, or the lab's bucket; and how a folder is sent."""

from __future__ import annotations

import base64
import json
import posixpath
import queue
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from chiops.errors import DataError, NotFound, UsageError
from chiops.etl.errors import EtlError
from chiops.etl.sources.arrange import ByFolders
from chiops.etl.sources.base import Entry, counts
from chiops.etl.sources.folder import entries

_PIECE = 1 << 18
_ELSEWHERE = re.compile(r"(?P<scheme>node|s3):(?P<rest>.*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_TAKEN = ("food11", "food11-synthetic", "Food-11", "manifests")
_ENDINGS = ("-webdataset", "-litdata", "-mds")


@dataclass(frozen=True, slots=True)
class Source:
    """A place as a person writes it.

    Args:
        kind: ``here``, ``node`` or ``bucket``.
        path: a path there; in the bucket a prefix or key.
        bucket: the bucket's name, if one was given.
    """

    kind: Literal["here", "node", "bucket"]
    path: str
    bucket: str = ""

    @classmethod
    def parse(cls, text: str) -> Source:
        """``PATH`` here, ``node:/PATH``, ``s3:PREFIX`` or ``s3://BUCKET/PREFIX``.

        Raises:
            UsageError: it is none of these.
        """
        match = _ELSEWHERE.fullmatch(text)
        if "\0" in text:
            raise UsageError(f"{text!r} is no source", todo="give a path")
        if not match:
            try:
                return cls("here", str(Path(text).expanduser()))
            except RuntimeError as error:  # ~somebody, whom this machine does not know
                raise UsageError(f"{text!r} is no source", why=str(error), todo="give a path") from None
        rest = match["rest"]
        if match["scheme"] == "node":
            if not rest.startswith("/") or ":" in rest:
                raise UsageError(f"{text!r} is no source", todo="give an absolute path on the node, without a colon")
            return cls("node", rest)
        bucket, _, key = rest[2:].partition("/") if rest.startswith("//") else ("", "", rest)
        return cls("bucket", key.strip("/"), bucket)

    def told_as(self) -> str:
        """The place in full, so that another is another, from wherever it is named; "" in the bucket, whose keys say it."""
        match self.kind:
            case "here":
                return str(Path(self.path).resolve())
            case "node":
                return f"node:{posixpath.normpath(self.path)}"
        return ""

    def usual_name(self) -> str:
        """What a dataset from there is called if nobody says: the last part of the path, in letters that do for a key."""
        last = Path(self.path).resolve().name if self.kind == "here" else Path(self.path).name
        return re.sub(r"[^A-Za-z0-9._-]+", "-", last.removesuffix(".json")).strip("-._")[:63]


def check_name(name: str) -> str:
    """``name``, if a dataset of one's own may have it.

    Raises:
        UsageError: it may not.
    """
    if not _NAME.fullmatch(name):
        why = "letters, digits, dots, dashes and underscores make a name, 63 at most"
        raise UsageError(f"a dataset cannot be called {name!r}", why=why, todo="give it another --name")
    if name in _TAKEN or name.endswith(_ENDINGS):
        why = "that name is taken, or ends as a format's prefix does"
        raise UsageError(f"a dataset cannot be called {name!r}", why=why, todo="give it another --name")
    return name


class Sending:
    """Files of this machine, as `chiops.etl.sources.sent` on the node wants them; made and checked before anything starts.

    Args:
        path: a folder of images, or a single file.
        split: what `ByFolders` is told, to see early that the folder is no tree of classes.

    Raises:
        NotFound: there is no such file or folder.
        DataError: it is a tree without classes, or holds what cannot be prepared.
    """

    def __init__(self, path: Path, split: str = "") -> None:
        self._path = path
        self._wanted: queue.Queue[bytes | None] = queue.Queue()
        if not self._path.exists():
            raise NotFound(
                f"there is no file or folder {path} here", todo="check the path; node: and s3: are elsewhere"
            )
        self._listing = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - kept until the end
        try:
            self._list(split)
        except EtlError as error:
            raise DataError(error.what, why=error.why, todo=error.todo) from None

    def on_event(self, event: dict[str, Any]) -> None:
        """Take note of what the node asks for."""
        if event["event"] == "wanted":
            self._wanted.put(base64.b64decode(event["bits"]))

    def end(self) -> None:
        """The node has ended: it asks for nothing any more."""
        self._wanted.put(None)

    def pieces(self) -> Iterator[bytes]:
        """The list of files, and when the node has asked, their content.

        Raises:
            DataError: a file changed or vanished meanwhile.
        """
        self._listing.seek(0)
        while piece := self._listing.read(_PIECE):
            yield piece.encode()
        yield b"\n"
        bits = self._wanted.get()
        self._listing.seek(0)
        for number, line in enumerate(self._listing if bits else ()):
            if bits and bits[number // 8] >> number % 8 & 1:
                name, size, _ = json.loads(line)
                yield from self._content(name, size)

    def _list(self, split: str) -> None:
        arrangement = ByFolders(split)
        for entry in self._entries():
            self._listing.write(json.dumps([entry.path, entry.size, entry.modified]) + "\n")
            arrangement.learn(entry.path)
        if self._path.is_dir():
            arrangement.settle(str(self._path))

    def _entries(self) -> Iterator[Entry]:
        if self._path.is_dir():
            return (entry for entry in entries(self._path) if counts(entry.path))
        facts = self._path.stat()
        return iter([Entry("index.json", facts.st_size, facts.st_mtime_ns)])

    def _content(self, name: str, size: int) -> Iterator[bytes]:
        path = self._path / name if self._path.is_dir() else self._path
        left = size
        try:
            with path.open("rb") as stream:
                while left and (piece := stream.read(min(left, _PIECE))):
                    left -= len(piece)
                    yield piece
                more = stream.read(1)
        except FileNotFoundError:
            left, more = 1, b""
        if left or more:
            raise DataError(f"{path} changed while it was sent", todo="prepare again; what has arrived is kept")
