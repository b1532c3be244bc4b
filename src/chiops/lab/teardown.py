"""Carrying a teardown out: in an order that loses nothing, each step journaled, and gone only once it was seen to be gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from chiops import progress
from chiops.cloud.base import Attachment, Bucket, FloatingIp, Lease, Server
from chiops.errors import ChiopsError, NotFound, NotOurs, Timeout
from chiops.lab.apply import in_order
from chiops.lab.journal import Journal
from chiops.lab.release import Release, release
from chiops.lab.survey import PARTS, Doomed, Teardown
from chiops.lab.wanted import KINDS, Key
from chiops.ops.buckets import purge_bucket
from chiops.resources import waiting
from chiops.resources.kind import Workbench
from chiops.resources.lease import LeaseKind

LISTED_TIMEOUT_S = 30.0
"""How long a list may still show what is gone."""
AFTER = {
    "server": ("attachment",),
    "floating_ip": ("server",),
    "security_group": ("server",),
    "keypair": ("server",),
    "lease": ("server", "floating_ip"),
    "volume": ("attachment", "server"),
    "credential": ("bucket", "server"),
}
"""What must be gone before a kind goes, which comes after those. A bucket goes first of all: its purge needs the key."""


@dataclass(frozen=True)
class Taken:
    """How far a teardown came: what of it is gone and what stays, what is ``left`` that was to go, and the failures."""

    teardown: Teardown
    left: tuple[Doomed, ...]
    failed: Mapping[Key, Exception]


class StillThere(ChiopsError):
    """What was deleted is listed all the same.

    Args:
        keys: which.
        again: the command that goes on.
    """

    def __init__(self, keys: Iterable[Key], again: str) -> None:
        self.keys = frozenset(keys)
        names = ", ".join(f"{KINDS[key.kind].noun} {key.name}" for key in sorted(self.keys))
        super().__init__(f"deleted, and still there: {names}", todo=f"run `{again}` again")


def let_go(teardown: Teardown, site: str, ask: Release) -> list[Attachment]:
    """Have the nodes unmount what goes; what they do not let go of, see `release`."""
    attached = [doomed.found for doomed in teardown.go if isinstance(doomed.found, Attachment)]
    return release(attached, teardown.benches[site], ask)


def take_all(teardown: Teardown, held: Sequence[Attachment], journal: Journal) -> Taken:
    """Take all that goes. What is gone already is no error, and a failure stops only what needs it.

    Args:
        teardown: what goes.
        held: attachments of volumes that are still mounted: they come free when their server has gone.
        journal: where each step is noted.

    Returns:
        How far it came; what others have come to use meanwhile, the lease or an address, is among what stays.
    """
    gone: list[Doomed] = []
    shared: list[tuple[Doomed, NotOurs]] = []

    def take(doomed: Doomed) -> None:
        try:
            _take(teardown, doomed, journal)
        except NotOurs as error:
            if not isinstance(doomed.found, Lease | FloatingIp):
                raise
            shared.append((doomed, error))
        else:
            gone.append(doomed)

    go = [doomed for doomed in teardown.go if doomed.found not in held]
    by_key = {Key(doomed.key.kind, f"{index} {doomed.key.name}"): doomed for index, doomed in enumerate(go)}
    needs = {key: [other for other in by_key if other.kind in AFTER.get(key.kind, ())] for key in by_key}
    work = {key: (lambda doomed=doomed: take(doomed)) for key, doomed in by_key.items()}
    failed = in_order(work, needs)
    freed = {server.id for server in (doomed.found for doomed in gone) if isinstance(server, Server)}
    gone += [doomed for doomed in teardown.go if doomed.found in held and _server_of(doomed) in freed]
    staying = [doomed for doomed, _ in shared]
    done = replace(
        teardown,
        go=tuple(doomed for doomed in teardown.go if doomed in gone),
        stay=(*teardown.stay, *(replace(doomed, detail=error.what) for doomed, error in shared)),
    )
    return Taken(done, tuple(one for one in teardown.go if one not in gone and one not in staying), failed)


def _server_of(doomed: Doomed) -> str:
    return doomed.found.server_id if isinstance(doomed.found, Attachment) else ""


def parts_of(teardown: Teardown) -> frozenset[str]:
    """What has to be read to see whether all of it is gone."""
    return frozenset(PARTS[doomed.key.kind] for doomed in teardown.go) | {"servers"}


def verify(teardown: Teardown, look: Callable[[], Teardown], again: str) -> None:
    """Look until nothing of what went is listed any more; ``again`` is the command that goes on where something is.

    Raises:
        StillThere: something stays listed.
        ChiopsError: it could not be looked at.
    """
    left: set[Key] = set()

    def gone() -> bool | None:
        listed = {doomed.key for doomed in look().go} & {doomed.key for doomed in teardown.go}
        left.clear()
        left.update(listed)
        return None if left else True

    try:
        waiting.until(gone, what="all being gone", timeout_s=LISTED_TIMEOUT_S)
    except Timeout as error:
        if not left:
            raise
        raise StillThere(left, again) from error


def _take(teardown: Teardown, doomed: Doomed, journal: Journal) -> None:
    bench, kind = teardown.benches[doomed.site], KINDS[doomed.key.kind]
    with (
        progress.task(f"delete {kind.noun} {doomed.key.name}") as task,
        journal.entry(
            lab=teardown.lab, site=doomed.site, op="delete", kind=doomed.key.kind, name=doomed.key.name
        ) as entry,
    ):
        entry.resource = str(getattr(doomed.found, "id", ""))
        if isinstance(doomed.found, Bucket):
            # Also one that counts no objects: old versions and unfinished uploads are not counted.
            with suppress(NotFound):  # deleted by other hands since it was looked at
                purge_bucket(bench.cloud, _certain(doomed.found, bench), task)
        if isinstance(doomed.found, Lease):
            LeaseKind().take(doomed.found, bench, alone=True)
        else:
            kind.take(doomed.found, bench)


def _certain(bucket: Bucket, bench: Workbench) -> Bucket:
    """The bucket, if it is the lab's, asked again where only our memory says so.

    Raises:
        NotOurs: one of that name was made anew since.
    """
    found = bench.cloud.objects.get(bucket.name) if bucket.fault else bucket
    if found.mark != bench.mark:
        raise NotOurs(f"the bucket {bucket.name} is not the lab's any more", todo="it stays as it is")
    return found
