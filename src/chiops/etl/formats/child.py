"""A library's writer in a process of its own, watched by the size of what it has written.

Such libraries install signal handlers, fork workers and take hundreds of megabytes; none of that is to happen in ours.
"""

from __future__ import annotations

import errno
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from ..errors import EtlError, from_os_error
from .base import Advance

_POLL_S = 0.25


def write(what: str, work: Callable[..., None], *arguments: object, shards: tuple[Path, str], advance: Advance) -> None:
    """Run ``work(*arguments)``.

    Args:
        what: what is written, for errors: ``litdata's chunks of training``.
        work: a function at the top of a module.
        arguments: its arguments; they are pickled.
        shards: folder and pattern of the files it writes.
        advance: told their size now and then.

    Raises:
        EtlError: it failed, or was killed.
    """
    folder, pattern = shards
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        written = pool.submit(work, *arguments)
        while not wait([written], _POLL_S).done:
            advance(sum(item.stat().st_size for item in folder.glob(pattern)))
        try:
            written.result()
        except BrokenProcessPool as error:
            why = "its process was killed, most likely because the node ran out of memory"
            raise EtlError(f"{what} could not be written", why=why, todo="prepare again", kind="capacity") from error
        except Exception as error:
            if (isinstance(error, OSError) and error.errno == errno.ENOSPC) or "No space left" in str(error):
                raise from_os_error(OSError(errno.ENOSPC, "No space left on device", str(folder))) from error
            raise EtlError(f"{what} could not be written", why=_last_line(error), todo="prepare again") from error


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
