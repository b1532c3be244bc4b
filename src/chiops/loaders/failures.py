"""What torch's `DataLoader` raises when a worker is lost or late, in words that say what to do."""

from __future__ import annotations

import errno
import re
import shutil
import signal
from collections.abc import Iterator, Sequence
from multiprocessing.process import BaseProcess

from .bucket import Bucket
from .config import ArmConfig
from .protocol import ArmError

_LITTLE = 256 << 20
"""With less than this left on the disk, what the library could not write is likelier than a slow store; a chunk has 64 MiB."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_WORDS = ("no space left on device", "disk quota exceeded")
_SHARED_WORDS = ("</torch_", "/dev/shm", "shared memory")  # noqa: S108
_MAKE_ROOM = (
    "make room below /var/lib/chiops on the node, then run again; cache/bench there holds only what runs have fetched"
)
_LOST = re.compile(r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\)")


def last_line(error: BaseException) -> str:
    """What an error says, without the worker's traceback that torch packs around it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def broken(error: Exception, config: ArmConfig, delivered: int, workers: Sequence[BaseProcess] = ()) -> ArmError:
    """The failure of a pass by ``workers`` after ``delivered`` samples."""
    text = "\n".join(map(str, _chain(error)))
    if found := full(error):
        return found
    if "timed out after" in text:
        # A library that waits forever for a thread of its own that failed looks the same as a dead link: ask the bucket.
        return (
            refusal(config)
            or _crowded(config)
            or ArmError(
                f"no batch came within {config.timeout_s:g} s, after {delivered} samples",
                "the pipeline still waits for its data",
                "see with `chiops doctor` whether the object store answers; allow more with --batch-timeout if it is only slow",
            )
        )
    if lost := _LOST.search(text):
        return ArmError(
            f"a worker process ended after {delivered} samples",
            _end([int(pid) for pid in lost[1].split(",")], workers),
            "if memory ran out, take fewer --workers or a smaller --batch-size; then run again",
        )
    return ArmError(f"the pipeline failed after {delivered} samples", last_line(error))


def _end(lost: list[int], workers: Sequence[BaseProcess]) -> str:
    """How the first of the lost workers ended.

    Asked of the process: torch tells the signal only from a handler that raises wherever the main thread is, and that is lost
    inside an import or a callback which catches everything.
    """
    for worker in workers:
        if worker.pid in lost and worker.exitcode is not None:
            if worker.exitcode < 0:
                return f"killed by signal {signal.strsignal(-worker.exitcode) or -worker.exitcode}"
            return f"it exited by itself, with code {worker.exitcode}"
    return "it exited by itself"


def short(config: ArmConfig, delivered: int, expected: int) -> ArmError:
    """A pass that ended early without an error, as MosaicML's do when one of its threads has failed."""
    return (
        refusal(config)
        or _crowded(config)
        or ArmError(
            f"the pipeline delivered {delivered} samples of {expected}",
            "it ended without an error of its own",
            "see with `chiops data verify` what the bucket holds, then run again",
        )
    )


def full(error: BaseException) -> ArmError | None:
    """The node's disk or the container's shared memory is full; None if the error does not say so."""
    for one in _chain(error):
        text = str(one).lower()
        if (isinstance(one, OSError) and one.errno in _FULL) or any(words in text for words in _FULL_WORDS):
            if any(words in text for words in _SHARED_WORDS):
                todo = "take fewer --workers or a smaller --batch-size"
                return ArmError("the container's shared memory is full", last_line(one), todo)
            return ArmError("the node's disk is full", last_line(one), _MAKE_ROOM)
    return None


def _crowded(config: ArmConfig) -> ArmError | None:
    """Of a library that keeps what it fetches: that the disk has too little room for it."""
    if not (config.cache_dir / config.format).is_dir():
        return None
    free = shutil.disk_usage(config.cache_dir).free
    if free >= _LITTLE:
        return None
    why = f"{config.format} keeps what it fetches, and the disk has {free >> 20} MiB left"
    return ArmError("the node's disk is full", why, _MAKE_ROOM)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those that it came of: the library may tell what happened in either."""
    while error:
        yield error
        error = error.__cause__ or error.__context__


def refusal(config: ArmConfig) -> ArmError | None:
    """Why the bucket cannot be read now; None if it can, or if the arm has none."""
    if config.s3 is None:
        return None
    bucket = Bucket(config.s3)
    try:
        next(bucket.listing(f"{config.root}"), None)
    except ArmError as failure:
        return failure
    finally:
        bucket.close()
    return None
