"""`ImageFolder` through the bucket's mount: every open and read is a request, or several, of the FUSE daemon."""

from __future__ import annotations

from ..config import ArmConfig
from ..protocol import ArmError
from ._tree import TreePipeline


def open(config: ArmConfig) -> TreePipeline:  # noqa: A001
    """Walk the tree over the mount; the listing requests are part of the time it takes to open."""
    root = config.mount_dir / "Food-11" / config.split
    missing = ArmError(
        f"there is no {config.split} split of Food-11 in the mounted bucket",
        todo=f"run `chiops data prepare --dataset {config.dataset} --format imagefolder`; is the bucket mounted?",
    )
    note = "the mount daemon's own cache is outside the container: neither emptied nor measured"
    return TreePipeline(config, root, missing=missing, cache_note=note)
