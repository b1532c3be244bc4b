"""The one error that leaves this package, as an event and not as a traceback."""

from __future__ import annotations

import errno
from typing import Literal

Kind = Literal["usage", "data", "auth", "not-found", "transient", "capacity", "foreign", "internal"]


class EtlError(Exception):
    """An expected failure.

    Args:
        what: what happened, one clause without a full stop.
        why: the cause as the service or system reports it.
        todo: what the person can do about it, imperative.
        kind: what sort of failure, for the control side to tell them apart.
    """

    def __init__(self, what: str, *, why: str = "", todo: str = "", kind: Kind = "data") -> None:
        super().__init__(f"{what}: {why}" if why else what)
        self.what = what
        self.why = why
        self.todo = todo
        self.kind: Kind = kind


def from_os_error(error: OSError) -> EtlError:
    """A full disk, a missing folder, a read-only file system: in words."""
    where = f" {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EtlError(
            "the staging disk is full",
            why=f"{error.strerror}{where}",
            todo="free space under the node's staging folder, or prepare fewer images; what is staged is kept and continued",
            kind="capacity",
        )
    return EtlError(f"cannot use{where or ' a file'}", why=error.strerror or type(error).__name__)
