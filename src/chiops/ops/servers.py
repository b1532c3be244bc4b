"""Servers one at a time: found, restarted, built anew, deleted. How they are made is in `serving`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chiops.cloud.base import Server, State, Volume
from chiops.errors import InvalidRequest
from chiops.ops import resolve, shell
from chiops.ops.desk import Confirm, Desk
from chiops.resources import booting, waiting
from chiops.resources.floating_ip import FloatingIpKind
from chiops.resources.kind import Seen
from chiops.resources.server import READY_TIMEOUT_S, ServerKind

NOUN = "server"
SSH_TIMEOUT_S = 1200.0


def find(desk: Desk, servers: Iterable[Server], word: str) -> Server:
    """The server of that name or id."""
    return resolve.one(
        servers,
        word,
        NOUN,
        desk.site,
        prefer=lambda server: server.state is not State.ENDED,
        describe=lambda server: server.status,
    )


@dataclass(frozen=True)
class Shown:
    """A server with what its listing does not say: names for ids, and the way in."""

    server: Server
    volumes: tuple[str, ...]
    lease: str
    image: str
    ssh: str


def show(desk: Desk, word: str) -> Shown:
    """One server, whole."""
    seen = desk.look("servers", "volumes", "leases", "keypairs", "images")
    return described(desk, find(desk, seen.servers, word), seen)


def described(desk: Desk, server: Server, seen: Seen) -> Shown:
    """The server with names for ids, as far as ``seen`` has them."""
    volumes = {volume.id: volume.name or volume.id for volume in seen.volumes}
    leases = {lease.id: lease.name for lease in seen.leases}
    images = {image.id: image.name for image in seen.images}
    return Shown(
        server,
        tuple(volumes.get(one, one) for one in server.volumes),
        leases.get(server.lease_id, server.lease_id),
        images.get(server.image, server.image),
        shell.line(desk, server, seen.keypairs),
    )


@dataclass(frozen=True)
class Gone:
    """What a deletion took, and what stays although nothing uses it now."""

    server: Server
    released: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()


def delete(desk: Desk, word: str, confirm: Confirm, *, release_ip: bool = False) -> Gone:
    """Delete a server of ours and return once it is gone.

    Args:
        desk: the site.
        word: its name or id.
        confirm: asked before anything is touched.
        release_ip: whether its floating IPs go too, those of ours; without it they stay, for the next server.

    Raises:
        NotOurs: it is not ours.
    """
    seen = desk.look("servers", "floating_ips", "volumes")
    server = desk.own(find(desk, seen.servers, word), NOUN, word)
    bound = [ip for ip in seen.floating_ips if ip.server_id == server.id]
    going = [ip for ip in bound if release_ip and desk.is_ours(ip)]
    attached = [volume for volume in seen.volumes if any(at.server_id == server.id for at in volume.attachments)]
    data = tuple(volume.name or volume.id for volume in attached if not volume.bootable or desk.is_ours(volume))
    confirm(_question(server, [ip.address for ip in going], data))
    with desk.change("delete", NOUN, server.name, server.mark) as (task, entry):
        entry.resource = server.id
        if attached and server.state is State.READY:
            task.note("it writes out what it holds of its volumes")
            shell.flush(desk, server)
        ServerKind().take(server, desk.bench(seen))
    for ip in going:
        with desk.change("delete", "floating IP", ip.address, ip.mark) as (_, entry):
            entry.resource = ip.id
            FloatingIpKind().take(ip, desk.bench(seen))
    shell.forget(desk, server)
    stay = tuple(ip.address for ip in bound if ip not in going)
    return Gone(server, tuple(ip.address for ip in going), stay, data)


def _question(server: Server, addresses: list[str], volumes: tuple[str, ...]) -> str:
    also = f" and give {', '.join(addresses)} back" if addresses else ""
    stay = f" Its volumes stay: {', '.join(volumes)}." if volumes else ""
    return f"Delete the server {server.name}, with all that is on its own disk{also}?{stay}"


def rebuild(desk: Desk, word: str, confirm: Confirm, *, image: str | None = None, wait: bool = False) -> Server:
    """Give a server of ours a new root disk; its address, groups and volumes stay.

    Args:
        desk: the site.
        word: the server's name or id.
        confirm: asked before anything is touched.
        image: name or id; the one it was made from by default.
        wait: whether to wait until ssh answers.

    Raises:
        NotOurs: it is not ours.
        InvalidRequest: it boots from a volume, which would be overwritten.
    """
    seen = desk.look("servers", "images", "keypairs", "volumes")
    server = desk.own(find(desk, seen.servers, word), NOUN, word)
    _require_own_disk(desk, server, seen.volumes)
    chosen = resolve.one(seen.images, image or server.image, "image", desk.site)
    if wait:
        shell.require_our_key(server, seen.keypairs)
    confirm(f"Build {server.name} anew from {chosen.name}? All that is on its own disk goes; its volumes stay.")
    with desk.change("rebuild", NOUN, server.name, server.mark) as (task, entry):
        entry.resource = server.id
        if server.volumes and server.state is State.READY:
            task.note("it writes out what it holds of its volumes")
            shell.flush(desk, server)
        ready = await_active(desk, desk.cloud.compute.rebuild(server.id, chosen.id))
        shell.forget(desk, server)
    if wait:
        shell.wait(desk, ready, SSH_TIMEOUT_S)
    return ready


def _require_own_disk(desk: Desk, server: Server, volumes: Iterable[Volume]) -> None:
    """Nova writes the image onto the volume that a server boots from, also onto one that was kept for what is on it."""
    root = booting.root_disk(server, volumes)
    if root is None and server.image:  # one that was made from an image says so
        return
    kept = root.name if root and desk.is_ours(root) else ""
    on_it = (
        f"on that volume with --boot-from {kept}, or on a new one with --boot-volume" if kept else "with --boot-volume"
    )
    raise InvalidRequest(
        f"{server.name} boots from {f'the volume {kept}' if kept else 'a volume'}, which a rebuild would overwrite",
        todo=f"run `chiops server delete {server.name}`, then make it again {on_it}",
    )


def wait(desk: Desk, word: str, timeout_s: float) -> Server:
    """Wait until a server is active and answers ssh.

    Args:
        desk: the site.
        word: the server's name or id.
        timeout_s: how long for each of the two, in seconds.

    Raises:
        ResourceFailed: it failed; with its fault.
        Conflict: it was made with another key.
        Timeout, RemoteFailed: not in time.
    """
    seen = desk.look("servers", "keypairs")
    server = find(desk, seen.servers, word)
    shell.require_our_key(server, seen.keypairs)
    active = await_active(desk, server, timeout_s=timeout_s)
    shell.wait(desk, active, timeout_s)
    return active


def console(desk: Desk, word: str, lines: int) -> tuple[Server, str]:
    """The last lines that a server wrote to its console."""
    server = find(desk, desk.cloud.compute.list(), word)
    return server, desk.cloud.compute.console_log(server.id, lines)


def await_active(desk: Desk, server: Server, todo: str = "", timeout_s: float = READY_TIMEOUT_S) -> Server:
    """Wait until it is active.

    Raises:
        ResourceFailed: it failed; with its fault and what is ``todo``, by default for one that is being made.
    """
    todo = todo or (
        f"run `chiops server delete {server.name}`, then make it again; where there was no room, later or with another flavor"
    )
    return waiting.until_ready(desk.cloud.compute.get, server, noun=NOUN, timeout_s=timeout_s, todo=todo)
