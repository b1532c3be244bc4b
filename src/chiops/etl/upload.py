"""Loads a folder into a bucket under a prefix, so that the prefix holds exactly that folder.

What is there already with the same size and checksum stays, so a killed upload continues. Afterwards everything is listed and
compared, and only then does the manifest say that the prefix is complete.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from . import manifest
from .config import S3Config
from .errors import EtlError
from .listing import Listed, list_prefix
from .manifest import File
from .protocol import Events, human_bytes
from .s3 import connect, explain

MARK = "chiops-sha256"
"""Metadata of every object of ours: the SHA-256 of its content."""

_IN_MEMORY = 8 * 2**20

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(slots=True)
class Uploaded:
    """What an upload did: the objects under the prefix now, how many were sent, were there, and were removed as stale."""

    files: dict[str, File] = field(default_factory=dict)
    uploaded: int = 0
    skipped: int = 0
    removed: int = 0

    @property
    def size(self) -> int:
        """Bytes under the prefix."""
        return sum(file.size for file in self.files.values())


class Upload:
    """One upload of the folder ``source`` to ``prefix``, whose images are those of ``dataset`` (for the manifest)."""

    def __init__(
        self, s3: S3Config, source: Path, prefix: str, format_name: str, dataset: Mapping[str, object], *, threads: int
    ) -> None:
        self._s3 = s3
        self._source = source
        self._prefix = prefix
        self._format = format_name
        self._dataset = dataset
        self._threads = threads
        self._client = connect(s3, threads)
        self._lock = threading.Lock()
        self._before: dict[str, Any] | None = None
        self._announced = False

    def run(self, events: Events) -> Uploaded:
        """Load, remove what is stale, verify, and write the manifest.

        Raises:
            EtlError: the service refuses or fails, the prefix holds objects that are not ours, or what arrived differs.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self._run(events)
        except (ClientError, BotoCoreError) as error:
            raise explain(error, self._s3) from error
        finally:
            self._client.close()

    def _run(self, events: Events) -> Uploaded:
        names = sorted(path.relative_to(self._source).as_posix() for path in self._source.rglob("*") if path.is_file())
        self._before = manifest.load(self._client, self._s3.bucket, self._prefix)
        there = list_prefix(self._client, self._s3.bucket, self._prefix)
        stale = sorted(set(there) - set(names))
        self._refuse_foreign(stale)
        done = Uploaded()
        self._send_all(names, there, done, events)
        if stale:
            self._announce()
            events.note(f"Removing {len(stale)} objects of an earlier dataset from {self._prefix}/")
            for _ in each(self._threads, self._delete, stale):
                done.removed += 1
        events.note(f"Verifying {len(names)} objects under {self._prefix}/")
        self._verify(done.files)
        content = manifest.document(self._prefix, self._format, self._dataset, done.files, complete=True)
        if not (self._before or {}).get("complete") or _substance(self._before) != _substance(content):
            manifest.store(self._client, self._s3.bucket, self._prefix, content)
        return done

    def _send_all(self, names: list[str], there: Mapping[str, Listed], done: Uploaded, events: Events) -> None:
        task, total, size = f"Upload {self._prefix}", len(names), 0

        def send(name: str) -> tuple[str, File, bool]:
            return self._send(name, there.get(name))

        for count, (name, file, sent) in enumerate(each(self._threads, send, names), start=1):
            done.files[name] = file
            done.uploaded += sent
            done.skipped += not sent
            size += file.size
            events.progress(task, count, total, "objects", human_bytes(size))

    def _send(self, name: str, there: Listed | None) -> tuple[str, File, bool]:
        """Bring one file to the bucket, unless the same is there; the file, and whether it was sent."""
        path = self._source / name
        size = path.stat().st_size
        if size <= _IN_MEMORY:
            data = path.read_bytes()
            md5, sha256 = hashlib.md5(data, usedforsecurity=False), hashlib.sha256(data)
            file = File(len(data), md5.hexdigest(), sha256.hexdigest())
            if not self._settled(name, file, there):
                self._put(name, file, data)
                return name, file, True
            return name, file, False
        with path.open(
            "rb"
        ) as stream:  # read twice rather than held: many threads of large shards would fill the memory
            md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
            while block := stream.read(1 << 20):
                md5.update(block)
                sha256.update(block)
            file = File(size, md5.hexdigest(), sha256.hexdigest())
            if self._settled(name, file, there):
                return name, file, False
            stream.seek(0)
            self._put(name, file, stream)
        return name, file, True

    def _settled(self, name: str, file: File, there: Listed | None) -> bool:
        """True if the object is there as it should be; raises if what is there instead is somebody else's."""
        if there is None:
            return False
        if there.size == file.size and self._same(name, file, there):
            return True
        self._refuse_foreign([name])
        return False

    def _same(self, name: str, file: File, there: Listed) -> bool:
        """By MD5, where the ETag is one; else by the checksum that we left with the object."""
        return there.md5 == file.md5 if there.md5 else self._mark(name) == file.sha256

    def _put(self, name: str, file: File, body: Any) -> None:
        self._announce()
        self._client.put_object(
            Bucket=self._s3.bucket,
            Key=f"{self._prefix}/{name}",
            Body=body,
            ContentMD5=base64.b64encode(bytes.fromhex(file.md5)).decode(),
            Metadata={MARK: file.sha256},
        )

    def _announce(self) -> None:
        """Before the first change: the manifest in the bucket, if any, no longer says that the prefix is complete."""
        with self._lock:
            if not self._announced and self._before and self._before.get("complete"):
                manifest.store(self._client, self._s3.bucket, self._prefix, self._before | {"complete": False})
            self._announced = True

    def _refuse_foreign(self, names: list[str]) -> None:
        known = (self._before or {}).get("files", {})
        unknown = [name for name in names if name not in known]
        marks = zip(unknown, each(self._threads, self._mark, unknown, ordered=True), strict=True)
        foreign = [name for name, mark in marks if not mark]
        if foreign:
            raise EtlError(
                f"{self._prefix}/ in bucket {self._s3.bucket} holds {len(foreign)} objects that chiops did not put there, "
                f"such as {foreign[0]}",
                todo="use another bucket, or move them away",
                kind="foreign",
            )

    def _mark(self, name: str) -> str:
        head = self._client.head_object(Bucket=self._s3.bucket, Key=f"{self._prefix}/{name}")
        return str(head.get("Metadata", {}).get(MARK, ""))

    def _delete(self, name: str) -> None:
        self._client.delete_object(Bucket=self._s3.bucket, Key=f"{self._prefix}/{name}")

    def _verify(self, files: Mapping[str, File]) -> None:
        there = list_prefix(self._client, self._s3.bucket, self._prefix)
        wrong = [name for name, file in files.items() if not self._arrived(name, file, there.get(name))]
        wrong += sorted(set(there) - set(files))
        if wrong:
            raise EtlError(
                f"{len(wrong)} objects under {self._prefix}/ are not what was uploaded, such as {wrong[0]}",
                why="something else writes to the bucket, or the service damaged them",
                todo="prepare again; only these are sent",
            )

    def _arrived(self, name: str, file: File, there: Listed | None) -> bool:
        return there is not None and there.size == file.size and self._same(name, file, there)


def each(threads: int, work: Callable[[_T], _R], items: Iterable[_T], *, ordered: bool = False) -> Iterator[_R]:
    """``work`` done on every item by some threads, results as they come; the first error stops the rest.

    Unlike `Executor.map` it keeps only a few items under way, however many there are.
    """
    if ordered:
        items = list(items)
        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(work, items)
        return
    source = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        running: set[Future[_R]] = {pool.submit(work, item) for item in islice(source, 2 * threads)}
        try:
            while running:
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()
                running |= {pool.submit(work, item) for item in islice(source, len(finished))}
        finally:
            for future in running:
                future.cancel()


def _substance(content: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (content or {}).items() if name != "written"}
