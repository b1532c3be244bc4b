"""`ImageFolder` through the bucket's mount: every open and read is a request, or several, of the FUSE daemon."""

from __future__ import annotations

from ..config import ArmConfig
from ..labels import classes_in
from ..protocol import ArmError
from ..traffic import Traffic
from ._tree import TreePipeline

FETCHERS = True


def open(config: ArmConfig, traffic: Traffic) -> TreePipeline:  # noqa: A001, ARG001
    """Walk the tree over the mount; the listing requests are part of the time it takes to open."""
    missing = ArmError(
        f"there is no {config.split} split of {config.root} in the mounted bucket",
        todo=f"run `chiops data prepare --dataset {config.dataset} --format imagefolder`; is the bucket mounted?",
    )
    return TreePipeline(
        config,
        config.mount_dir / config.root / config.split,
        missing=missing,
        classes=classes_in(config.mount_dir / "manifests" / f"{config.root}.json"),
        # The control side empties the mount and asks it; to look at pages would be to open files, and so to drop them.
        cache_note="the mount's caches are outside the container, which can neither drop nor measure them",
        own_cache=False,
    )
