"""The baseline: `ImageFolder` on the node's own disk, in the staging tree that ``chiops data prepare`` filled."""

from __future__ import annotations

from ..config import ArmConfig
from ..labels import classes_in
from ..protocol import ArmError
from ..traffic import Traffic
from ._tree import TreePipeline

FETCHERS = True


def open(config: ArmConfig, traffic: Traffic) -> TreePipeline:  # noqa: A001, ARG001
    """Scan the tree; the scan is part of the time it takes to open."""
    staged = config.data_dir / config.dataset
    missing = ArmError(
        f"the {config.split} split of {config.dataset} is not on the node",
        todo=f"run `chiops data prepare --dataset {config.dataset} --format imagefolder`",
    )
    classes = classes_in(staged / f"{config.root}.json")
    return TreePipeline(config, staged / config.root / config.split, missing=missing, classes=classes)
