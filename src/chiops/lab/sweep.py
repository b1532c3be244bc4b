"""`chiops sweep`: what carries our mark at a site and no lab of this machine knows of; shown first, deleted only on request."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

from chiops import progress
from chiops.cloud import sites
from chiops.cloud.base import Bucket, Cloud, Mark
from chiops.errors import ChiopsError, CloudError, Conflict, Declined, NoCredentials, NotFound, UsageError
from chiops.lab.apply import raise_first
from chiops.lab.journal import Journal, LabRecord
from chiops.lab.known import identity, known_at
from chiops.lab.lock import lab_lock
from chiops.lab.places import ALL_PARTS, CATALOGUE
from chiops.lab.release import Release
from chiops.lab.survey import PARTS, Doomed, Purge, Teardown, survey
from chiops.lab.teardown import StillThere, let_go, parts_of, take_all, verify
from chiops.ops.desk import NO_LAB
from chiops.resources.kind import Seen, Workbench, observe


@dataclass(frozen=True)
class Leftover:
    """What one lab has left at one site.

    Once it was taken, what went and what stayed after all; ``undone`` is there still. ``problem`` says why, "" if all went well.
    """

    site: str
    lab: str
    teardown: Teardown
    undone: tuple[Doomed, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Found:
    """All leftovers, and what was not looked at, each with the reason.

    ``problems`` are sites that failed to answer, ``not_mine`` those that there are no credentials for, ``unread`` the buckets,
    as site and name, whose mark could not be read.
    """

    leftovers: tuple[Leftover, ...]
    problems: dict[str, str]
    not_mine: dict[str, str]
    unread: dict[tuple[str, str], str]


def all_sites() -> list[str]:
    """Every site of sites.yaml, and every entry of clouds.yaml that is not one of these."""
    from chiops.cloud.openstack.entries import entries, leads_to

    known = sites.sites()
    extra = [entry.name for entry in entries().values() if not any(leads_to(entry, facts) for facts in known.values())]
    return [*known, *extra]


@contextmanager
def swept(site_names: Sequence[str], labs: Collection[str], purge: Purge) -> Iterator[Found]:
    """Look for leftovers; the sites stay open for the body.

    Args:
        site_names: where.
        labs: only of these; without any, of all that this machine does not know to be up. Single resources, which belong to no
            lab, are left out unless `NO_LAB` is among them.
        purge: what goes beside servers and the like.

    Raises:
        UsageError: one of ``labs`` is known on this machine, where `down` takes it.
    """
    found: list[Leftover] = []
    problems: dict[str, str] = {}
    not_mine: dict[str, str] = {}
    unread: dict[tuple[str, str], str] = {}
    shown: set[tuple[str, ...]] = set()
    known = Journal().labs()
    if named := sorted({record.name for record in known} & set(labs)):
        raise UsageError(
            f"the lab {named[0]} is known here, so it is no leftover", todo=f"use `chiops down {named[0]}`"
        )
    with ExitStack() as stack:
        for name in site_names:
            try:
                cloud = stack.enter_context(sites.connect(name))
                with progress.task(f"look at {name}"):
                    unreadable: dict[str, str] = {}
                    seen = with_marks(cloud, observe(cloud, ALL_PARTS - CATALOGUE), unreadable.__setitem__)
                    found += _unshown(_at(cloud, name, seen, labs, known, purge), shown)
                    unread |= {(name, bucket): why for bucket, why in unreadable.items()}
            except NoCredentials as error:
                not_mine[name] = error.sentence()
            except ChiopsError as error:
                problems[name] = error.sentence()
        yield Found(tuple(found), problems, not_mine, unread)


def take_each(leftovers: Sequence[Leftover], ask: Release, purge: Purge) -> list[Leftover]:
    """Delete what goes of each: `take`, and what fails for one keeps none of the others, nor does a no, which is about that one.

    Raises:
        Declined: nothing was done, and that only because the person said no.
    """
    done: list[Leftover] = []
    refused: list[Declined] = []
    for leftover in leftovers:
        try:
            done.append(take(leftover, ask, purge))
        except Declined as error:
            refused.append(error)
            done.append(_untouched(leftover, "you said no."))
        except ChiopsError as error:
            done.append(_untouched(leftover, error.sentence()))
    if refused and len(refused) == sum(bool(one.teardown.go or one.undone) for one in done):
        raise refused[0]
    return done


def _untouched(leftover: Leftover, problem: str) -> Leftover:
    teardown = leftover.teardown
    return replace(leftover, teardown=replace(teardown, go=()), undone=teardown.go, problem=problem)


def take(leftover: Leftover, ask: Release, purge: Purge) -> Leftover:
    """Delete what goes of a leftover, in order, and see that it is gone.

    Returns:
        The same, with what went and what stayed after all; a failure keeps what needs it, and is told there.

    Raises:
        Conflict: a command works on the lab, or one has taken it up again since it was looked for.
        Declined: the person said no to ending what uses its volumes; nothing was deleted.
        ChiopsError: its nodes could not be asked to unmount; nothing was deleted.
    """
    bench, teardown = leftover.teardown.benches[leftover.site], leftover.teardown
    if not teardown.go:
        return leftover
    with lab_lock(leftover.lab, "sweep"):
        journal = Journal()
        _require_forgotten(leftover, bench, journal)
        taken = take_all(teardown, let_go(teardown, leftover.site, ask), journal)
        done = replace(leftover, teardown=taken.teardown)
        again = purge.command("sweep", leftover.lab, "--site", leftover.site, "--delete")
        try:
            raise_first(taken.failed)
            verify(done.teardown, lambda: _look(bench.cloud, leftover, parts_of(done.teardown), purge), again)
        except ChiopsError as error:
            listed = error.keys if isinstance(error, StillThere) else frozenset()
            go = done.teardown.go
            done = replace(
                done,
                teardown=replace(done.teardown, go=tuple(one for one in go if one.key not in listed)),
                undone=(*taken.left, *(one for one in go if one.key in listed)),
                problem=error.sentence(),
            )
    return done


def _require_forgotten(leftover: Leftover, bench: Workbench, journal: Journal) -> None:
    """Asked again under the lab's lock: a question lay between, and another terminal may have taken the lab up."""
    records = [record for record in journal.labs() if record.name == leftover.lab]
    known = known_at(leftover.site, bench.seen.me, records)
    going = {doomed.key.kind for doomed in leftover.teardown.go}
    if leftover.lab in known.here or going & known.kinds_of(leftover.lab):
        raise Conflict(
            f"the lab {leftover.lab} is known here meanwhile", todo=f"use `chiops down {leftover.lab}` if it is to go"
        )


