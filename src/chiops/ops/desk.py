"""One site, opened for a single command: who we are there, what is ours, and how a change is noted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from chiops import progress
from chiops.cloud import sites
from chiops.cloud.base import Cloud, Ec2Credential, Identity, Mark, Resource, SiteFacts, State
from chiops.errors import Conflict, NotOurs
from chiops.lab import where
from chiops.lab.journal import Entry, Journal
from chiops.resources.kind import Seen, Workbench, observe

NO_LAB = "none"
"""The lab on the mark of what belongs to none."""

Confirm = Callable[[str], None]
"""Asks the person one question; raises `Declined` if the answer is no."""

R = TypeVar("R", bound=Resource | Ec2Credential)
M = TypeVar("M", bound=Resource)


@dataclass(frozen=True)
class Desk:
    """An open site; what is made here belongs to ``lab``, which is `NO_LAB` for what no `down` shall take."""

    cloud: Cloud
    facts: SiteFacts
    lab: str = NO_LAB

    @cached_property
    def me(self) -> Identity:
        return self.cloud.identity.whoami()

    @property
    def site(self) -> str:
        return self.cloud.site

    @property
    def mark(self) -> Mark:
        """What is made here carries this."""
        return Mark(self.lab, self.me.user_id)

    def is_ours(self, resource: Resource | Ec2Credential) -> bool:
        """Whether our chiops made it, for whichever lab."""
        return resource.mark is not None and resource.mark.owner == self.me.user_id

    def own(self, resource: R, noun: str, name: str) -> R:
        """The resource, if it is ours and may be changed or deleted.

        Raises:
            NotOurs: it is not.
        """
        if not self.is_ours(resource):
            raise NotOurs(
                f"the {noun} {name} at {self.site} was not made by your chiops",
                why="made by another person" if resource.mark else "it carries no mark",
                todo="change it with the tool that made it",
            )
        return resource

    def namesake(self, resources: Iterable[M], noun: str, name: str, differs: Callable[[M], str]) -> M | None:
        """The resource that has the name now and serves as it is, ours before others': an earlier run may have begun it.

        Args:
            resources: what is there.
            noun, name: of what is wanted.
            differs: how one is not what is wanted, as ``and books nothing``; "" if it is.

        Raises:
            Conflict: the name stands for another's, a failed one, or one that differs.
        """
        for found in sorted(resources, key=lambda one: not self.is_ours(one)):
            if found.name != name or found.state in (State.ENDED, State.DELETING):
                continue
            if not self.is_ours(found):
                raise Conflict(f"a {noun} {name} of someone else exists at {self.site}", todo="choose another name")
            if found.state is State.FAILED:
                raise Conflict(
                    f"your {noun} {name} is in {found.status}",
                    why=found.fault,
                    todo=f"delete it with `chiops {noun} delete {found.id}`",
                )
            if told := differs(found):
                raise Conflict(
                    f"your {noun} {name} exists {told}", todo="choose another name, or delete that one first"
                )
            return found
        return None

    def in_another_lab(self, ours: Resource) -> str:
        """How one of ours belongs elsewhere than what is made here, for `namesake`; "" if it does not."""
        if ours.mark is None or ours.mark.lab == self.lab:
            return ""
        return "already, in no lab" if ours.mark.lab == NO_LAB else f"already, in the lab {ours.mark.lab}"

    def look(self, *parts: str) -> Seen:
        """List those parts of the site, all at once; names as in `Seen`."""
        return observe(self.cloud, frozenset(parts))

    def bench(self, seen: Seen, mark: Mark | None = None, public_key: str = "") -> Workbench:
        """A workbench for the resource kinds, with our mark or the one that a resource has."""
        return Workbench(self.cloud, self.facts, mark or self.mark, seen, public_key)

    @contextmanager
    def change(self, op: str, kind: str, name: str, mark: Mark | None = None) -> Iterator[tuple[progress.Task, Entry]]:
        """Show and journal a change while the body makes it; ``kind`` is the noun."""
        journal = Journal()
        try:
            with (
                progress.task(f"{op} {kind} {name}".strip()) as task,
                journal.entry(
                    lab=mark.lab if mark else self.lab, site=self.site, op=op, kind=kind.replace(" ", "_"), name=name
                ) as entry,
            ):
                yield task, entry
        finally:
            journal.close()


@contextmanager
def opened(site: str | None, lab: str | None = None, *, objects: bool = False) -> Iterator[Desk]:
    """Open a site.

    Args:
        site: its name; without one the lab's, or what `where.meant` says.
        lab: the lab that new resources shall belong to; none without one.
        objects: whether the object store's site is meant, where that is another.

    Raises:
        UsageError: no such site, no such lab is up, or the lab is at another site.
    """
    facts = sites.site(where.meant(site, lab))
    if objects and facts.object_site:
        facts = sites.site(facts.object_site)
    with sites.connect(facts.name) as cloud:
        yield Desk(cloud, facts, lab or NO_LAB)
