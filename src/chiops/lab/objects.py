"""Whether a lab has anything to do with its object site. One that has not can do without it, and without credentials for it."""

from __future__ import annotations

from chiops.errors import ChiopsError
from chiops.lab.journal import Journal, LabRecord
from chiops.lab.loader import load
from chiops.lab.spec import LabSpec

_BUCKETS = frozenset({"bucket"})
_CREDENTIALS = frozenset({"credential", "EC2_credential"})
"""As labs and as single commands note them."""
_GONE = frozenset({"delete", "gone", "revoke"})


def needs_objects(lab: str, spec: LabSpec | None, journal: Journal) -> bool:
    """Whether the object site has to be asked about a lab, so that nothing of it is made twice or forgotten.

    Args:
        lab: its name.
        spec: what its file says; None where that can't be read, which may want buckets.
        journal: knows what was made for it before, and by single commands.
    """
    return spec is None or bool(spec.buckets) or _may_stand(lab, journal)


def spec_of(record: LabRecord) -> LabSpec | None:
    """What the file of a known lab says; None where it can't be read or is about another lab now."""
    try:
        spec = load(record.source, record.settings).spec
    except ChiopsError:
        return None
    return spec if spec.name == record.name else None


def _may_stand(lab: str, journal: Journal) -> bool:
    """Whether a bucket or key of it was made and not deleted since, or begun, as its making may have come through unnoted."""
    there: set[str] = set()
    for one in journal.operations(lab):
        if one.kind in _BUCKETS:
            known = one.name
        elif one.kind in _CREDENTIALS:
            known = one.resource or one.name  # its access key, which is its name where it was listed
        else:
            continue
        if one.op not in _GONE:
            there.add(known)
        elif one.phase == "done":
            there.discard(known)
    return bool(there)
