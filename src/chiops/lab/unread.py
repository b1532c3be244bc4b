"""What of a lab's sites could not be read: in words, what can't be said without it, and what must not go before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from chiops.cloud.base import Server
from chiops.errors import ChiopsError
from chiops.lab.survey import PARTS, Doomed, Teardown
from chiops.lab.teardown import AFTER
from chiops.lab.wanted import KINDS
from chiops.resources.kind import Workbench

JUDGED_BY = {
    "lease": ("leases",),
    "keypair": ("keypairs",),
    "security_group": ("security_groups",),
    "server": ("servers", "flavors", "images"),
    "floating_ip": ("floating_ips", "servers"),
    "volume": ("volumes", "servers", "images"),
    "attachment": ("volumes", "servers"),
    "bucket": ("buckets",),
    "credential": ("credentials",),
}
"""The parts of `Seen` without which nothing can be said about a kind."""
_NOUNS = {part: f"{KINDS[kind].noun}s" for kind, part in PARTS.items() if kind != "attachment"}


def unread(benches: Mapping[str, Workbench]) -> dict[str, Exception]:
    """The parts of `Seen` that could not be read at a lab's sites, with why."""
    return {part: error for bench in benches.values() for part, error in bench.seen.unread.items()}


def nouns(parts: Iterable[str]) -> str:
    """Parts of `Seen`, as a person calls them."""
    return ", ".join(sorted(_NOUNS.get(part, part) for part in parts))


def reason(error: Exception) -> str:
    """Why a part could not be read, as a clause."""
    if isinstance(error, ChiopsError):
        return f"{error.what}: {error.why}" if error.why else error.what
    return f"{type(error).__name__}: {error}"


def reasons(parts: Mapping[str, Exception]) -> str:
    """Why parts could not be read; what several have in common is said once."""
    return "; ".join(dict.fromkeys(reason(error) for error in parts.values()))


def unjudged(parts: Iterable[str]) -> set[str]:
    """The nouns of the kinds about which nothing can be said without these parts."""
    missing = set(parts)
    return {KINDS[kind].noun for kind, needs in JUDGED_BY.items() if missing & set(needs)}


def hold(teardown: Teardown) -> Teardown:
    """The same, with what must wait among what stays: what has to be gone before it may be there, unseen.

    So a lease, a group or a volume stays while servers are unread, which may be others', and the key while buckets are. A
    server goes without volumes having been read only if it has none: its node could not be asked to unmount them.
    """
    missing = unread(teardown.benches)
    blocked = {kind for kind, part in PARTS.items() if part in missing and kind != "attachment"}
    if "volumes" in missing and any(isinstance(one.found, Server) and one.found.volumes for one in teardown.go):
        blocked.add("server")
    for kind, before in AFTER.items():  # each comes after those that it waits for
        if blocked & set(before):
            blocked.add(kind)
    told = f"waits: {nouns(missing)} could not be looked at"
    held = tuple(one for one in teardown.go if one.key.kind in blocked and not _bare(one))
    return replace(
        teardown,
        go=tuple(one for one in teardown.go if one not in held),
        stay=(*teardown.stay, *(replace(one, detail=told) for one in held)),
    )


def _bare(doomed: Doomed) -> bool:
    """Whether it is a server without a volume."""
    return isinstance(doomed.found, Server) and not doomed.found.volumes
