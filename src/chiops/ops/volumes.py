"""Single volumes: made, grown and deleted."""

from __future__ import annotations

from collections.abc import Iterable

from chiops.cloud.base import State, Volume
from chiops.errors import Conflict, UsageError
from chiops.lab.volumes import mount, mounted_at
from chiops.ops import resolve, shell
from chiops.ops.desk import Confirm, Desk
from chiops.resources import waiting
from chiops.resources.booting import is_root_disk
from chiops.resources.kind import Seen
from chiops.resources.volume import VolumeKind, VolumeWanted, require_sound

NOUN = "volume"


def find(desk: Desk, volumes: Iterable[Volume], word: str) -> Volume:
    """The volume of that name or id; ours before others'."""
    return resolve.one(volumes, word, NOUN, desk.site, prefer=desk.is_ours)


def create(desk: Desk, name: str, size_gib: int, volume_type: str = "") -> tuple[Volume, bool]:
    """Make a blank volume; it gets a filesystem when it is first mounted. One of ours that is like that is taken as it is.

    Returns:
        The volume, and whether it is new.

    Raises:
        Conflict: the name stands for another volume, or for one in error.
        Stuck: it stands for one that hangs between two states.
    """
    seen = desk.look("volumes")
    for one in seen.volumes:
        if one.name == name and desk.is_ours(one):
            require_sound(one)
    found = desk.namesake(seen.volumes, NOUN, name, lambda one: _differs(desk, one, size_gib, volume_type))
    desk.cloud.prepare()
    if found:
        return VolumeKind().settle(VolumeWanted(name, size_gib), found, desk.bench(seen)), False
    with desk.change("create", NOUN, name) as (_, entry):
        made = desk.cloud.volumes.create(name, size_gib=size_gib, mark=desk.mark, volume_type=volume_type)
        entry.resource = made.id
        return VolumeKind().settle(VolumeWanted(name, size_gib), made, desk.bench(seen)), True


def _differs(desk: Desk, volume: Volume, size_gib: int, volume_type: str) -> str:
    """How it is not what is asked for; "" if it is."""
    if elsewhere := desk.in_another_lab(volume):
        return elsewhere
    if volume.size_gib != size_gib:
        return f"and has {volume.size_gib} GiB"
    if volume_type not in ("", volume.volume_type):
        return f"and is of type {volume.volume_type or '(none)'}"
    return "and was made from an image" if volume.bootable else ""


def delete(desk: Desk, word: str, confirm: Confirm) -> Volume:
    """Delete a volume of ours and all that is on it.

    Raises:
        Conflict: it is attached.
    """
    seen = desk.look("volumes", "servers")
    volume = desk.own(find(desk, seen.volumes, word), NOUN, word)
    if volume.attachments:
        names = {server.id: server.name for server in seen.servers}
        at = ", ".join(names.get(one.server_id, one.server_id) for one in volume.attachments)
        raise Conflict(
            f"the volume {volume.name} is attached to {at}", todo=f"run `chiops volume detach {volume.name}` first"
        )
    confirm(f"Delete the volume {volume.name} ({volume.size_gib} GiB) and all that is on it?")
    with desk.change("delete", NOUN, volume.name, volume.mark) as (_, entry):
        entry.resource = volume.id
        VolumeKind().take(volume, desk.bench(seen, volume.mark))
    return volume


def extend(desk: Desk, word: str, size_gib: int, *, growing: bool) -> tuple[Volume, str]:
    """Grow a volume of ours, and the filesystem on it where it is mounted.

    Returns:
        The volume, and where its filesystem grew; "" where it is not mounted by us: it grows when it is.

    Raises:
        UsageError: it would shrink.
    """
    seen = desk.look("volumes", "servers", "keypairs")
    volume = desk.own(find(desk, seen.volumes, word), NOUN, word)
    if size_gib < volume.size_gib:
        raise UsageError(
            f"the volume {volume.name} has {volume.size_gib} GiB and never shrinks",
            todo="make a smaller one and copy what is on it",
        )
    if size_gib > volume.size_gib:
        with desk.change("extend", NOUN, volume.name, volume.mark) as (_, entry):
            entry.resource = volume.id
            bench = desk.bench(seen, volume.mark)
            VolumeKind().mend(VolumeWanted(volume.name, size_gib), volume, bench)
            volume = waiting.until(
                lambda: _of_size(desk.cloud.volumes.get(volume.id), size_gib),
                what=f"the volume {volume.name} having {size_gib} GiB",
                timeout_s=600,
            )
    return volume, _grow(desk, volume, seen) if growing else ""


def _of_size(volume: Volume, size_gib: int) -> Volume | None:
    return volume if volume.size_gib >= size_gib else None


def _grow(desk: Desk, volume: Volume, seen: Seen) -> str:
    at = {attachment.server_id for attachment in volume.attachments if not is_root_disk(attachment)}
    for server in seen.servers:
        if server.id in at and desk.is_ours(server) and server.state is State.READY:
            shell.require_our_key(server, seen.keypairs)
            node = shell.node(desk, server)
            if path := mounted_at(node, volume):
                mount(node, volume, path)
                return path
    return ""
