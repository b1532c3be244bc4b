"""Built images, kept where a site's other nodes see them: built once per site instead of once per node.

A site has such a store where its ``node_settings`` say so: ``image_store`` is a folder as its nodes see it, read-only, and
``image_store_here`` the same folder on this machine.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from chiops import progress
from chiops.cloud.base import Node
from chiops.errors import RemoteFailed
from chiops.remote.ssh import Ssh

log = logging.getLogger(__name__)

KEPT = 2
"""Archives of one image's name: whoever goes back and forth between two versions builds neither anew."""
SPARE = 2 << 30
"""Bytes that stay free on this machine's disk."""
_SAVE_S = 900


def keep(node: Node, tags: Iterable[str], settings: Mapping[str, object]) -> None:
    """Keep images that a node has, unless they are kept or the site has no store.

    What fails costs the next node the building, and this one nothing: it is a line in the log.

    Args:
        node: a node that has them.
        tags: their full names.
        settings: the site's ``node_settings``.
    """
    if not settings.get("image_store") or not settings.get("image_store_here"):
        return
    folder = Path(str(settings["image_store_here"]))
    for tag in tags:
        if not archive(folder, tag).exists():
            try:
                with _alone(folder):
                    _save(node, tag, folder)
            except (RemoteFailed, OSError) as error:
                log.warning("the image %s of %s is not kept: %s", tag, node.name, error)


def archive(folder: Path, tag: str) -> Path:
    """Where an image lies in a store; the role ``built_image`` knows it, too."""
    return folder / f"{tag.replace(':', '-')}.tar"


def _save(node: Node, tag: str, folder: Path) -> None:
    target = archive(folder, tag)
    if target.exists():
        return
    ssh = Ssh(node)
    size = int(ssh.run("docker", "image", "inspect", "--format={{.Size}}", tag).stdout)
    if shutil.disk_usage(folder).free < size + SPARE:
        log.warning("the image %s is not kept: this machine's disk has no room for its %d MiB", tag, size >> 20)
        return
    part = target.with_suffix(".part")
    try:
        with progress.task(f"keep the image {tag} for other nodes"), part.open("wb") as file:
            ssh.download(file, "docker", "save", tag, timeout=_SAVE_S)
            os.fsync(file.fileno())
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
    kept = sorted(folder.glob(f"{tag.partition(':')[0]}-*.tar"), key=lambda one: one.stat().st_mtime, reverse=True)
    for old in kept[KEPT:]:
        old.unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One at a time, for what is half saved has one name; what a killed one left is removed.

    Raises:
        BlockingIOError: another one is at it, who is not waited for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for part in folder.glob("*.part"):
            part.unlink()
        yield
