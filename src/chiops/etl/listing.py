"""What a bucket holds under a prefix, by a thousand objects a request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_MD5 = re.compile(r"[0-9a-f]{32}\Z")


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as listed: size in bytes, and its MD5, empty where the ETag is none (an upload in parts)."""

    size: int
    md5: str


def list_prefix(client: Any, bucket: str, prefix: str) -> dict[str, Listed]:
    """All objects below ``<prefix>/``, by their names without it. Markers of empty folders do not count."""
    found: dict[str, Listed] = {}
    start = f"{prefix}/"
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=start):
        for entry in page.get("Contents", ()):
            name, size = entry["Key"][len(start) :], int(entry["Size"])
            if name and not (name.endswith("/") and size == 0):
                etag = entry.get("ETag", "").strip('"').lower()
                found[name] = Listed(size, etag if _MD5.match(etag) else "")
    return found
