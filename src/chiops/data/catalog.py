"""The datasets and formats that ``chiops data prepare`` knows, by name. Node side: ``chiops.etl``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chiops.errors import UsageError
from chiops.names import suggestion

SPLITS = ("training", "validation", "evaluation")
STAGES = ("extract", "transform", "load")

_FOOD = "Food-11"


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset.

    Args:
        name: as typed, and the folder's name on the node unless it is ``own``.
        title: what it is, one line.
        sized: whether ``--images`` and ``--seed`` decide what it holds.
        archived: whether it comes from an archive, by ``--url`` or ``--file``.
        own: whether it is a person's own images, by ``--source``, under a ``--name`` of its own.
    """

    name: str
    title: str
    sized: bool = False
    archived: bool = False
    own: bool = False


@dataclass(frozen=True, slots=True)
class Format:
    """A format.

    Args:
        name: as typed.
        title: what it is, one line.
        suffix: what follows the dataset's root in keys and in the folder's name on the node.
    """

    name: str
    title: str
    suffix: str

    def prefix(self, root: str) -> str:
        """Where it lies in the bucket, and its folder on the node."""
        return f"{root}{self.suffix}"


DATASETS = {
    one.name: one
    for one in (
        Dataset("food11-synthetic", "shaped like Food-11, made on the node from a few photographs", sized=True),
        Dataset("food11", "Food-11, 16,643 photographs, 1.1 GB, from the web", archived=True),
        Dataset("imagefolder", "a folder of your own with one folder per class, here, on the node or in the bucket", own=True),
        Dataset("index", "images of your own in the bucket, by a JSON list of their keys", own=True),
    )
}  # fmt: skip

FORMATS = {
    one.name: one
    for one in (
        Format("imagefolder", "one object per image", ""),
        Format("webdataset", "tar shards, for the webdataset library", "-webdataset"),
        Format("litdata", "chunks of many images, for litdata's StreamingDataset", "-litdata"),
        Format("mds", "MDS shards, for MosaicML's StreamingDataset", "-mds"),
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


def find_formats(names: Iterable[str]) -> tuple[str, ...]:
    """The names of formats, each once; ``all`` is every one. `UsageError` where there is no such format."""
    asked = tuple(dict.fromkeys(names))
    return tuple(FORMATS) if "all" in asked else tuple(find_format(name).name for name in asked)


def of_prefix(prefix: str, format_name: str) -> str:
    """The root that a prefix of a format begins with."""
    return prefix.removesuffix(find_format(format_name).suffix)
