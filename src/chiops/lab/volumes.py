"""Volumes on the nodes that they are attached to: mounted, and unmounted once nothing uses them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chiops import progress
from chiops.cloud.base import Node, Volume

DEFAULT_PATH = "/mnt/block"

# Not by the filesystem: a copy of a volume has the same. Where a node has no names by id, there is nothing to compare with.
RIGHT_DISK = """\
right_disk() (
  id=$(grep -hsxF -A 20 "Where=$1" /etc/systemd/system/*.mount | sed -n 's/^Volume=//p' | head -n 1)
  [ -n "$id" ] || exit 0
  there=$(readlink -f "$(findmnt -rnvo SOURCE --mountpoint "$1" | tail -n 1)")
  set -- "/dev/disk/by-id/"*"$(printf %.20s "$id")"* "/dev/disk/by-id/wwn-0x$(printf %s "$id" | tr -d -)"*
  own=$(ls -d "$@" 2>/dev/null)
  [ -z "$own" ] || readlink -f $own | grep -qxF "$there"
)
"""
"""A function for a node's shell: whether what is mounted at a path is of the volume whose unit of ours mounts there."""


@dataclass(frozen=True)
class InUse:
    """A volume that is mounted, and what uses it: each ``python3 (process 12 of cc)``, ``container jupyter``."""

    volume: str
    node: str
    users: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.volume} on {self.node} is in use by {', '.join(self.users)}"


def mount_of(volume: Volume, path: str) -> dict[str, object]:
    """A volume and its mount point as the playbook has them."""
    return {"volume": volume.id, "path": path, "name": volume.name, "size_gib": volume.size_gib}


def mount(node: Node, volume: Volume, path: str) -> int:
    """Mount an attached volume, now and at every boot; one that holds nothing at all gets a filesystem first.

    A filesystem that is smaller than its volume grows.

    Returns:
        How many tasks changed something.

    Raises:
        RemoteFailed: the volume holds something else, the path is taken, or the node is not reached.
    """
    from chiops.remote.ansible import run_playbook

    with progress.task(f"mount {volume.name} at {path} on {node.name}") as task:
        variables = {"volume_mounts": [mount_of(volume, path)]}
        return run_playbook("mount_volume", [node], variables=variables, parent_task=task).changed


def unmount(volumes: Mapping[Node, Sequence[Volume]], *, end: bool = False) -> list[InUse]:
    """Unmount volumes wherever they are mounted on their nodes, in one run. What is in use stays mounted.

    Args:
        volumes: for each node the volumes that are attached to it.
        end: whether to stop the containers and end the processes that use a volume, so that it can be unmounted.

    Returns:
        What is in use; empty if all is unmounted.

    Raises:
        RemoteFailed: a node is not reached, or does not let go of a volume.
    """
    from chiops.remote.ansible import run_playbook

    names = {volume.id: volume.name for listed in volumes.values() for volume in listed}
    with progress.task(f"unmount {', '.join(names.values())}") as task:
        ids = {node.name: [volume.id for volume in listed] for node, listed in volumes.items()}
        variables = {"volume_ids": ids, "volume_if_used": "end" if end else "report"}
        told = run_playbook("unmount_volume", list(volumes), variables=variables, parent_task=task).told
    if end:
        return []
    return [
        InUse(names[id_], node, tuple(user["text"] for user in users))
        for node, listed in told.get("volume_users", {}).items()
        for id_, users in listed.items()
        if users
    ]


def mounted_at(node: Node, volume: Volume) -> str:
    """Where our unit mounts a volume on its node; "" if there is none."""
    from chiops.remote.ssh import Ssh

    script = (
        'grep -lsx "Volume=$1" /etc/systemd/system/*.mount | while read -r unit; do sed -n "s/^Where=//p" "$unit"; done'
    )
    lines = Ssh(node).run("sh", "-c", script, "sh", volume.id, check=False).stdout.splitlines()
    return lines[0] if lines else ""