def _look(cloud: Cloud, leftover: Leftover, parts: frozenset[str], purge: Purge) -> Teardown:
    """Only buckets that were to go are asked, and one that can't be read is not gone."""
    seen, names = observe(cloud, parts), {doomed.key.name for doomed in leftover.teardown.go}
    seen = replace(seen, buckets=[bucket for bucket in seen.buckets if bucket.name in names])
    bench = replace(leftover.teardown.benches[leftover.site], seen=with_marks(cloud, seen, unread=None))
    return survey(leftover.lab, {leftover.site: bench}, leftover.site, purge, weigh=False)


def _at(
    cloud: Cloud, name: str, seen: Seen, labs: Collection[str], records: Sequence[LabRecord], purge: Purge
) -> Iterator[Leftover]:
    there = labs_in(seen)
    known = known_at(name, seen.me, [record for record in records if record.name in there])
    for lab in sorted(there & set(labs) if labs else there - {*known.here, NO_LAB}):
        theirs: dict[str, Any] = {PARTS[kind]: () for kind in known.kinds_of(lab)}
        bench = Workbench(cloud, sites.site(name), Mark(lab, seen.me.user_id), replace(seen, **theirs))
        teardown = survey(lab, {name: bench}, name, purge)
        if teardown.go or teardown.stay:
            yield Leftover(name, lab, teardown)


def _unshown(leftovers: Iterator[Leftover], shown: set[tuple[str, ...]]) -> Iterator[Leftover]:
    """Without what a site before has ``shown``: entries of clouds.yaml may lead to one place, and keys are every region's."""
    for leftover in leftovers:
        bench = leftover.teardown.benches[leftover.site]

        def is_new(doomed: Doomed, bench: Workbench = bench) -> bool:
            one = identity(doomed, bench)
            new = one not in shown
            shown.add(one)
            return new

        go, stay = (tuple(filter(is_new, all_)) for all_ in (leftover.teardown.go, leftover.teardown.stay))
        if go or stay:
            yield replace(leftover, teardown=replace(leftover.teardown, go=go, stay=stay))


def labs_in(seen: Seen) -> set[str]:
    """The labs of ours that something belongs to."""
    listed = (getattr(seen, field.name) for field in fields(seen) if field.name != "me")
    marks = (getattr(item, "mark", None) for items in listed for item in items)
    return {mark.lab for mark in marks if mark and mark.owner == seen.me.user_id}


def _say(bucket: str, why: str) -> None:
    progress.say(f"the bucket {bucket} can't be read, so it counts as not made by chiops: {why}")


def with_marks(cloud: Cloud, seen: Seen, unread: Callable[[str, str], None] | None = _say) -> Seen:
    """The same, with the marks of buckets that a listing shows without; each is asked for its own.

    Args:
        cloud: the site.
        seen: what it lists.
        unread: told the name of a bucket that does not let itself be read, which stays unmarked, and why; None to fail instead.
    """

    def asked(bucket: Bucket) -> Bucket:
        if bucket.mark:
            return bucket
        try:
            return cloud.objects.get(bucket.name)
        except NotFound:
            return bucket
        except CloudError as error:
            if unread is None:
                raise
            unread(bucket.name, error.sentence())
            return bucket

    with ThreadPoolExecutor(8, thread_name_prefix="buckets") as pool:
        return replace(seen, buckets=list(pool.map(asked, seen.buckets)))
