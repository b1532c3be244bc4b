"""Waiting for something real, with a deadline, asking often at first and less often later."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from chiops.errors import NotFound

T = TypeVar("T")


def wait_for(what: str, probe: Callable[[], T], *, until: Callable[[T], bool] = bool, within: float = 60) -> T:
    """Call ``probe`` until ``until`` of its answer is true and return that answer; fail after ``within`` seconds.

    Args:
        what: what is waited for, for the failure's message.
        probe: asks; an exception of it ends the wait at once.
    """
    deadline, pause = time.monotonic() + within, 0.05
    while True:
        answer = probe()
        if until(answer):
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {within:g} s, last answer: {answer!r}")
        time.sleep(pause)
        pause = min(pause * 1.5, 2.0)


def is_gone(get: Callable[[], object]) -> bool:
    """Whether ``get`` raises `NotFound`."""
    try:
        get()
    except NotFound:
        return True
    return False


def wait_gone(what: str, get: Callable[[], object], *, within: float = 60) -> None:
    """Wait until ``get`` raises `NotFound`."""
    wait_for(f"{what} gone", lambda: is_gone(get), within=within)
