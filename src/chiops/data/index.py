"""Lists the images below a prefix of a bucket as a JSON list of keys: an index, from which `prepare` makes a dataset."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from chiops import progress
from chiops.cloud.base import S3Access
from chiops.errors import NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """An index that was written: where, and how many keys it lists, of how many bytes in all."""

    file: str
    bucket: str
    prefix: str
    keys: int
    bytes: int


def index(s3: S3Access, prefix: str, target: Path) -> Indexed:
    """Write the keys of all JPEGs below ``<prefix>/`` to the file ``target``, one a line, which appears only when it is whole.

    Args:
        s3: the bucket.
        prefix: where the images are; empty for the whole bucket.
        target: a file here, replaced.

    Raises:
        NotFound: there are none.
        CloudError: the service refuses or fails.
    """
    from chiops.etl.jpeg import is_named_jpeg
    from chiops.etl.listing import list_prefix
    from chiops.s3.client import client, translated

    prefix = prefix.strip("/")
    where = f"s3://{s3.bucket}/{prefix}"
    keys = size = others = 0
    with progress.task(f"List {where}") as task, translated(f"listing {where}"), _replaced(target) as stream:
        for name, found in list_prefix(client(s3), s3.bucket, prefix):
            if not is_named_jpeg(name):
                others += 1
                continue
            stream.write(",\n  " if keys else "[\n  ")
            stream.write(json.dumps(f"{prefix}/{name}" if prefix else name, ensure_ascii=False))
            keys, size = keys + 1, size + found.size
            if keys % 1000 == 0:
                task.advance(keys, unit="keys")
        if not keys:
            why = f"none of its {others} objects is a .jpg or .jpeg" if others else "nothing is there"
            raise NotFound(f"there are no images under {where}", why=why, todo="look with `chiops bucket show`")
        stream.write("\n]\n")
    return Indexed(file=str(target), bucket=s3.bucket, prefix=prefix, keys=keys, bytes=size)


@contextmanager
def _replaced(target: Path) -> Iterator[TextIO]:
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8") as stream:
            yield stream
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
