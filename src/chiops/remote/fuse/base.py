"""What the control side knows of a FUSE backend, and one choice of backend and options."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

Counters = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Backend:
    """One backend.

    Args:
        name: as typed, and the name of its task file and its unit template.
        program: what runs on the node.
        version: the command that tells its version, on the first line it prints.
        measured: options that a benchmark adds to whatever was chosen, for a cache folder and a port on loopback, so that
            caches are where they can be emptied and counters can be read. They change nothing about how it reads.
        counters: the command that prints the daemon's counters, for a port; None where it keeps none.
        parse: what that command printed, as numbers.
    """

    name: str
    program: str
    version: tuple[str, ...]
    measured: Callable[[str, int], tuple[str, ...]] = lambda _cache, _port: ()
    counters: Callable[[int], str] | None = None
    parse: Callable[[str], Counters] = lambda _text: {}


@dataclass(frozen=True, slots=True)
class MountChoice:
    """A backend with its options; ``{cache}`` in an option stands for the mount's own cache folder."""

    OPTION: ClassVar[re.Pattern[str]] = re.compile(r"(--[a-z0-9-]+|-o[a-z0-9_]+)(=[^\s%\"']*)?")

    backend: str
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.backend, *self.options))
