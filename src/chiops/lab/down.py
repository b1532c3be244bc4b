"""`chiops down`: everything that carries the lab's mark goes, in order, and is verified gone; data only by flag."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chiops import progress
from chiops.lab import keys
from chiops.lab.journal import Journal, LabRecord
from chiops.lab.lock import interruptible, lab_lock
from chiops.lab.places import ALL_PARTS, CATALOGUE, Places
from chiops.lab.release import Release
from chiops.lab.survey import Doomed, Purge, Teardown, survey
from chiops.lab.teardown import let_go, parts_of, take_all, verify
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
        ChiopsError: the first failure; what did not depend on it is gone all the same, and `down` again goes on from there.
    """
    journal = Journal()
    again = interruptible(f"`chiops down {record.name}` goes on, `chiops up {record.name}` brings it back")
    with again, lab_lock(record.name, f"down {record.name}"), Places(record.site, record.name) as places:

        def look(parts: frozenset[str], *, weigh: bool) -> Teardown:
            return survey(record.name, places.observe(parts=parts), places.objects.site, purge, weigh=weigh)

        with progress.task("look at what is there"):
            teardown = look(ALL_PARTS - CATALOGUE, weigh=True)
        gone_before = _gone_before(teardown, journal)
        if teardown.go:
            confirm(teardown)
            take_all(teardown, let_go(teardown, places.compute.site, release_held), journal)
            with progress.task("verify that it is gone"):
                verify(teardown, lambda: look(parts_of(teardown), weigh=False))
        for key in gone_before:
            with journal.entry(lab=record.name, site=record.site, op="gone", kind=key.kind, name=key.name):
                pass
        keys.forget_hosts(record.name)
        if teardown.stay:
            journal.kept(record.name)
        else:
            journal.forget(record.name)
    return Outcome(record.name, teardown.go, teardown.stay, gone_before)


def _gone_before(teardown: Teardown, journal: Journal) -> tuple[Key, ...]:
    """What was made, was not deleted by us, and is not there."""
    standing = {Key(kind, name) for kind, name in journal.standing(teardown.lab)}
    return tuple(sorted(standing - teardown.keys))
