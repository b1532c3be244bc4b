"""Requests to the cloud that fail by seed: before they are carried out, or after, when only the answer is lost."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chiops.errors import Auth, ChiopsError, Quota, Timeout, Transient
from tests.support import fast_chiops


def _error(kind: type[ChiopsError], why: str) -> Callable[[str], ChiopsError]:
    return lambda name: kind(f"{name} failed", why=why, todo="try again")


# What goes wrong, whether the request is carried out all the same, how often among the faults
FAULTS: tuple[tuple[Callable[[str], ChiopsError], bool, int], ...] = (
    (_error(Transient, "HTTP 503"), False, 4),
    (_error(Transient, "the connection was closed"), False, 3),
    (_error(Transient, "the answer was lost"), True, 5),
    (_error(Timeout, "no answer in time"), False, 2),
    (_error(Timeout, "no answer in time"), True, 4),
    (_error(Auth, "the token has expired"), False, 1),
    (_error(Quota, "the quota is used up"), False, 1),
)


class Faults:
    """Fails requests to the cloud; which ones follows from ``seed`` and the request's name and number alone.

    Args:
        seed: of the run.
        rate: the share of requests that fail.
        notes: where each fault is written to, one a line.
    """

    def __init__(self, seed: str, rate: float, notes: Path) -> None:
        self._seed, self._rate, self._notes = seed, rate, notes
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def watch(self, name: str) -> Iterator[None]:
        """A request of that name. The S3 server is left alone: its faults are those of the network before it."""
        with self._lock:
            self._counts[name] += 1
            dice = random.Random(f"{self._seed} {name} {self._counts[name]}")
        if name.startswith("s3.") or dice.random() >= self._rate:
            yield
            return
        (error, done, _), *_ = dice.choices(FAULTS, [weight for *_, weight in FAULTS])
        with self._lock, self._notes.open("a") as file:
            file.write(f"{name} {'after' if done else 'before'}\n")
        if done:
            yield
        raise error(name)


def install(folder: Path, *, seed: str, rate: float, **options: Any) -> None:
    """Have this process use the fast cloud in ``folder``, whose requests fail by seed; what failed is in the file ``faults``."""
    fast_chiops.install(folder / "cloud.db", Faults(seed, rate, folder / "faults").watch, **options)
