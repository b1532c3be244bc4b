"""The baseline: `ImageFolder` on the node's own disk, in the staging tree that ``chiops data prepare`` filled."""

from __future__ import annotations

from ..config import ArmConfig
from ..protocol import ArmError
from ._tree import TreePipeline


def open(config: ArmConfig) -> TreePipeline:  # noqa: A001
    """Scan the tree; the scan is part of the time it takes to open."""
    root = config.data_dir / config.dataset / "Food-11" / config.split
    missing = ArmError(
        f"the {config.split} split of {config.dataset} is not on the node",
        todo=f"run `chiops data prepare --dataset {config.dataset} --format imagefolder`",
    )
    return TreePipeline(config, root, missing=missing)
