"""What a prefix of a bucket holds, written into the bucket when all of it is there: ``manifests/<prefix>.json``.

It lies beside the data and not within, so that no reader of a format meets it. The document, version 2:

    {"version": 2, "complete": true, "prefix": "Food-11", "format": "imagefolder",
     "dataset": {"name": ..., "root": "Food-11", "parameters": {...}, "classes": ["class_00", ...],
                 "splits": {"training": {"images": ..., "bytes": ..., "classes": ..., "sha256": ...}, ...}},
     "objects": 16643, "bytes": 1163982117, "sha256": "...", "written": "2026-01-31T12:00:00+00:00",
     "files": "manifests/Food-11.files.jsonl"}

``files`` names an object with one line for each object below the prefix, sorted:

    {"name": "training/class_00/0_0.jpg", "size": ..., "md5": "...", "sha256": "..."}

``sha256`` covers all names and contents: the hash of the lines ``<sha256>  <name>``, sorted by name. While an upload changes the
prefix, ``complete`` is false; then the lines say only what may be there and is ours.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

VERSION = 2
FOLDER = "manifests"

_ENDING, _FILES_ENDING = ".json", ".files.jsonl"


@dataclass(frozen=True, slots=True)
class File:
    """One object: size in bytes, MD5 (which S3 returns as ETag) and SHA-256 of its content, hexadecimal."""

    size: int
    md5: str
    sha256: str


def key(prefix: str) -> str:
    """Where the manifest of a prefix lies in the bucket."""
    return f"{FOLDER}/{prefix}{_ENDING}"


def files_key(prefix: str) -> str:
    """Where the list of its files lies."""
    return f"{FOLDER}/{prefix}{_FILES_ENDING}"


def prefix_of(name: str) -> str | None:
    """The prefix of which the object ``name``, below ``manifests/``, is the manifest; None if it is none."""
    return name.removesuffix(_ENDING) if name.endswith(_ENDING) and "/" not in name else None


def write_files(path: Path, files: Iterable[tuple[str, File]]) -> str:
    """Write the lines to a file on this machine, and give the hash of all names and contents; ``files`` are sorted."""
    total = hashlib.sha256()
    with path.open("w", encoding="utf-8") as stream:
        for name, file in files:
            stream.write(json.dumps({"name": name, **asdict(file)}, ensure_ascii=False) + "\n")
            total.update(f"{file.sha256}  {name}\n".encode())
    return total.hexdigest()


def document(
    prefix: str, format_name: str, dataset: Mapping[str, object], *, objects: int, size: int, sha256: str
) -> dict[str, object]:
    """The manifest of a prefix that is complete, as a JSON value."""
    return {
        "version": VERSION,
        "complete": True,
        "prefix": prefix,
        "format": format_name,
        "dataset": dict(dataset),
        "objects": objects,
        "bytes": size,
        "sha256": sha256,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": files_key(prefix),
    }


def load(client: Any, bucket: str, prefix: str) -> dict[str, Any] | None:
    """The manifest in the bucket; None if there is none, or not one that this version can read."""
    body = _get(client, bucket, key(prefix))
    if body is None:
        return None
    try:
        found = json.loads(body.read())
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.get("version") == VERSION else None


def load_files(client: Any, bucket: str, prefix: str) -> Iterator[tuple[str, File]]:
    """The lines in the bucket, one at a time; none if there are none."""
    body = _get(client, bucket, files_key(prefix))
    for line in body.iter_lines() if body is not None else ():
        entry = json.loads(line)
        yield entry.pop("name"), File(**entry)


def store(client: Any, bucket: str, prefix: str, content: Mapping[str, object]) -> None:
    """Put the manifest into the bucket."""
    body = json.dumps(content, separators=(",", ":")).encode()
    digest = hashlib.md5(body, usedforsecurity=False)
    _put(client, bucket, key(prefix), body, digest.digest(), "application/json")


def store_files(client: Any, bucket: str, prefix: str, path: Path) -> None:
    """Put the lines into the bucket."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "md5")
        stream.seek(0)
        _put(client, bucket, files_key(prefix), stream, digest.digest(), "application/jsonl")


def _get(client: Any, bucket: str, name: str) -> Any:
    from botocore.exceptions import ClientError

    try:
        return client.get_object(Bucket=bucket, Key=name)["Body"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
            return None
        raise


def _put(client: Any, bucket: str, name: str, body: Any, md5: bytes, kind: str) -> None:
    client.put_object(
        Bucket=bucket, Key=name, Body=body, ContentType=kind, ContentMD5=base64.b64encode(md5).decode()
    )  # fmt: skip
