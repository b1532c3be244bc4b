"""Which site a command means. One that the person did not name is told, unless it is the plain default."""

from __future__ import annotations

from contextlib import closing

from chiops import progress
from chiops.cloud.sites import DEFAULT_SITE, Meant, chosen
from chiops.lab.journal import Journal, LabRecord


def meant(site: str | None, lab: str | None = None) -> str:
    """The site of a command on single resources.

    Args:
        site: the one named.
        lab: the lab named, which must be up.

    Returns:
        In this order: the one named, the lab's, the one of CHIOPS_SITE, of ``default:`` in the person's sites.yaml, the one
        where all labs are that are up, else `DEFAULT_SITE`.

    Raises:
        UsageError: no such lab is up, or the lab is at another site.
    """
    if lab:
        return _of_lab(lab, site)
    return site or tell(chosen() or _of_labs())


def for_new(lab_site: str) -> str:
    """Where a lab comes up for which no site was named: where its file says, else where the person has chosen."""
    return tell(Meant(lab_site, "as its file says") if lab_site else chosen() or Meant(DEFAULT_SITE))


def for_known(record: LabRecord) -> str:
    """Where a lab is that was brought up."""
    return tell(Meant(record.site, f"where {record.name} {'is up' if record.phase == 'up' else 'has data'}"))


def tell(place: Meant) -> str:
    """Say where a command works that named no site, and why there."""
    if place.site != DEFAULT_SITE:
        progress.say(f"at {place.site}, {place.why}")
    return place.site


def _of_lab(lab: str, site: str | None) -> str:
    from chiops.lab.session import pick

    with closing(Journal()) as journal:
        record = pick(journal, lab, site=site)
    return site or for_known(record)


def _of_labs() -> Meant:
    with closing(Journal()) as journal:
        up = [record for record in journal.labs() if record.phase == "up"]
    places = sorted({record.site for record in up})
    if len(places) == 1:
        names = ", ".join(record.name for record in up)
        return Meant(places[0], f"where {names} {'is' if len(up) == 1 else 'are'} up")
    if places:
        progress.say(f"at {DEFAULT_SITE}: labs are up at {' and '.join(places)}, so name one with --site")
    return Meant(DEFAULT_SITE)
