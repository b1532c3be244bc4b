"""Volumes taken to and from servers: attached, mounted, unmounted, detached."""

from __future__ import annotations

from dataclasses import dataclass

from chiops.cloud.base import Attachment, Server, State, Volume
from chiops.errors import Conflict, NotFound, RemoteFailed
from chiops.lab.journal import Journal
from chiops.lab.loader import load
from chiops.lab.spec import VolumeSpec
from chiops.lab.volumes import DEFAULT_PATH, mount, unmount
from chiops.ops import shell
from chiops.ops.desk import NO_LAB, Desk
from chiops.ops.usual import held, mount_point, our_server, usual_server
from chiops.ops.volumes import NOUN, find
from chiops.resources.booting import is_root_disk
from chiops.resources.halted import is_halted, way_on
from chiops.resources.kind import Seen
from chiops.resources.volume import AttachmentKind, AttachmentWanted, require_sound


@dataclass(frozen=True)
class Attached:
    """A volume at its server; ``path`` is where it is mounted, "" where that was left out."""

    volume: Volume
    server: Server
    device: str
    path: str
    changed: bool


def attach(desk: Desk, word: str, server_word: str | None, path: str | None, *, mounting: bool) -> Attached:
    """Attach a volume of ours to a server of ours, and mount it there. What is done already is left as it is.

    Args:
        desk: the site.
        word: the volume.
        server_word: the server; None for the one that the lab file says, or the only one of the lab.
        path: where it is mounted; None for what the lab file says, or `DEFAULT_PATH`.
        mounting: whether to mount it.

    Raises:
        UsageError: the path is none, or it is not clear which server is meant.
        NotOurs: the volume or the server is not.
        Conflict: the volume is attached elsewhere or not usable, or the server is not active.
        RemoteFailed: it is attached, and could not be mounted.
    """
    seen = desk.look("volumes", "servers", "keypairs")
    volume = desk.own(find(desk, seen.volumes, word), NOUN, word)
    declared = _declared(volume)
    where = mount_point(path) if path else (declared.mount if declared else None) or DEFAULT_PATH
    if server_word:
        server = our_server(desk, seen.servers, server_word)
    else:
        server = usual_server(desk, volume.mark, seen.servers, (declared.server or "") if declared else "")
    _check(volume, server, seen)
    if mounting:
        shell.require_our_key(server, seen.keypairs)
    with held(server):
        changed = _attach(desk, volume, server, seen)
        volume = desk.cloud.volumes.get(volume.id)
        device = next((at.device for at in volume.attachments if at.server_id == server.id), "")
        if not mounting:
            return Attached(volume, server, device, "", changed)
        shell.wait(desk, server, shell.BOOTING_TIMEOUT_S)
        changed = bool(mount(shell.node(desk, server), volume, where)) or changed
        return Attached(volume, server, device, where, changed)


def _check(volume: Volume, server: Server, seen: Seen) -> None:
    elsewhere = [at.server_id for at in volume.attachments if at.server_id != server.id]
    if elsewhere:
        name = next((one.name for one in seen.servers if one.id == elsewhere[0]), elsewhere[0])
        raise Conflict(
            f"the volume {volume.name} is attached to {name}", todo=f"run `chiops volume detach {volume.name}` first"
        )
    require_sound(volume)
    if server.state is not State.READY:
        raise Conflict(
            f"the server {server.name} is {server.status}", why=server.fault, todo="attach it once the server is active"
        )


def _attach(desk: Desk, volume: Volume, server: Server, seen: Seen) -> bool:
    if any(at.server_id == server.id for at in volume.attachments):
        return False
    bench = desk.bench(seen, volume.mark)
    bench.put(NOUN, volume.name, volume)
    bench.put("server", server.name, server)
    with desk.change("attach", NOUN, volume.name, server.mark) as (_, entry):
        entry.resource = volume.id
        AttachmentKind().make(AttachmentWanted(volume.name, server.name), bench)
    return True


def detach(desk: Desk, word: str, *, unmounting: bool) -> tuple[Volume, list[Server]]:
    """Unmount a volume of ours and take it from its server.

    Returns:
        The volume, and the servers that it was taken from; none if it was attached to none.

    Raises:
        Conflict: something uses it, which is named; a server boots from it; or one is halted that may have it mounted.
        NotOurs: the volume or its server is not.
    """
    seen = desk.look("volumes", "servers", "keypairs")
    volume = desk.own(find(desk, seen.volumes, word), NOUN, word)
    servers = {server.id: server for server in seen.servers}
    taken = []
    for attachment in volume.attachments:
        server = servers.get(attachment.server_id)
        if server is None:
            raise NotFound(f"the server {attachment.server_id} that {volume.name} is attached to is not shown to you")
        if is_root_disk(attachment):
            raise Conflict(
                f"the server {server.name} boots from the volume {volume.name}", todo="delete the server first"
            )
        with held(desk.own(server, "server", server.name)):
            if unmounting:
                _let_go(desk, volume, server, seen)
            _take(desk, volume, attachment, server, seen)
        taken.append(server)
    return desk.cloud.volumes.get(volume.id), taken


def _let_go(desk: Desk, volume: Volume, server: Server, seen: Seen) -> None:
    """Have nothing on the server use the volume: it unmounts it, or is shut down."""
    if server.state is State.READY:
        shell.require_our_key(server, seen.keypairs)
        _unmount(desk, volume, server)
    elif server.state is State.PENDING or is_halted(server):
        raise Conflict(
            f"the server {server.name} is {server.status} and may have {volume.name} mounted, so it stays attached",
            todo=(way_on(server) if is_halted(server) else "wait until the server is active")
            + "; or add --no-unmount, which loses what the server has not written yet",
        )


def _unmount(desk: Desk, volume: Volume, server: Server) -> None:
    try:
        held = unmount({shell.node(desk, server): [volume]})
    except RemoteFailed as error:
        raise Conflict(
            f"the volume {volume.name} was not unmounted on {server.name}, so it stays attached",
            why=error.sentence(),
            todo="mend that; or add --no-unmount, which loses what the server has not written yet",
        ) from error
    if held:
        raise Conflict(str(held[0]), todo="end that, then run this again")


def _take(desk: Desk, volume: Volume, attachment: Attachment, server: Server, seen: Seen) -> None:
    with desk.change("detach", NOUN, volume.name, server.mark) as (_, entry):
        entry.resource = volume.id
        AttachmentKind().take(attachment, desk.bench(seen, volume.mark))


def _declared(volume: Volume) -> VolumeSpec | None:
    """What the file of its lab says of a volume; None for one that is in no lab we know."""
    if not volume.mark or volume.mark.lab == NO_LAB:
        return None
    record = next((record for record in Journal().labs() if record.name == volume.mark.lab), None)
    spec = load(record.source, record.settings).spec if record else None
    return next((one for one in spec.volumes if one.name == volume.name), None) if spec else None
