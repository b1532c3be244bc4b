"""Which labs of this machine are at a site, and what is one thing at two: several names may lead to one place."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from chiops.cloud import sites
from chiops.cloud.base import Bucket, Identity, Keypair, SiteFacts
from chiops.cloud.openstack.entries import whereabouts
from chiops.errors import ChiopsError, UsageError
from chiops.lab.journal import LabRecord
from chiops.lab.survey import Doomed
from chiops.resources.kind import Workbench


@dataclass(frozen=True)
class Known:
    """The labs that are ``here``, and those of which some keys show here, too.

    ``elsewhere`` are other regions of this cloud: Keystone shows keys to S3 in all. ``beside`` are our other projects in this
    region: Nova has key pairs by user.
    """

    here: frozenset[str]
    elsewhere: frozenset[str]
    beside: frozenset[str]

    def kinds_of(self, lab: str) -> frozenset[str]:
        """What of a lab that is not here may be in use where it is, though it shows here."""
        shown = {"credential": self.elsewhere, "keypair": self.beside}
        return frozenset(kind for kind, labs in shown.items() if lab in labs)


def known_at(site: str, me: Identity, records: Sequence[LabRecord]) -> Known:
    """What this machine remembers to be at a site, by what that is: Keystone's host, the region, the project.

    What can't be told of a place counts as the same: what is shown as forgotten may be deleted.

    Args:
        site: its name.
        me: who we are there.
        records: the labs that are remembered.
    """
    near = {name: _nearness(name, site, me) for name in {name for record in records for name in _places(record)}}

    def labs(what: _Near) -> frozenset[str]:
        return frozenset(record.name for record in records if any(near[name] is what for name in _places(record)))

    here = labs(_Near.HERE)
    return Known(here, labs(_Near.OTHER_REGION) - here, labs(_Near.OTHER_PROJECT) - here)


def identity(doomed: Doomed, bench: Workbench) -> tuple[str, ...]:
    """What tells a thing from all others, whatever name its site goes by.

    An id is one at its Keystone. Buckets and key pairs have none but their names: each region's store has those of each project,
    each region's Nova those of each user. Where a site tells no region, one thing may count as two; never two as one.
    """
    host, region = whereabouts(bench.facts)
    kind, found, me = doomed.key.kind, doomed.found, bench.seen.me
    if isinstance(found, Bucket):
        return host, kind, region, me.project_id, found.name
    if isinstance(found, Keypair):
        return host, kind, region, me.user_id, found.name
    return host, kind, getattr(found, "id", "") or getattr(found, "access", "") or str(found)


class _Near(enum.Enum):
    APART = enum.auto()
    OTHER_REGION = enum.auto()
    OTHER_PROJECT = enum.auto()
    HERE = enum.auto()


def _nearness(name: str, site: str, me: Identity) -> _Near:
    """How one place is to another, where we are ``me``."""
    if name == site:
        return _Near.HERE
    try:
        place, there = sites.site(name), sites.site(site)
    except UsageError:  # a site that has been forgotten meanwhile
        return _Near.APART
    (host, region), (host_there, region_there) = whereabouts(place), whereabouts(there)
    if place.cloud != there.cloud or not _may_be_one(host, host_there):
        return _Near.APART
    who, one_region = _who(place, me), _may_be_one(region, region_there)
    if who.user_id != me.user_id:
        return _Near.APART
    if who.project_id != me.project_id:
        return _Near.OTHER_PROJECT if one_region else _Near.APART
    return _Near.HERE if one_region else _Near.OTHER_REGION


def _may_be_one(one: str, other: str) -> bool:
    return one == other or not one or not other


def _places(record: LabRecord) -> list[str]:
    """The lab's site, and that of its buckets."""
    places = [record.site]
    with suppress(UsageError):
        places.append(sites.site(record.site).object_site or record.site)
    return list(dict.fromkeys(places))


def _who(place: SiteFacts, me: Identity) -> Identity:
    """Who we work as at a place; where that can't be told, as here."""
    if place.cloud == "local":
        return me
    try:
        with sites.connect(place.name) as cloud:
            return cloud.identity.whoami()
    except ChiopsError:
        return me
