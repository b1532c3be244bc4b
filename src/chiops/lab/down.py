"""`chiops down`: everything that carries the lab's mark goes, in order, and is verified gone; data only by flag."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from chiops import progress
from chiops.errors import ChiopsError
from chiops.lab import keys
from chiops.lab.apply import raise_first
from chiops.lab.journal import Journal, LabRecord
from chiops.lab.lock import interruptible, lab_lock
from chiops.lab.objects import needs_objects, note_none, spec_of
from chiops.lab.places import ALL_PARTS, CATALOGUE, OBJECT_KINDS, OBJECT_PARTS, Places
from chiops.lab.release import Release
from chiops.lab.survey import PARTS, Doomed, Purge, Teardown, survey
from chiops.lab.teardown import let_go, parts_of, take_all, verify
from chiops.lab.unread import hold, nouns, reasons, unread
from chiops.lab.wanted import Key

Confirm = Callable[[Teardown], None]
"""Shows what goes and what stays, and asks; raises `Declined` if the person says no."""


@dataclass(frozen=True)
class Outcome:
    """What went, what stays, and what had gone before without us: a lease that ended, a server deleted elsewhere."""

    lab: str
    gone: tuple[Doomed, ...]
    stayed: tuple[Doomed, ...]
    gone_before: tuple[Key, ...] = ()


def down(record: LabRecord, confirm: Confirm, release_held: Release, purge: Purge = Purge()) -> Outcome:  # noqa: B008 - frozen
    """Take a lab down. Safe to run again after any end; what is gone already is no error.

    Args:
        record: which lab, and where.
        confirm: shown what goes and what stays, before anything is touched.
        release_held: shown what uses the lab's volumes on its nodes, before that is ended.
        purge: whether its buckets and volumes go too, with all that is in them, and whether its lease stays.

    Raises:
        Interrupted: the person pressed Ctrl-C; it names the command that goes on.
        ChiopsError: the first failure, or what could not be looked at; what did not depend on it is gone all the same, and
            `down` again goes on from there.
    """
    journal = Journal()
    again = purge.command("down", record.name)
    begun = interruptible(f"`{again}` goes on, `chiops up {record.name}` brings it back")
    with begun, lab_lock(record.name, f"down {record.name}"), Places(record.site, record.name, tolerant=True) as places:

        def look(parts: frozenset[str], *, first: bool) -> Teardown:
            benches = places.observe(parts=parts, tolerant=first)
            return survey(record.name, benches, places.objects.site, purge, weigh=first)

        with progress.task("look at what is there"):
            teardown = hold(look(ALL_PARTS - CATALOGUE, first=True))
        missing = unread(teardown.benches)
        read = {kind for kind in OBJECT_KINDS if PARTS[kind] not in missing}
        gone_before = _gone_before(teardown, missing, journal)
        if not _has_objects(record, teardown, journal):
            missing = {part: error for part, error in missing.items() if part not in OBJECT_PARTS}
        if missing:
            progress.say(f"{nouns(missing)} could not be looked at: {reasons(missing)}")
        if teardown.go:
            confirm(teardown)
            taken = take_all(teardown, let_go(teardown, places.compute.site, release_held), journal)
            raise_first(taken.failed)
            teardown = taken.teardown
            with progress.task("verify that it is gone"):
                verify(teardown, lambda: look(parts_of(teardown) - missing.keys(), first=False), again)
        for key in gone_before:
            with journal.entry(lab=record.name, site=record.site, op="gone", kind=key.kind, name=key.name):
                pass
        none_left = read - {one.key.kind for one in teardown.stay}
        note_none(record.name, none_left, journal, places.objects.site)
        if missing:
            raise _half_done(teardown, missing, again)
        keys.forget_hosts(record.name)
        if teardown.stay:
            journal.kept(record.name)
        else:
            journal.forget(record.name)
    return Outcome(record.name, teardown.go, teardown.stay, gone_before)


def _has_objects(record: LabRecord, teardown: Teardown, journal: Journal) -> bool:
    """Whether there may be buckets or keys of the lab, by its file, by the journal, or by what was seen of them."""
    seen = any(key.kind in OBJECT_KINDS for key in teardown.keys)
    return seen or needs_objects(record.name, spec_of(record), journal)


def _half_done(teardown: Teardown, missing: Mapping[str, Exception], again: str) -> ChiopsError:
    """What is said instead of that a lab is down, while something of it may be there that nobody could see."""
    done = f"{len(teardown.go)} deleted, but " if teardown.go else ""
    return ChiopsError(
        f"{teardown.lab} is not all down: {done}{nouns(missing)} could not be looked at",
        why=reasons(missing),
        todo=f"run `{again}` again to go on",
    )


def _gone_before(teardown: Teardown, missing: Collection[str], journal: Journal) -> tuple[Key, ...]:
    """What was made, was not deleted by us, and is not there, of the kinds that could be looked at."""
    standing = {Key(kind, name) for kind, name in journal.standing(teardown.lab) if PARTS[kind] not in missing}
    return tuple(sorted(standing - teardown.keys))
