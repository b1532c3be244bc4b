"""What torch's `DataLoader` raises when a worker is lost or late, in words that say what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .bucket import Bucket
from .config import ArmConfig
from .protocol import ArmError

_SIGNAL = re.compile(r"killed by signal: ([A-Za-z ]+)")


def last_line(error: BaseException) -> str:
    """What an error says, without the worker's traceback that torch packs around it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def broken(error: Exception, config: ArmConfig, delivered: int) -> ArmError:
    """The failure of a pass after ``delivered`` samples."""
    text = "\n".join(_chain(error))
    if "timed out after" in text:
        # A library that waits forever for a thread of its own that failed looks the same as a dead link: ask the bucket.
        return refusal(config) or ArmError(
            f"no batch came within {config.timeout_s:g} s, after {delivered} samples",
            "the pipeline still waits for its data",
            "see with `chiops doctor` whether the object store answers; allow more with --batch-timeout if it is only slow",
        )
    if "DataLoader worker" in text:
        found = _SIGNAL.search(text)
        return ArmError(
            f"a worker process ended after {delivered} samples",
            f"killed by signal {found[1].strip()}" if found else "it exited by itself",
            "if memory ran out, take fewer --workers or a smaller --batch-size; then run again",
        )
    return ArmError(f"the pipeline failed after {delivered} samples", last_line(error))


def short(config: ArmConfig, delivered: int, expected: int) -> ArmError:
    """A pass that ended early without an error, as MosaicML's do when one of its threads has failed."""
    return refusal(config) or ArmError(
        f"the pipeline delivered {delivered} samples of {expected}",
        "it ended without an error of its own",
        "see with `chiops data verify` what the bucket holds, then run again",
    )


def _chain(error: BaseException | None) -> Iterator[str]:
    """What an error says, and those that it came of: torch may tell the signal in either."""
    while error:
        yield str(error)
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
