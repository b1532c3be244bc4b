"""Before volumes are detached: their nodes unmount them, and where a node does not, the volume stays until the server goes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from chiops import progress
from chiops.cloud.base import Attachment, Node, Server, State, Volume
from chiops.errors import ChiopsError, RemoteFailed
from chiops.lab.session import nodes
from chiops.lab.volumes import InUse, unmount
from chiops.ops.shell import SYNC_TIMEOUT_S
from chiops.resources.halted import is_halted
from chiops.resources.kind import Workbench

LOGIN_TIMEOUT_S = 15.0
"""For a node whose sshd answers: a busy one takes its time."""

Release = Callable[[Sequence[InUse]], None]
"""Shown what uses volumes, asks whether that may be ended; raises `Declined` if the person says no."""


def release(attached: Sequence[Attachment], bench: Workbench, ask: Release) -> list[Attachment]:
    """Have the lab's nodes unmount the volumes that are attached to them.

    What uses one is stopped and ended, once the person has said yes. A node that does not answer keeps its volumes mounted.

    Returns:
        The attachments of volumes that are still mounted, or may be; they must not be detached while the server runs.

    Raises:
        Declined: the person said no; nothing was changed.
    """
    volumes = {volume.id: volume for volume in bench.seen.volumes}
    servers = {server.id: server for server in bench.seen.servers}
    kept = [one for one in attached if _keeps(servers[one.server_id])]
    # Any other that is not running has nothing mounted; those that stand still count as stopped.
    still = (State.DELETING, State.STOPPED, State.ENDED, State.FAILED)
    live = [one for one in attached if servers[one.server_id].state not in still]
    if not live:
        return kept
    ids = sorted({one.server_id for one in live})
    found = nodes(bench.mark.lab, [servers[id_] for id_ in ids], bench.facts.ssh_user)
    answering = {node.server_id: node for node in _answering(found)}
    mounted: dict[Node, list[Volume]] = {}
    for one in live:
        if one.server_id in answering:
            mounted.setdefault(answering[one.server_id], []).append(volumes[one.volume_id])
    failed = not _unmount(mounted, ask)
    return kept + [one for one in live if failed or one.server_id not in answering]


def _keeps(server: Server) -> bool:
    """Whether it has its volumes mounted and can't be asked to let go: on its way out, or standing still."""
    return server.state is State.DELETING or is_halted(server)


def _answering(found: Sequence[Node]) -> list[Node]:
    """Those that let us in; all are asked at once, and one that is silent costs three seconds."""
    with ThreadPoolExecutor(min(16, len(found)), thread_name_prefix="reach") as pool:
        return [node for node, there in zip(found, pool.map(_answers, found), strict=True) if there]


def _answers(node: Node) -> bool:
    from chiops.remote.ready import knock
    from chiops.remote.ssh import Ssh

    try:
        if fault := knock(node):
            raise fault
        Ssh(node).run("true", timeout=LOGIN_TIMEOUT_S)
    except ChiopsError as error:
        progress.say(f"{node.name} does not answer, so its volumes are freed by its end: {error.what}")
        return False
    return True


def _unmount(volumes: Mapping[Node, Sequence[Volume]], ask: Release) -> bool:
    """Whether all of them are unmounted."""
    if not volumes:
        return True
    try:
        if held := unmount(volumes):
            ask(held)
            unmount(volumes, end=True)
    except RemoteFailed as error:
        progress.say(
            f"not all volumes were unmounted, so they are freed by the end of their servers: {error.sentence()}"
        )
        _flush(volumes)
        return False
    return True


def _flush(volumes: Mapping[Node, Sequence[Volume]]) -> None:
    """Have the nodes write out what they hold, so that nothing is lost but what is written after this."""
    from chiops.remote.ssh import Ssh

    for node in volumes:
        with contextlib.suppress(ChiopsError):
            Ssh(node).run("sudo", "sync", timeout=SYNC_TIMEOUT_S)
