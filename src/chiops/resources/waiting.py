"""Waiting for a cloud to get there: adaptive polling with a deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from chiops.cloud.base import Resource, State
from chiops.errors import NotFound, ResourceFailed, Timeout, Transient

T = TypeVar("T")
R = TypeVar("R", bound=Resource)

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 5.0
GROWTH = 1.5


cancel = threading.Event()
"""Set when the person presses Ctrl-C: every wait of this process ends at once."""


def pause(seconds: float) -> None:
    """Sleep.

    Raises:
        Timeout: the person presses Ctrl-C meanwhile, or has pressed it.
    """
    if cancel.wait(seconds):
        raise Timeout("the wait was interrupted")


@contextmanager
def ended_together() -> Iterator[None]:
    """Ctrl-C in the body, which waits for other threads, ends their waits, too."""
    try:
        yield
    except KeyboardInterrupt:
        cancel.set()
        raise


def until(
    look: Callable[[], T | None],
    *,
    what: str,
    timeout_s: float,
    sleep: Callable[[float], None] = pause,
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """Call ``look`` until it returns something other than None; its pauses grow from 0.25 s to 5 s.

    A `Transient` error of ``look`` is a reason to look again, and so is an answer that did not come in time; any other ends the
    wait, and so does Ctrl-C.

    Raises:
        Timeout: nothing came within ``timeout_s`` seconds.
    """
    deadline, length = clock() + timeout_s, FIRST_PAUSE_S
    while True:
        trouble = ""
        try:
            found = look()
            if found is not None:
                return found
        except (Transient, Timeout) as error:
            if cancel.is_set():
                raise
            trouble = error.sentence()
        if clock() >= deadline:
            raise Timeout(
                f"{what} did not happen within {timeout_s:.0f} s", why=trouble, todo="run the command again to go on"
            )
        sleep(min(length, max(0.0, deadline - clock())))
        length = min(length * GROWTH, LONGEST_PAUSE_S)


def until_ready(
    get: Callable[[str], R], resource: R, *, noun: str, timeout_s: float, states: tuple[State, ...] = (), todo: str = ""
) -> R:
    """Poll ``get`` until the resource is READY or IN_USE (or in ``states``); FAILED raises `ResourceFailed` with its fault and
    what is ``todo``."""
    wanted = states or (State.READY, State.IN_USE)

    def look(current: R | None = None) -> R | None:
        current = current or get(resource.id)
        if current.state is State.FAILED:
            raise ResourceFailed(f"the {noun} {resource.name} failed ({current.status})", why=current.fault, todo=todo)
        return current if current.state in wanted else None

    return look(resource) or until(look, what=f"{noun} {resource.name} becoming ready", timeout_s=timeout_s)


def until_gone(get: Callable[[str], R], resource_id: str, *, what: str, timeout_s: float) -> None:
    """Poll ``get`` until it raises `NotFound`."""

    def look() -> bool | None:
        try:
            get(resource_id)
        except NotFound:
            return True
        return None

    until(look, what=f"{what} going away", timeout_s=timeout_s)
