"""The one connection per node that every command and playbook of this process shares, so that it logs in only once."""

from __future__ import annotations

import atexit
import hashlib
import os
import stat
import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from chiops.cloud.base import Node
from chiops.errors import PrerequisiteMissing
from chiops.remote.connection import target

# A Unix socket's path has room for 107 bytes, and ssh appends a dot and 16 characters while it binds.
_NAME_CHARS = 16
_FOLDER_MAX = 107 - 17 - len("/") - _NAME_CHARS

_shared: dict[Path, Node] = {}


def share(node: Node) -> Path:
    """The socket of the connection to ``node``, which ends at the latest when this process does."""
    if not _shared:
        atexit.register(lambda: close_all(list(_shared.values())))
    path = control_path(node)
    _shared[path] = node
    return path


def control_path(node: Node) -> Path:
    """The socket of the connection to exactly this node.

    Named by server, key and known hosts too, not by address alone as ``%C`` would: a new node at an old node's address
    must never be answered by the old node's connection.
    """
    facts = (node.address, node.port, node.user, node.server_id, node.key_file, node.known_hosts)
    digest = hashlib.sha256("\0".join(map(str, facts)).encode()).hexdigest()
    return _folder() / digest[:_NAME_CHARS]


def close(node: Node) -> None:
    """End the connection, if there is one; commands that run finish first."""
    path = control_path(node)
    _shared.pop(path, None)
    if path.exists():
        command = ["ssh", "-o", f"ControlPath={path}", "-O", "stop", *target(node)]
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run(command, capture_output=True, check=False, timeout=30)
        path.unlink(missing_ok=True)


def close_all(nodes: Iterable[Node]) -> None:
    """End the connections to ``nodes``."""
    for node in nodes:
        close(node)


def _folder() -> Path:
    """A short directory that only we can enter; whoever could write there could speak for our connections."""
    bases = [Path(tempfile.gettempdir()), Path("/tmp")]  # noqa: S108 - owner and mode are checked below
    for base in bases:
        path = base / f"chiops-ssh-{os.getuid()}"
        if len(os.fsencode(path)) > _FOLDER_MAX:
            continue
        path.mkdir(mode=0o700, exist_ok=True)
        facts = path.lstat()
        if stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid() and not facts.st_mode & 0o077:
            return path
    raise PrerequisiteMissing(
        "there is no private directory for ssh's control sockets",
        why=f"chiops-ssh-{os.getuid()} in {' and '.join(map(str, bases))} belongs to another or is open to others",
        todo="remove it, or set TMPDIR to a short path of your own",
    )
