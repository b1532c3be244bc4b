"""One lab, one command at a time: a lock that ends with its process, whatever ends that, and tells who holds it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from chiops import paths
from chiops.errors import ChiopsError, Conflict, Interrupted

_HELD = (errno.EAGAIN, errno.EACCES)


@contextmanager
def lab_lock(name: str, command: str = "", *, beside_work: bool = False) -> Iterator[None]:
    """Hold the lab for this process, so that two commands never change it at once.

    The kernel lets go of it when the process ends, so what is written in the file is never trusted: it only tells who it is
    while the lock is held. Machines that share the state folder share the lock.

    Args:
        name: the lab's.
        command: what is done meanwhile, as ``up``; told to whom it keeps waiting.
        beside_work: also while a command holds `work_lock`; for what leaves the nodes alone.

    Raises:
        Conflict: another chiops works on it; names its process, machine and command.
    """
    with _locked(name, name, command), nullcontext() if beside_work else work_lock(name, command):
        yield


@contextmanager
def work_lock(name: str, command: str) -> Iterator[None]:
    """Hold the lab's nodes, for hours perhaps: nothing else works on them or changes the lab, but its lease can be extended.

    Raises:
        Conflict: as for `lab_lock`.
    """
    with _locked(name, f"{name}+work", command):
        yield


@contextmanager
def _locked(name: str, stem: str, command: str) -> Iterator[None]:
    path = paths.private_dir(paths.state_dir() / "locks") / f"{stem}.lock"
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _HELD:
                raise _unusable(path, error) from error
            raise _held(name, file) from None
        _sign(file, command)
        try:
            yield
        finally:
            file.truncate(0)


@contextmanager
def making(path: Path) -> Iterator[None]:
    """Hold the lock at ``path`` while something is made at first use. Others wait for it, and look again whether it is there.

    Raises:
        ChiopsError: the file system has no locks.
    """
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            raise _unusable(path, error) from error
        yield


@contextmanager
def interruptible(todo: str) -> Iterator[None]:
    """Ctrl-C in the body ends in a sentence that says which command goes on, and which takes back.

    Raises:
        Interrupted: the person pressed Ctrl-C; what was under way has ended or is left marked.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(
            "Interrupted; what was made is noted and marked",
            todo=todo,
        ) from error


def _sign(file: IO[str], command: str) -> None:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    file.truncate(0)
    file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "command": command, "since": since}))
    file.flush()


def _held(name: str, file: IO[str]) -> Conflict:
    file.seek(0)
    try:
        holder = json.loads(file.read())
        since = datetime.fromisoformat(holder["since"]).astimezone().strftime("%H:%M:%S")
        who = f"`chiops {holder['command']}`" if holder["command"] else "another chiops"
        who += f" (process {int(holder['pid'])} on {holder['host']}, since {since})"
    except (ValueError, KeyError, TypeError):
        who = "another chiops"  # it has the lock and has not signed yet
    return Conflict(f"{who} works on the lab {name}", todo="wait for it to end, then run this again")


def _unusable(path: Path, error: OSError) -> ChiopsError:
    return ChiopsError(
        f"{path} can't be locked", why=error.strerror or "", todo="have XDG_STATE_HOME on a file system that has locks"
    )
