"""Whether a lab has anything to do with its object site. One that has not can do without it, and without credentials for it."""

from __future__ import annotations

from collections.abc import Iterable

from chiops.errors import ChiopsError
from chiops.lab.journal import Journal, LabRecord
from chiops.lab.loader import load
from chiops.lab.spec import LabSpec
from chiops.lab.wanted import Key

_KINDS = {"bucket": "bucket", "credential": "credential", "EC2_credential": "credential"}
"""As labs and as single commands note them."""
_ALL = "*"
"""The name under which is noted that no resource of a kind is left; none can have it."""
_GONE = frozenset({"delete", "gone", "revoke"})


def needs_objects(lab: str, spec: LabSpec | None, journal: Journal) -> bool:
    """Whether the object site has to be asked about a lab, so that nothing of it is made twice or forgotten.

    Args:
        lab: its name.
        spec: what its file says; None where that can't be read, which may want buckets.
        journal: knows what was made for it before, and by single commands.
    """
    return spec is None or bool(spec.buckets) or bool(_may_stand(lab, journal))


def spec_of(record: LabRecord) -> LabSpec | None:
    """What the file of a known lab says; None where it can't be read or is about another lab now."""
    try:
        spec = load(record.source, record.settings).spec
    except ChiopsError:
        return None
    return spec if spec.name == record.name else None


def note_none(lab: str, kinds: Iterable[str], journal: Journal, site: str) -> None:
    """Note that none of these kinds is left at the object site, where by the journal there may be some.

    Of what was begun and may not have come through, only a look can say so.
    """
    for kind in {key.kind for key in _may_stand(lab, journal)}.intersection(kinds):
        with journal.entry(lab=lab, site=site, op="gone", kind=kind, name=_ALL):
            pass


def _may_stand(lab: str, journal: Journal) -> set[Key]:
    """The buckets and keys of it that were made and not deleted since, or begun, as their making may have come through unnoted."""
    there: set[Key] = set()
    for one in journal.operations(lab):
        kind = _KINDS.get(one.kind)
        if not kind:
            continue
        # A key is known by its access key, which is its name where it was listed; one that was only begun has none
        known = Key(kind, one.name if kind == "bucket" else one.resource or one.name)
        if one.op in _GONE:
            if one.phase == "done":
                there -= {key for key in there if key.kind == kind} if one.name == _ALL else {known}
            continue
        if one.phase == "done":
            there.discard(Key(kind, one.name))  # one that was begun before would have been found, had it come through
        there.add(known)
    return there
