"""Jupyter on the nodes of a lab that is up: its links, asked whether they work; its restart; another token."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from chiops import progress
from chiops.cloud.base import Node
from chiops.errors import NotFound, RemoteFailed, UsageError
from chiops.lab import tokens
from chiops.lab.journal import Journal
from chiops.lab.lock import lab_lock
from chiops.lab.session import Session, pick
from chiops.remote.ssh import Ssh

ANSWER_S = 10.0
START_S = 120.0
_PAUSE_S = 0.5
_RESTART = (
    'found=$(docker ps --all --quiet --filter "label=chiops=jupyter"); '
    '[ -n "$found" ] || { echo "there is no container of Jupyter" >&2; exit 1; }; exec docker restart --time=5 $found'
)


@dataclass(frozen=True)
class Link:
    """Where Jupyter of one node is reached from here, and what opens it."""

    lab: str
    node: Node
    port: int
    token: str = field(repr=False)

    @property
    def address(self) -> str:
        """Without the token."""
        return f"http://{self.node.address}:{self.port}/lab"

    @property
    def url(self) -> str:
        """With the token: whoever has it has the node's user."""
        return f"{self.address}?token={self.token}"

    def check(self) -> None:
        """Sign in with the token.

        Raises:
            RemoteFailed: no answer, or another token is wanted; says what to do.
        """
        connection = http.client.HTTPConnection(self.node.address, self.port, timeout=ANSWER_S)
        try:
            connection.request("GET", "/api/status", headers={"Authorization": f"token {self.token}"})
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise RemoteFailed(
                f"Jupyter on {self.node.name} does not answer at {self.address}",
                why=str(error),
                todo=f"run `chiops up {self.lab}`, which starts it again",
            ) from error
        finally:
            connection.close()
        if status != http.client.OK:
            raise RemoteFailed(
                f"Jupyter on {self.node.name} wants another token",
                why=f"it answers {status}",
                todo=f"run `chiops up {self.lab}`, which brings ours to the node",
            )


def links(session: Session) -> list[Link]:
    """Jupyter on each node of an open lab that runs it.

    Raises:
        UsageError: the lab has none.
        NotFound: its node does not run, or no token of it is here.
    """
    lab, ports = session.lab.name, _ports(session)
    if not (token := tokens.existing(lab)):
        raise NotFound(f"there is no token of {lab} on this machine", todo=f"run `chiops up {lab}` to make one")
    return [Link(lab, session.node(name), port, token) for name, port in ports.items()]


def restart(session: Session) -> list[Link]:
    """Start Jupyter anew on every node that runs it, kernels and all, and wait until it answers.

    Raises:
        RemoteFailed: a node is not reached, or Jupyter does not come back.
    """
    found = [link for link in links(session) if _own_container(session, link.node.name)]
    if not found:
        raise UsageError(
            f"Jupyter of {session.lab.name} is part of a compose file", todo="restart it with `docker compose` there"
        )
    for link in found:
        with progress.task(f"restart Jupyter on {link.node.name}"):
            Ssh(link.node).run("sudo", "sh", "-c", _RESTART)
            _wait(link)
    return found


def rotate(name: str | None, site: str | None, confirm: Callable[[], None]) -> str:
    """Make another token for the lab of that name, or the only one that is up there, once ``confirm`` has asked; `up` brings it on.

    Returns:
        The lab's name.
    """
    lab = pick(Journal(), name, site=site).name
    confirm()
    with lab_lock(lab):
        tokens.rotate(lab)
    return lab


def _ports(session: Session) -> Mapping[str, int]:
    ports = dict(_served(session))
    if not ports:
        lab = session.lab.name
        raise UsageError(
            f"the lab {lab} runs no Jupyter", todo=f"add `services:` to its file, or `--set jupyter=true` to `up {lab}`"
        )
    return ports


def _served(session: Session) -> Iterator[tuple[str, int]]:
    for server in session.lab.spec.servers:
        if port := server.services.jupyter_port:
            yield server.name, port


def _own_container(session: Session, node: str) -> bool:
    return any(server.services.jupyter for server in session.lab.spec.servers if server.name == node)


def _wait(link: Link) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            return link.check()
        except RemoteFailed:
            if time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE_S)
