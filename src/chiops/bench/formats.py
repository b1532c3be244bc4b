"""The formats as the control side knows them: what each needs on the node or in the bucket. Node side: ``chiops.loaders``."""

from __future__ import annotations

from dataclasses import dataclass

from chiops.errors import UsageError
from chiops.names import suggestion

BASELINE = "imagefolder-local"


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Args:
        name: as typed, and the node side's pipeline.
        title: what it is, for a report.
        prepared_as: the ``--format`` of ``chiops data prepare`` that makes its data.
        mount: whether it reads through the bucket's mount.
    """

    name: str
    title: str
    prepared_as: str
    mount: bool = False


FORMATS = {
    one.name: one
    for one in (
        Format(BASELINE, "JPEG files on the node's disk", "imagefolder"),
        Format("imagefolder-mount", "JPEG files through the bucket's mount", "imagefolder", mount=True),
        Format("litdata", "litdata chunks streamed from the bucket", "litdata"),
    )
}


def find(name: str) -> Format:
    """The format of that name; `UsageError` with the nearest one if there is none."""
    try:
        return FORMATS[name]
    except KeyError:
        raise UsageError(f"there is no benchmark format {name!r}", todo=suggestion(name, FORMATS)) from None
