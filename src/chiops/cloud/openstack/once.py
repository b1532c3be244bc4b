"""Creates are sent once. When the answer is lost, what was asked for is looked up instead of being asked for again."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from chiops.errors import CloudError, Timeout, Transient

T = TypeVar("T")

REQUEST = "chiops-request"
"""The key under which each create carries a word of its own, so that the lookup can't take another's for its own."""
LOOKS_S = (0.5, 2.0, 5.0)
"""Pauses before each look; a service that lost its answer usually has finished by then."""


def word() -> str:
    """A new word for `REQUEST`."""
    return secrets.token_hex(6)


def once(
    make: Callable[[], T], find: Callable[[], T | None], *, what: str, sleep: Callable[[float], None] = time.sleep
) -> T:
    """Call ``make`` once; if its answer was lost, return what ``find`` finds.

    Args:
        make: sends the create.
        find: looks for what exactly this create made; None if it is not there.
        what: the resource, for the error.
        sleep: pauses, in seconds.

    Raises:
        Timeout: the answer was lost and nothing is to be found so far; it may still appear, marked as ours.
    """
    try:
        return make()
    except (Timeout, Transient) as lost:
        if (found := looked_for(find, sleep)) is not None:
            return found
        raise Timeout(
            f"{what} may or may not have been made",
            why=f"the service's answer was lost ({lost.why or lost.what}) and nothing is to be seen yet",
            todo="run the command again: chiops finds what it made by its mark before it makes anything",
        ) from lost


def looked_for(
    find: Callable[[], T | None],
    sleep: Callable[[float], None] = time.sleep,
    *,
    pauses: Sequence[float] | None = None,
) -> T | None:
    """What ``find`` finds within a few looks, which may fail, each after a pause in seconds; None if it is not there."""
    for pause in LOOKS_S if pauses is None else pauses:
        sleep(pause)
        try:
            found = find()
        except CloudError:
            continue
        if found is not None:
            return found
    return None
