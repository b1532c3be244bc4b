"""Loads a folder into a bucket under a prefix, so that the prefix holds exactly that folder.

What is there already with the same size and checksum stays, so a killed upload continues. Afterwards everything is listed and
compared, and only then does the manifest say that the prefix is complete. Names are kept in a `Ledger`, on disk.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import manifest
from .config import S3Config
from .errors import EtlError
from .ledger import Ledger
from .listing import Listed, list_prefix
from .manifest import File
from .parallel import each
from .protocol import Events, human_bytes
from .s3 import connect, explain

MARK = "chiops-sha256"
"""Metadata of every object of ours: the SHA-256 of its content."""

_IN_MEMORY = 8 * 2**20


@dataclass(slots=True)
class Uploaded:
    """What an upload did: the objects under the prefix now, how many were sent, were there, and were removed as stale.

    ``sha256`` is the hash of all names and contents, as in the manifest.
    """

    objects: int = 0
    bytes: int = 0
    sha256: str = ""
    uploaded: int = 0
    skipped: int = 0
    removed: int = 0


class Upload:
    """One upload of files below the folder ``source`` to ``prefix``, whose images are those of ``dataset`` (for the manifest)."""

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

    def run(self, names: Iterable[str], scratch: Path, events: Events) -> Uploaded:
        """Load, remove what is stale, verify, and write the manifest.

        Args:
            names: the files, relative to the source.
            scratch: a folder for what is noted meanwhile.
            events: told how far it is.

        Raises:
            EtlError: the service refuses or fails, the prefix holds objects that are not ours, or what arrived differs.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            scratch.mkdir(parents=True, exist_ok=True)
            with Ledger(scratch / f"{self._prefix}.upload.sqlite") as ledger:
                return self._run(ledger, names, scratch / f"{self._prefix}.files.jsonl", events)
        except (ClientError, BotoCoreError) as error:
            raise explain(error, self._s3) from error
        finally:
            self._client.close()

    def _run(self, ledger: Ledger, names: Iterable[str], lines: Path, events: Events) -> Uploaded:
        total = ledger.want(names)
        self._before = manifest.load(self._client, self._s3.bucket, self._prefix)
        if self._before is not None:
            ledger.know(name for name, _ in manifest.load_files(self._client, self._s3.bucket, self._prefix))
        ledger.list(list_prefix(self._client, self._s3.bucket, self._prefix))
        self._refuse_foreign(ledger, ledger.stale())
        done = Uploaded()
        self._send_all(ledger, total, done, events)
        for done.removed, _ in enumerate(each(self._threads, self._delete, self._removing(ledger, events)), start=1):
            pass
        events.note(f"Verifying {total} objects under {self._prefix}/")
        self._verify(ledger)
        done.objects, done.bytes = ledger.totals()
        done.sha256 = manifest.write_files(lines, ledger.files())
        self._conclude(done, lines)
        return done

    def _conclude(self, done: Uploaded, lines: Path) -> None:
        """Write the manifest, unless it says all that already."""
        content = manifest.document(
            self._prefix, self._format, self._dataset, objects=done.objects, size=done.bytes, sha256=done.sha256
        )
        if _substance(self._before) != _substance(content) or self._announced:
            self._announce()
            manifest.store_files(self._client, self._s3.bucket, self._prefix, lines)
            manifest.store(self._client, self._s3.bucket, self._prefix, content)
        lines.unlink()

    def _send_all(self, ledger: Ledger, total: int, done: Uploaded, events: Events) -> None:
        task, size = f"Upload {self._prefix}", 0

        def checked() -> Iterable[tuple[str, Listed | None, bool]]:
            return ((name, there, ledger.knows(name)) for name, there in ledger.plan())

        results = each(self._threads, lambda one: self._send(*one), checked())
        for count, (name, file, sent) in enumerate(results, start=1):
            ledger.put(name, file)
            done.uploaded += sent
            done.skipped += not sent
            size += file.size
            events.progress(task, count, total, "objects", human_bytes(size))

    def _removing(self, ledger: Ledger, events: Events) -> Iterable[str]:
        for number, name in enumerate(ledger.stale()):
            if not number:
                self._announce()
                events.note(f"Removing objects of an earlier dataset from {self._prefix}/")
            yield name

    def _send(self, name: str, there: Listed | None, known: bool) -> tuple[str, File, bool]:
        """Bring one file to the bucket, unless the same is there; the file, and whether it was sent."""
        path = self._source / name
        size = path.stat().st_size
        if size <= _IN_MEMORY:
            data = path.read_bytes()
            md5, sha256 = hashlib.md5(data, usedforsecurity=False), hashlib.sha256(data)
            file = File(len(data), md5.hexdigest(), sha256.hexdigest())
            if not self._settled(name, file, there, known):
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
            if self._settled(name, file, there, known):
                return name, file, False
            stream.seek(0)
            self._put(name, file, stream)
        return name, file, True

    def _settled(self, name: str, file: File, there: Listed | None, known: bool) -> bool:
        """True if the object is there as it should be; raises if what is there instead is somebody else's."""
        if there is None:
            return False
        # By MD5, where the ETag is one; else by the checksum that we left with the object.
        same = there.md5 == file.md5 if there.md5 else self.mark(name) == file.sha256
        if there.size == file.size and same:
            return True
        if not known and not self.mark(name):
            raise self._foreign(name, 1)
        return False

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

    def _refuse_foreign(self, ledger: Ledger, names: Iterable[str]) -> None:
        unknown = (name for name in names if not ledger.knows(name))
        first, count = "", 0
        for name, mark in each(self._threads, lambda name: (name, self.mark(name)), unknown):
            if not mark:
                first, count = min(first, name) if first else name, count + 1
        if count:
            raise self._foreign(first, count)

    def _foreign(self, name: str, count: int) -> EtlError:
        return EtlError(
            f"{self._prefix}/ in bucket {self._s3.bucket} holds {count} objects that chiops did not put there, such as {name}",
            todo="use another bucket, or move them away",
            kind="foreign",
        )

    def mark(self, name: str) -> str:
        """The checksum that we left with an object; empty if it is not ours."""
        head = self._client.head_object(Bucket=self._s3.bucket, Key=f"{self._prefix}/{name}")
        return str(head.get("Metadata", {}).get(MARK, ""))

    def _delete(self, name: str) -> None:
        self._client.delete_object(Bucket=self._s3.bucket, Key=f"{self._prefix}/{name}")

    def _verify(self, ledger: Ledger) -> None:
        ledger.list(list_prefix(self._client, self._s3.bucket, self._prefix))
        first, count = "", 0
        for name in differences(ledger, self.mark, self._threads):
            first, count = first or name, count + 1
        if count:
            raise EtlError(
                f"{count} objects under {self._prefix}/ are not what was uploaded, such as {first}",
                why="something else writes to the bucket, or the service damaged them",
                todo="prepare again; only these are sent",
            )


def damaged(ledger: Ledger, mark: Callable[[str], str], threads: int) -> Iterable[str]:
    """Objects whose content is not that of our files, by size and checksum, or else by the mark that ``mark`` reads."""
    yield from ledger.damaged()
    for name, wrong in each(threads, lambda one: (one[0], mark(one[0]) != one[1].sha256), ledger.unsure()):
        if wrong:
            yield name


def differences(ledger: Ledger, mark: Callable[[str], str], threads: int) -> Iterable[str]:
    """All that is not as it should be: missing, damaged, or too many."""
    yield from ledger.missing()
    yield from damaged(ledger, mark, threads)
    yield from ledger.extra()


def _substance(content: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (content or {}).items() if name != "written"}
