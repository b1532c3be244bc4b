"""Emptying a container over Swift's own interface, by bulk-deletes side by side.

The way for a sign-in that gets no key to S3: a patched Keystone makes none for an application credential, but its token opens
containers all the same. And the fast way at Swift itself, whose S3 layer takes several times as long for each object. What S3
alone knows, old versions, stays with S3.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from chiops.cloud.openstack.site import Site
from chiops.cloud.openstack.swift import Deleted, Swift
from chiops.errors import DataError, Timeout, Transient
from chiops.etl.parallel import through
from chiops.s3.deletion import ATTEMPTS
from chiops.s3.purge import Gate, Purged, not_emptied, still_written

BATCH = 100
"""Objects per request. Swift takes a hundred times as many, but deletes them two at a time before it answers."""
IN_FLIGHT = 16
"""Most requests at once."""
WRITTEN = 3
"""How many passes in a row may take no less than the least one did: something writes as fast as we delete."""
STALE, PAUSE_S = 30, 1.0
"""How often a listing may show only what is gone, as Swift's do for a while, and how long to wait before the next look."""

Item = Mapping[str, Any]


def empty(
    site: Site,
    container: str,
    on_progress: Callable[[int], None] = lambda _: None,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[int, int]:
    """Delete all objects of a container; that itself stays.

    Args:
        site: where.
        container: its name.
        on_progress: told how many are gone, after each request, from this thread.
        sleep: pauses, in seconds.

    Returns:
        How many objects, and their bytes.

    Raises:
        NotFound: there is no such container.
        DataError: objects would not go; names one, and says how many went and how many did not. All others are gone. Or they are
            added as fast as we delete.
        Transient, Timeout: the object store was overloaded at each of several attempts.
    """
    with ExitStack() as stack:
        connections = stack.enter_context(ExitStack())  # closed after the threads that use them have ended
        pool = stack.enter_context(ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="empty"))
        return _Emptying(site, container, on_progress, sleep, connections, pool).run()


class _Emptying:
    def __init__(
        self,
        site: Site,
        container: str,
        on_progress: Callable[[int], None],
        sleep: Callable[[float], None],
        connections: ExitStack,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._site, self._container, self._connections, self._pool = site, container, connections, pool
        self._on_progress, self._sleep = on_progress, sleep
        self._gate = Gate(IN_FLIGHT, sleep)
        self._total = Purged()
        # Of the passes before this one: when the newest object was written (None in the first), and what would not go
        self._newest: str | None = None
        self._kept: Mapping[str, str] = {}
        self._threads = threading.local()

    def run(self) -> tuple[int, int]:
        """Passes until one finds nothing listed."""
        stale = written = least = 0
        while True:
            before = self._total.objects
            listed, refused = self._pass()
            if not listed:
                return self._total.objects, self._total.bytes
            if went := self._total.objects - before:
                # Not how much was listed: a listing that lags behind shows again what went before
                found = went + len(refused)
                written, least = (written + 1, least) if least and found >= least else (0, found)
                if written == WRITTEN:
                    raise still_written(self._container, self._total, found)
                continue
            if refused:
                key, why = min(refused.items())
                raise not_emptied(self._container, self._total, len(refused), key, why)
            stale += 1
            if stale > STALE:
                raise DataError(
                    f"the bucket {self._container} still lists objects that are gone", todo="try again later"
                )
            self._sleep(PAUSE_S)

    def _pass(self) -> tuple[int, dict[str, str]]:
        """Ask for all to go that is listed now: how many were, and which keys would not go and why."""
        listed, refused, newest = 0, dict[str, str](), self._newest or ""
        for batch, told in through(self._pool, IN_FLIGHT, self._delete, self._batches()):
            listed += len(batch)
            refused |= told.refused
            newest = max(newest, *map(_moment, batch))
            if told.gone:
                size = sum(int(item.get("bytes") or 0) for item in batch if item["name"] not in told.refused)
                # Which went of those that a listing shows again is not told: their share
                share = size * told.gone // max(told.gone, len(batch) - len(told.refused))
                self._total += Purged(told.gone, share)
                self._on_progress(self._total.objects)
        self._newest, self._kept = newest, refused
        return listed, refused

    def _batches(self) -> Iterator[Sequence[Item]]:
        marker, longest = "", 0
        while page := self._swift.listed(marker):
            marker, longest = str(page[-1]["name"]), max(longest, len(page))
            for begin in range(0, len(page), BATCH):
                yield page[begin : begin + BATCH]
            if len(page) < longest:
                return  # the end, as it was; what is written behind it is the next pass's

    def _delete(self, batch: Sequence[Item]) -> tuple[Sequence[Item], Deleted]:
        names = [str(item["name"]) for item in batch]
        for attempt in range(ATTEMPTS):
            try:
                with self._gate:
                    told = self._swift.try_delete(names)
            except (Transient, Timeout):
                if attempt == ATTEMPTS - 1:
                    raise
                self._gate.overloaded(attempt)
                continue
            self._gate.succeeded()
            if not attempt:
                return batch, told
            # What is gone at the second attempt went with the first, whose answer was lost, if not with a pass before
            lost = max(0, told.absent - sum(map(self._went_before, batch)))
            return batch, Deleted(told.gone + lost, told.absent - lost, told.refused)
        raise AssertionError("the last attempt returns or raises")

    def _went_before(self, item: Item) -> bool:
        """Whether a pass before took it and the listing lags behind: by when it was written, as names may be millions.

        One that was there and not listed then is taken for such, too.
        """
        return self._newest is not None and _moment(item) <= self._newest and item["name"] not in self._kept

    @property
    def _swift(self) -> Swift:
        """This thread's connection."""
        if not hasattr(self._threads, "swift"):
            self._threads.swift = self._connections.enter_context(Swift(self._site, self._container))
        found: Swift = self._threads.swift
        return found


def _moment(item: Item) -> str:
    """When, as the store writes it, which sorts by time."""
    return str(item.get("last_modified") or "")
