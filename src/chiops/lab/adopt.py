"""`chiops adopt`: a lab that this machine has forgotten, or never knew, is taken up again from what its sites show."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chiops import progress
from chiops.errors import ChiopsError, NotFound
from chiops.lab import keys
from chiops.lab.journal import Journal
from chiops.lab.loader import Lab, load
from chiops.lab.lock import lab_lock
from chiops.lab.objects import needs_objects
from chiops.lab.parameters import Value
from chiops.lab.places import Places
from chiops.lab.plan import Drift, judge
from chiops.lab.records import portable
from chiops.lab.spec import LabSpec
from chiops.lab.strays import Stray
from chiops.lab.survey import Purge, Teardown, survey
from chiops.lab.sweep import with_marks
from chiops.lab.up import resolve
from chiops.resources.kind import Workbench

PROBE = "x7chiops7x"
"""Stands in for a parameter's value, to see where it comes in."""
_NAMED = ("server", "lease", "volume", "bucket", "security_group")


@dataclass(frozen=True)
class Adopted:
    """A lab that is known again: with which settings, what is there, what is not as its file says, what that does not name."""

    lab: str
    site: str
    settings: Mapping[str, Value]
    found: Teardown
    drift: tuple[Drift, ...]
    strays: tuple[Stray, ...] = ()


def adopt(name: str, settings: Mapping[str, Value], site: str | None) -> Adopted:
    """Note a lab in the journal with the settings that what is there was made with. Changes nothing at the sites.

    Args:
        name: a built-in lab or a lab file.
        settings: values for its parameters; those that end up in names are read off what is there.
        site: where; None for where `up` would bring it up.

    Raises:
        NotFound: nothing of the lab is there.
        UsageError: no such lab; or a lab of this name is known, from another file or at another site.
    """
    journal = Journal()
    lab, place = resolve(name, settings, site, journal)
    needs = needs_objects(lab.name, lab.spec, journal)
    with lab_lock(lab.name, f"adopt {name}"), Places(place, lab.name, objects=needs) as places:
        with progress.task("look at what is there"):
            benches = _observe(places)
            found = survey(lab.name, benches, places.objects.site, Purge())
        if not found.keys:
            raise NotFound(f"nothing of the lab {lab.name} is at {place}", todo="name its site with --site")
        if not any(record.name == lab.name for record in journal.labs()):  # a known lab's values need no guess
            guessed = _settings(lab, settings, found)
            lab = load(lab.source, {**settings, **guessed})
        plan = judge(lab.spec, places, benches)
        for doomed in (*found.go, *found.stay):
            with journal.entry(
                lab=lab.name, site=doomed.site, op="adopt", kind=doomed.key.kind, name=doomed.key.name
            ) as entry:
                entry.resource = str(getattr(doomed.found, "id", ""))
        journal.remember(lab.name, site=place, source=portable(lab.source), settings=lab.values)
        if not any(doomed.key.kind == "server" for doomed in (*found.go, *found.stay)):
            journal.kept(lab.name)
    return Adopted(lab.name, place, lab.values, found, tuple(plan.drift()), plan.strays)


def _observe(places: Places) -> dict[str, Workbench]:
    benches = places.observe(keys.public_key())
    objects = benches[places.objects.site]
    objects.seen = with_marks(objects.cloud, objects.seen)
    return benches


def _settings(lab: Lab, given: Mapping[str, Value], found: Teardown) -> dict[str, Value]:
    """Values of parameters that come in names, where all names that are there agree on one."""
    guessed: dict[str, Value] = {}
    for parameter in lab.parameters:
        if parameter.name in given or not isinstance(lab.values[parameter.name], str):
            continue
        try:
            probed = load(lab.source, {**given, **guessed, parameter.name: PROBE}).spec
        except ChiopsError:
            continue  # its value is no part of a name: a duration, a path
        values = set(_values(probed, found))
        if len(values) == 1:
            guessed[parameter.name] = values.pop()
    return guessed


def _values(probed: LabSpec, found: Teardown) -> Iterator[str]:
    there = [(key.kind, key.name) for key in found.keys if key.kind in _NAMED]
    for kind, name in _names(probed):
        if PROBE in name:
            pattern = re.compile("(.+)".join(re.escape(part) for part in name.split(PROBE, 1)))
            for other_kind, other in there:
                match = pattern.fullmatch(other)
                if kind == other_kind and match:
                    yield match.group(1)


def _names(spec: LabSpec) -> Iterator[tuple[str, str]]:
    if spec.lease:
        yield "lease", spec.lease.name
    for kind, entries in (
        ("server", spec.servers),
        ("volume", spec.volumes),
        ("bucket", spec.buckets),
        ("security_group", spec.security_groups),
    ):
        for entry in entries:
            yield kind, entry.name
