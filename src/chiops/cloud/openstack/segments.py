"""What large objects of a bucket consist of: Swift's clients (rclone, swift) put it into a container ``<bucket>_segments``.

That container has no mark of ours, so nothing in it goes but what an object of our bucket names as its own part: by the prefix in
``X-Object-Manifest``, or in the list of a static large object. S3 shows neither, and deletes the object alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote

from chiops import progress
from chiops.cloud.openstack.site import Site
from chiops.cloud.openstack.swift import PAGE, Swift
from chiops.errors import Conflict, NotFound

SUFFIX = "_segments"
ASKED_AT_ONCE = 8
NOTHING = hashlib.md5(b"", usedforsecurity=False).hexdigest()


def purge(site: Site, bucket: str) -> int:
    """Delete the parts of the bucket's large objects, and their container if nothing else is in it.

    Before the objects go: who is interrupted finds the rest by them the next time.

    Returns:
        How many parts.
    """
    container = bucket + SUFFIX
    api, gone, untold = site.adapter("object-store"), 0, 0
    try:
        with site.doing(f"looking for parts of large objects of {bucket}", container):
            api.head(f"/{quote(container, safe='')}")
    except NotFound:
        return 0
    with Swift(site, container) as swift, ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="segments") as pool:
        for page in _pages(site, api, bucket):
            # A manifest lists as empty, or with a checksum that Swift gives static ones alone; Ceph's gateway lists those with a
            # size, but with the checksum of nothing
            may_be = [
                item for item in page if not item.get("bytes") or "slo_etag" in item or item.get("hash") == NOTHING
            ]
            for parts in pool.map(lambda item: _parts(site, api, bucket, str(item["name"])), may_be):
                if parts is None:
                    untold += 1
                    continue
                for begin in range(0, len(parts), PAGE):
                    gone += swift.delete(parts[begin : begin + PAGE])
    if untold:
        progress.say(
            f"parts of {untold:,} large objects of {bucket} stay in {container}: this object store does not say which they are"
        )
    if gone:
        with (
            suppress(NotFound, Conflict),
            site.doing(f"deleting {container}"),
        ):  # refused as long as there is anything in it
            api.delete(f"/{quote(container, safe='')}")
    return gone


def _pages(site: Site, api: Any, container: str, prefix: str = "") -> Iterator[Sequence[dict[str, Any]]]:
    marker = ""
    while True:
        query = f"format=json&limit={PAGE}&prefix={quote(prefix, safe='')}&marker={quote(marker, safe='')}"
        with site.doing(f"listing {container}"):
            page: Sequence[dict[str, Any]] = api.get(f"/{quote(container, safe='')}?{query}").json()
        if not page:
            return
        yield page
        marker = str(page[-1]["name"])


def _parts(site: Site, api: Any, bucket: str, name: str) -> Sequence[str] | None:
    """The parts of an object that are in the bucket's own container of parts; none for one that is whole.

    None where the object store does not say: Ceph's gateway answers for a static large object with an empty list, and would only
    delete its parts unseen, wherever they are.
    """
    container, path = bucket + SUFFIX, f"/{quote(bucket, safe='')}/{quote(name, safe='')}"
    with suppress(NotFound), site.doing(f"reading {name}", name):
        headers = {key.lower(): str(value) for key, value in api.head(path).headers.items()}
        if manifest := headers.get("x-object-manifest"):
            where, _, prefix = unquote(manifest).lstrip("/").partition("/")
            if where == container and prefix:
                return [str(item["name"]) for page in _pages(site, api, container, prefix) for item in page]
        elif headers.get("x-static-large-object", "").lower() == "true":
            manifest = api.get(f"{path}?multipart-manifest=get")
            if not manifest.content:
                return None
            listed = manifest.json()
            paths = [str(part.get("name") or part.get("path") or "").lstrip("/").partition("/") for part in listed]
            return [rest for where, _, rest in paths if where == container and rest]
    return ()
