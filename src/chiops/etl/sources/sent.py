"""Files sent over this process's stdin, behind the configuration, from a machine that only we talk to.

First a line of JSON for each file, ``[path, size, modified]``, and an empty line. Then the `wanted` event says which of them
are not here yet, and these follow, one directly behind the other, as many bytes each as was listed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ..errors import EtlError
from ..protocol import Events
from ..stages import check_room
from .base import Entry, put

_BLOCK = 1 << 20
_TODO = "prepare again; what has arrived is kept"


@dataclass(frozen=True, slots=True)
class Sent:
    """What comes over ``stream``."""

    where: str = "what was sent"
    stream: BinaryIO = field(default_factory=lambda: sys.stdin.buffer)

    def list(self, work: Path, events: Events) -> Iterator[Entry]:  # noqa: ARG002
        """The files that were listed.

        Raises:
            EtlError: the list breaks off.
        """
        while (line := self.stream.readline()) != b"\n":
            if not line.endswith(b"\n"):
                raise EtlError("the list of files broke off", todo=_TODO, kind="transient")
            path, size, modified = json.loads(line)
            yield Entry(path, size, modified)

    def fetch(self, entries: Iterable[Entry], raw: Path, events: Events) -> None:
        """Ask for what is missing and receive it.

        Args:
            entries: those listed, in the same order; read several times.
            raw: where they go.
            events: asks, and tells how far it is.

        Raises:
            EtlError: the stream ends too early, or the disk has too little room.
        """
        bits, total = bytearray(), 0
        for number, entry in enumerate(entries):
            bits += b"\0" * (number % 8 == 0)
            if not entry.is_at(raw / entry.path):
                bits[-1] |= 1 << number % 8
                total += entry.size
        check_room(raw, total)
        events.wanted(bytes(bits))
        done = 0
        for number, entry in enumerate(entries):
            if bits[number // 8] >> number % 8 & 1:
                done += put(entry, raw / entry.path, self._read(entry.size))
                events.progress("Receive files", done, total, "bytes")

    def raw(self, work: Path) -> Path:
        """A folder of our own."""
        return work / "source"

    def _read(self, size: int) -> Iterator[bytes]:
        while size:
            block = self.stream.read(min(size, _BLOCK))
            if not block:
                raise EtlError("the connection ended while files were sent", todo=_TODO, kind="transient")
            size -= len(block)
            yield block
