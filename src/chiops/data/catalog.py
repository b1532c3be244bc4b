"""The datasets and formats that ``chiops data prepare`` knows, by name. Node side: ``chiops.etl``."""

from __future__ import annotations

from dataclasses import dataclass

from chiops.errors import UsageError
from chiops.names import suggestion

SPLITS = ("training", "validation", "evaluation")

_FOOD = "Food-11"


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset.

    Args:
        name: as typed, and the folder's name on the node.
        title: what it is, one line.
        sized: whether ``--images`` and ``--seed`` decide what it holds.
        archived: whether it comes from an archive, by ``--url`` or ``--file``.
    """

    name: str
    title: str
    sized: bool = False
    archived: bool = False


@dataclass(frozen=True, slots=True)
class Format:
    """A format.

    Args:
        name: as typed.
        title: what it is, one line.
        prefix: where it lies in the bucket, and its folder on the node.
    """

    name: str
    title: str
    prefix: str


DATASETS = {
    one.name: one
    for one in (
        Dataset("food11-synthetic", "shaped like Food-11, made on the node from a few photographs", sized=True),
        Dataset("food11", "Food-11, 16,643 photographs, 1.1 GB, from the web", archived=True),
    )
}

FORMATS = {
    one.name: one
    for one in (
        Format("imagefolder", "one object per image", "Food-11"),
        Format("litdata", "chunks of many images, for litdata's StreamingDataset", "Food-11-litdata"),
    )
}


def root_of(dataset: str) -> str:
    """A dataset's root, by the name it is staged under: what comes first in its keys, and `ArmConfig.root` in the loaders."""
    return _FOOD if dataset in ("food11", "food11-synthetic") else dataset


def find_dataset(name: str) -> Dataset:
    """The dataset of that name; `UsageError` with the nearest one if there is none."""
    if name not in DATASETS:
        raise UsageError(f"there is no dataset {name!r}", todo=suggestion(name, DATASETS))
    return DATASETS[name]


def find_format(name: str) -> Format:
    """The format of that name; `UsageError` with the nearest one if there is none."""
    if name not in FORMATS:
        raise UsageError(f"there is no format {name!r}", todo=suggestion(name, FORMATS))
    return FORMATS[name]
