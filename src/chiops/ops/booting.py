"""Volumes that servers boot from: one that goes with its server, or one of ours that stays."""

from __future__ import annotations

from dataclasses import replace

from chiops.cloud.base import BootVolume, Image, Server, Volume
from chiops.errors import Conflict, UsageError
from chiops.ops import resolve
from chiops.ops.desk import Desk
from chiops.resources.booting import root_disk
from chiops.resources.volume import VolumeKind, VolumeWanted

NOUN = "volume"


def wanted(size_gib: int, existing: str, *, keep: bool) -> BootVolume | None:
    """What the options say of a boot volume; None for the server's own disk. One that was there before always stays.

    Raises:
        UsageError: they contradict each other.
    """
    if size_gib and existing:
        raise UsageError("a server boots from one volume", todo="leave --boot-volume or --boot-from out")
    if existing:
        return BootVolume(volume_id=existing, delete_on_termination=False)
    if keep and not size_gib:
        raise UsageError("there is no boot volume to keep", todo="add --boot-volume 60")
    return BootVolume(size_gib=size_gib, delete_on_termination=not keep) if size_gib else None


def volume_for(desk: Desk, boot: BootVolume | None, server: str, image: Image) -> BootVolume | None:
    """What the server is to be made with.

    A volume that goes with its server is left to the cloud, which makes and deletes both together. One that stays is made
    here, as ``boot-<server>``: the cloud would give it neither name nor mark, and nobody could tell later whose it is. If
    it is there already, from an earlier server or a try that was stopped, it is booted from as it is.

    Raises:
        NotOurs: the volume is not ours; booting from it would change it.
        Conflict: it is in use, can't be booted from, or is of another size.
    """
    if boot is None or (not boot.volume_id and boot.delete_on_termination):
        return boot
    volumes = desk.cloud.volumes.list()
    name = boot.volume_id or f"boot-{server}"
    if boot.volume_id or any(volume.name == name for volume in volumes):
        volume = _free(desk, resolve.one(volumes, name, NOUN, desk.site, prefer=desk.is_ours), boot.size_gib)
    else:
        with desk.change("create", NOUN, name) as (_, entry):
            made = desk.cloud.volumes.create(name, size_gib=boot.size_gib, mark=desk.mark, image_id=image.id)
            entry.resource = made.id
            volume = VolumeKind().settle(VolumeWanted(name, boot.size_gib), made, desk.bench(desk.look()))
    return replace(boot, volume_id=volume.id)


def differs(desk: Desk, server: Server, boot: BootVolume | None) -> str:
    """How a server boots from something else than is asked for; "" if it does not, or nothing can be told."""
    volumes = desk.cloud.volumes.list()
    root = root_disk(server, volumes)
    if root is None:
        known = bool(server.image) and set(server.volumes) <= {volume.id for volume in volumes}
        return "already, on a disk of its own" if boot and known else ""
    if boot and boot.volume_id:
        same = boot.volume_id in (root.id, root.name)
    else:
        # One that stays has our mark, one that goes with its server has none
        same = boot is not None and (boot.size_gib, boot.delete_on_termination) == (
            root.size_gib,
            not desk.is_ours(root),
        )
    return "" if same else f"already, on the volume {root.name or root.id} of {root.size_gib} GiB"


def _free(desk: Desk, volume: Volume, size_gib: int) -> Volume:
    volume = desk.own(volume, NOUN, volume.name or volume.id)
    if not volume.bootable:
        raise Conflict(
            f"the volume {volume.name} can't be booted from",
            why="it was not made from an image",
            todo="attach it with `chiops volume attach` instead",
        )
    if volume.attachments:
        raise Conflict(f"the volume {volume.name} is in use", todo="delete the server that booted from it first")
    if size_gib not in (0, volume.size_gib):
        raise Conflict(
            f"the volume {volume.name} exists and has {volume.size_gib} GiB",
            todo=f"boot from it with --boot-from {volume.name}, or delete it with `chiops volume delete {volume.name}`",
        )
    return volume
