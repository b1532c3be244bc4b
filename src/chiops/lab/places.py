"""The sites of a lab, signed in: one for its servers, one for its buckets (often the same)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import fields
from types import TracebackType
from typing import Self, cast

from chiops.cloud import sites
from chiops.cloud.base import Cloud, Identity, Mark
from chiops.errors import ChiopsError
from chiops.resources.kind import Seen, Workbench, observe

OBJECT_KINDS = frozenset({"bucket", "credential"})
"""Kinds that live at the object site; all others live at the compute site."""
OBJECT_PARTS = frozenset({"buckets", "credentials"})
"""The same, as parts of `Seen`."""
ALL_PARTS = frozenset(field.name for field in fields(Seen)) - {"unread"}
CATALOGUE = frozenset({"flavors", "images"})
"""What a site offers; of use only to those who make something."""
NOBODY = Identity("", "", "", "")
"""Who we are at a site that does not say: nothing there is ours."""


class _Away:
    """An object site that can't be connected to: whatever is asked of it fails with the reason."""

    def __init__(self, site: str, error: ChiopsError) -> None:
        self.site, self._error = site, error

    def __getattr__(self, name: str) -> object:
        raise self._error


class Places:
    """Open connections to a lab's sites. A context manager.

    Args:
        compute: the site of its servers, which knows that of its buckets.
        lab: its name.
        tolerant: whether an object site that can't be connected to is told where it is asked, instead of now.
        objects: whether the lab needs its object site, see `needs_objects`. Where not, that is looked at only if it can be.
    """

    def __init__(self, compute: str, lab: str, *, tolerant: bool = False, objects: bool = True) -> None:
        facts = sites.site(compute)
        self.lab = lab
        self.needs_objects = objects
        self.compute_facts = facts
        self.object_facts = sites.site(facts.object_site) if facts.object_site else facts
        self._stack = ExitStack()
        self.compute: Cloud = self._stack.enter_context(sites.connect(compute))
        same = self.object_facts.name == compute
        self.objects: Cloud = self.compute if same else self._connect_objects(tolerant or not objects)

    def _connect_objects(self, tolerant: bool) -> Cloud:
        try:
            return self._stack.enter_context(sites.connect(self.object_facts.name))
        except ChiopsError as error:
            if not tolerant:
                self._stack.close()
                raise
            return cast("Cloud", _Away(self.object_facts.name, error))

    @property
    def clouds(self) -> list[Cloud]:
        """Each connection once."""
        return [self.compute] if self.objects is self.compute else [self.compute, self.objects]

    def prepare(self) -> None:
        """Bring up what the sites need before resources can be made."""
        self.compute.prepare()
        if self.needs_objects and self.objects is not self.compute:
            self.objects.prepare()

    def observe(
        self, public_key: str = "", *, parts: frozenset[str] = ALL_PARTS, tolerant: bool = False
    ) -> dict[str, Workbench]:
        """Read every site that is asked at once, each for what lives there; a workbench for each, by site.

        Args:
            public_key: this machine's, for what is made on the workbenches.
            parts: which parts of `Seen` are read; each costs a request.
            tolerant: whether what can't be listed is told in `Seen.unread`; all of it, where the object site does not answer.
        """
        asked = [cloud for cloud in self.clouds if parts & self._parts(cloud)]
        with ThreadPoolExecutor(len(asked)) as pool:
            seen = pool.map(lambda cloud: self._see(cloud, parts & self._parts(cloud), tolerant), asked)
            return {
                cloud.site: self._workbench(cloud, found, public_key) for cloud, found in zip(asked, seen, strict=True)
            }

    def _see(self, cloud: Cloud, parts: frozenset[str], tolerant: bool) -> Seen:
        spared = parts if tolerant else frozenset() if self.needs_objects else parts & OBJECT_PARTS
        try:
            seen = observe(cloud, parts, tolerant=bool(spared))
        except Exception as error:
            if not spared or cloud is self.compute:
                raise
            return Seen(NOBODY, unread=dict.fromkeys(parts, error))
        for part, problem in seen.unread.items():
            if part not in spared:
                raise problem
        return seen

    def _parts(self, cloud: Cloud) -> frozenset[str]:
        """What to read of a site: two regions of one cloud may show the same servers, which must not count twice."""
        if self.compute is self.objects:
            return ALL_PARTS
        return OBJECT_PARTS if cloud is self.objects else ALL_PARTS - OBJECT_PARTS

    def _workbench(self, cloud: Cloud, seen: Seen, public_key: str) -> Workbench:
        facts = self.compute_facts if cloud is self.compute else self.object_facts
        return Workbench(cloud, facts, Mark(self.lab, seen.me.user_id), seen, public_key)

    def site_of(self, kind: str) -> str:
        """The site at which resources of that kind live."""
        return self.objects.site if kind in OBJECT_KINDS else self.compute.site

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)
