"""Servers started and restarted."""

from __future__ import annotations

from chiops.cloud.base import Server, State
from chiops.errors import Conflict
from chiops.ops import servers, shell
from chiops.ops.desk import Desk
from chiops.resources.halted import in_rescue, is_halted, way_on


def start(desk: Desk, word: str, *, wait: bool = False) -> Server:
    """Have a server of ours go on that is shut down, paused, suspended or shelved; with ``wait`` until ssh answers.

    Raises:
        NotOurs, Conflict: it is not ours; it has failed, is in rescue or on its way out; or ssh can't be waited for.
    """
    seen = desk.look("servers", "keypairs")
    server = desk.own(servers.find(desk, seen.servers, word), servers.NOUN, word)
    _require_sound(server)
    if in_rescue(server):
        raise Conflict(f"{server.name} is in rescue", todo=way_on(server))
    if server.state is State.DELETING:
        raise Conflict(f"{server.name} is being deleted")
    if wait:
        shell.require_our_key(server, seen.keypairs)
    if server.state is State.STOPPED:
        with desk.change("start", servers.NOUN, server.name, server.mark) as (_, entry):
            entry.resource = server.id
            desk.cloud.compute.start(server.id)
            server = servers.await_active(desk, desk.cloud.compute.get(server.id), _anew(server))
    if wait:
        server = servers.await_active(desk, server, _anew(server))
        shell.wait(desk, server, servers.SSH_TIMEOUT_S)
    return server


def reboot(desk: Desk, word: str, *, wait: bool = False) -> Server:
    """Restart a server of ours, also one that is stopped; with ``wait`` until ssh answers.

    Raises:
        NotOurs, Conflict: it is not ours; it has failed or stands still with all it has mounted; or ssh can't be waited for.
    """
    seen = desk.look("servers", "keypairs")
    server = desk.own(servers.find(desk, seen.servers, word), servers.NOUN, word)
    _require_sound(server)
    if is_halted(server):
        # Of one that can't shut down a reboot is a reset
        raise Conflict(
            f"{server.name} is {server.status}, and what it has not written yet would be lost",
            todo=way_on(server),
        )
    if wait:
        shell.require_our_key(server, seen.keypairs)
    with desk.change("reboot", servers.NOUN, server.name, server.mark) as (_, entry):
        entry.resource = server.id
        desk.cloud.compute.reboot(server.id)
        ready = servers.await_active(desk, desk.cloud.compute.get(server.id), _anew(server))
    if wait:
        shell.wait(desk, ready, servers.SSH_TIMEOUT_S)
    return ready


def _require_sound(server: Server) -> None:
    if server.state is State.FAILED:
        raise Conflict(f"{server.name} is in {server.status}", why=server.fault, todo=_anew(server))


def _anew(server: Server) -> str:
    return f"build it anew with `chiops server rebuild {server.name}`"
