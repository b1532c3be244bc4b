"""The server that something goes to, named or not, and what may not be done to it meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

from chiops.cloud.base import Mark, Server, State
from chiops.errors import NotFound, UsageError
from chiops.lab import session
from chiops.lab.journal import Journal
from chiops.lab.lock import lab_lock
from chiops.ops import resolve
from chiops.ops.desk import NO_LAB, Desk


def usual_server(desk: Desk, mark: Mark | None, servers: Iterable[Server], declared: str = "") -> Server:
    """The server that is meant when none is named: the one that the lab file says, else the lab's only one.

    Args:
        desk: the site.
        mark: of the thing that goes to the server; it names the lab. Without a lab's mark it is the only lab that is up.
        servers: all of the site.
        declared: the server's name in the lab file, if that has one.

    Raises:
        UsageError: the lab has several.
        NotFound: none of the lab runs here.
    """
    lab = mark.lab if mark and mark.lab != NO_LAB else session.pick(Journal(), None, site=desk.site).name
    mine = [one for one in servers if one.mark == Mark(lab, desk.me.user_id) and one.state is State.READY]
    named = [one for one in mine if declared and one.name == declared]
    if len(named or mine) == 1:
        return (named or mine)[0]
    if mine:
        raise UsageError(
            f"the lab {lab} has several servers", todo="name one with --server: " + ", ".join(one.name for one in mine)
        )
    raise NotFound(
        f"no server of the lab {lab} runs at {desk.site}", todo=f"run `chiops up {lab}`, or name a server with --server"
    )


def our_server(desk: Desk, servers: Iterable[Server], word: str) -> Server:
    """The server of ours of that name or id; one of others is meant only where none of ours has the name.

    Raises:
        NotOurs: it is not ours.
    """
    return desk.own(resolve.one(servers, word, "server", desk.site, prefer=desk.is_ours), "server", word)


def held(server: Server) -> AbstractContextManager[None]:
    """Nobody brings the server's lab up or down meanwhile."""
    lab = server.mark.lab if server.mark else NO_LAB
    return nullcontext() if lab == NO_LAB else lab_lock(lab)


def mount_point(text: str) -> str:
    """A mount point that a person typed.

    Raises:
        UsageError: it is none.
    """
    from pydantic import TypeAdapter, ValidationError

    from chiops.lab.fields import AbsolutePath

    try:
        return str(TypeAdapter(AbsolutePath).validate_python(text))
    except ValidationError as error:
        raise UsageError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error
