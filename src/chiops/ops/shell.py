"""The way onto a single server: this machine's key there, and its host key here."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable

from chiops.cloud.base import Keypair, Node, Server
from chiops.errors import ChiopsError, Conflict
from chiops.lab import keys, session
from chiops.ops.desk import NO_LAB, Desk
from chiops.resources.keypair import same_key

SYNC_TIMEOUT_S = 120.0
"""What is not written by then is lost with the server, so it is given time."""


BOOTING_TIMEOUT_S = 120.0
"""A server that is active may still boot."""


def machine_keypair(desk: Desk, keypairs: Iterable[Keypair]) -> str:
    """The name under which the site knows this machine's key; registered if it does not yet.

    The name carries a part of the key's hash, so that each of a person's machines has its own.
    """
    public = keys.public_key()
    for keypair in keypairs:
        if is_this_machines(keypair):
            return keypair.name
    name = f"chiops-{hashlib.sha256(public.split()[1].encode()).hexdigest()[:8]}"
    with desk.change("create", "key pair", name) as (_, entry):
        entry.resource = desk.cloud.compute.create_keypair(name, public, mark=desk.mark).id
    return name


def is_this_machines(keypair: Keypair) -> bool:
    """Whether this machine holds the private half."""
    return same_key(keypair.public_key, keys.public_key())


def lets_us_in(server: Server, keypairs: Iterable[Keypair]) -> bool:
    """Whether the server was made with this machine's key."""
    return any(one.name == server.keypair and is_this_machines(one) for one in keypairs)


def node(desk: Desk, server: Server) -> Node:
    """The server as ssh sees it. Host keys of a lab's server are kept with the lab's, others' by themselves."""
    return session.nodes(_hosts(server), [server], desk.facts.ssh_user)[0]


def line(desk: Desk, server: Server, keypairs: Iterable[Keypair]) -> str:
    """The ssh command that a person may paste; "" while the server has no address."""
    from chiops.remote.ssh import Ssh

    there = node(desk, server)
    if not there.address:
        return ""
    if lets_us_in(server, keypairs):
        return Ssh(there).command_line()
    return f"ssh -i KEY {there.user}@{there.address}  # KEY: the private half of {server.keypair or 'your key'}"


def require_our_key(server: Server, keypairs: Iterable[Keypair]) -> None:
    """Refuse to go on where ssh can't be tried.

    Raises:
        Conflict: the server was made with another key.
    """
    if not lets_us_in(server, keypairs):
        raise Conflict(
            f"{server.name} lets in the key {server.keypair or '(none)'}, which is not this machine's",
            todo="use your own ssh with that key",
        )


def wait(desk: Desk, server: Server, timeout_s: float) -> None:
    """Wait until a command runs there.

    Raises:
        RemoteFailed: not within ``timeout_s`` seconds.
    """
    from chiops import progress
    from chiops.remote.ssh import Ssh

    with progress.task(f"wait for ssh to {server.name}"):
        Ssh(node(desk, server)).wait_ready(timeout_s)


def forget(desk: Desk, server: Server) -> None:
    """Drop the host key: the server is gone, or has a new one."""
    from chiops.remote.ssh import Ssh

    if _hosts(server) == _alone(server):
        keys.forget_hosts(_hosts(server))
    elif server.floating_address or server.fixed_address:
        Ssh(node(desk, server)).forget_host_key()


def flush(desk: Desk, server: Server) -> None:
    """Have the server write out what it holds of its volumes; one that does not answer loses only what it never wrote."""
    from chiops.remote.ssh import Ssh

    with contextlib.suppress(ChiopsError):
        Ssh(node(desk, server)).run("sudo", "sync", timeout=SYNC_TIMEOUT_S)


def _hosts(server: Server) -> str:
    lab = server.mark.lab if server.mark else NO_LAB
    return _alone(server) if lab == NO_LAB else lab


def _alone(server: Server) -> str:
    return f"server-{server.id}"
