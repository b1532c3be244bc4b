"""What a prefix of a bucket holds, written into the bucket when all of it is there: ``manifests/<prefix>.json``.

It lies beside the data and not within, so that no reader of a format meets it. The document, version 1:

    {"version": 1, "complete": true, "prefix": "Food-11", "format": "imagefolder",
     "dataset": {"name": ..., "parameters": {...}, "splits": {"training": {"images": ..., "bytes": ..., ...}, ...}},
     "objects": 16643, "bytes": 1163982117, "sha256": "...", "written": "2026-01-31T12:00:00+00:00",
     "files": {"training/class_00/0_0.jpg": [size, "md5 of the content", "sha256 of the content"], ...}}

``sha256`` covers all names and contents, in no particular order: the hash of the sorted lines ``<sha256>  <name>``.
While an upload changes the prefix, ``complete`` is false; then ``files`` says only what may be there and is ours.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

VERSION = 1


@dataclass(frozen=True, slots=True)
class File:
    """One object: size in bytes, MD5 (which S3 returns as ETag) and SHA-256 of its content, hexadecimal."""

    size: int
    md5: str
    sha256: str

    def as_list(self) -> list[object]:
        """As the manifest has it."""
        return [self.size, self.md5, self.sha256]


def key(prefix: str) -> str:
    """Where the manifest of a prefix lies in the bucket."""
    return f"manifests/{prefix}.json"


def total_sha256(files: Mapping[str, File]) -> str:
    """One hash for all names and contents."""
    lines = sorted(f"{file.sha256}  {name}\n" for name, file in files.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def document(
    prefix: str, format_name: str, dataset: Mapping[str, object], files: Mapping[str, File], *, complete: bool
) -> dict[str, object]:
    """The manifest as a JSON value."""
    return {
        "version": VERSION,
        "complete": complete,
        "prefix": prefix,
        "format": format_name,
        "dataset": dict(dataset),
        "objects": len(files),
        "bytes": sum(file.size for file in files.values()),
        "sha256": total_sha256(files),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": {name: file.as_list() for name, file in sorted(files.items())},
    }


def load(client: Any, bucket: str, prefix: str) -> dict[str, Any] | None:
    """The manifest in the bucket; None if there is none, or not one that this version can read."""
    from botocore.exceptions import ClientError

    try:
        data = client.get_object(Bucket=bucket, Key=key(prefix))["Body"].read()
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
            return None
        raise
    try:
        found = json.loads(data)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.get("version") == VERSION else None


def store(client: Any, bucket: str, prefix: str, content: Mapping[str, object]) -> None:
    """Put the manifest into the bucket."""
    body = json.dumps(content, separators=(",", ":")).encode()
    client.put_object(
        Bucket=bucket,
        Key=key(prefix),
        Body=body,
        ContentType="application/json",
        ContentMD5=base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode(),
    )
