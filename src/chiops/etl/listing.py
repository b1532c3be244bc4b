"""What a bucket holds under a prefix, by a thousand objects a request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_MD5 = re.compile(r"[0-9a-f]{32}\Z")


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as listed.

    Args:
        size: bytes.
        md5: of its content, empty where the ETag is none (an upload in parts).
        tag: its ETag, whatever that is.
        modified: when it was written, in seconds since 1970.
    """

    size: int
    md5: str
    tag: str = ""
    modified: int = 0


def list_prefix(client: Any, bucket: str, prefix: str) -> Iterator[tuple[str, Listed]]:
    """All objects below ``<prefix>/``, by their names without it, as they come. Markers of empty folders do not count.

    Without a prefix, all objects of the bucket.
    """
    start = f"{prefix}/" if prefix else ""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=start):
        for entry in page.get("Contents", ()):
            name, size = entry["Key"][len(start) :], int(entry["Size"])
            if name and not (name.endswith("/") and size == 0):
                tag = entry.get("ETag", "").strip('"').lower()
                modified = entry.get("LastModified")
                stamp = int(modified.timestamp()) if modified else 0
                yield name, Listed(size, tag if _MD5.match(tag) else "", tag, stamp)
