"""What a source is to the dataset made of it, and which of its files count."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..errors import EtlError
from ..jpeg import is_named_jpeg
from ..protocol import Events
from ..stages import draft_of

_OTHER_IMAGES = (".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""What torchvision's ImageFolder takes besides JPEGs."""

_UNPRINTABLE = ("Cc", "Cn", "Cs", "Zl", "Zp")
"""Unicode's categories of control characters, of what is no character, and of separators of lines."""

_LONGEST_NAME, _LONGEST_KEY = 255, 900
"""Bytes of a file's name, and of a key in S3 (1,024) without its prefix."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a source.

    Args:
        path: relative to the source, its parts separated by ``/``.
        size: bytes; -1 where only fetching it tells.
        modified: when it changed, in nanoseconds since 1970; 0 where unknown.
        tag: what else changes with its content.
    """

    path: str
    size: int
    modified: int = 0
    tag: str = ""

    def is_at(self, path: Path) -> bool:
        """Whether ``path`` holds this file, by size and date."""
        try:
            facts = path.stat()
        except OSError:
            return False
        return self.size in (-1, facts.st_size) and self.modified in (0, facts.st_mtime_ns)


class Source(Protocol):
    """Files somewhere."""

    @property
    def where(self) -> str:
        """For the manifest: what the images were made from."""

    def list(self, work: Path, events: Events) -> Iterator[Entry]:
        """All files, in any order, one at a time."""

    def fetch(self, entries: Iterable[Entry], raw: Path, events: Events) -> None:
        """Bring those that are not there yet into the folder ``raw``, under their paths, with their dates."""

    def raw(self, work: Path) -> Path:
        """The folder in which the files lie when they are fetched."""


def counts(path: str) -> bool:
    """Whether a file belongs to the dataset: a JPEG that is not hidden. Others (notes, thumbnails' indexes) do not.

    Raises:
        EtlError: it is another kind of image, or its name fits no file or key.
    """
    parts = path.split("/")
    if any(part.startswith(".") and part not in (".", "..") for part in parts):
        return False
    if path.lower().endswith(_OTHER_IMAGES):
        raise EtlError(f"{path!r} is no JPEG", why="JPEGs alone can be prepared", todo="convert or remove such images")
    if not is_named_jpeg(path):
        return False
    if why := _unfit(path, parts):
        raise EtlError(f"the name of the image {path!r} cannot be kept", why=why, todo="rename it")
    return True


def put(entry: Entry, path: Path, blocks: Iterable[bytes]) -> int:
    """Write a file so that it appears whole and with its date, or not at all; how many bytes came."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial, size = draft_of(path), 0
    with partial.open("wb") as stream:
        for block in blocks:
            size += stream.write(block)
    if entry.size not in (-1, size):
        partial.unlink()
        raise EtlError(f"{entry.path!r} came with {size} bytes instead of {entry.size}", todo="prepare again")
    if entry.modified:
        os.utime(partial, ns=(entry.modified, entry.modified))
    partial.replace(path)
    return size


def _unfit(path: str, parts: list[str]) -> str:
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        return "it is not UTF-8"
    if any(unicodedata.category(character) in _UNPRINTABLE for character in path):
        return "it has a character that is no text"
    if any(part in ("", ".", "..") for part in parts):
        return "a part of it is empty or dots"
    if max(len(part.encode()) for part in parts) > _LONGEST_NAME or len(encoded) > _LONGEST_KEY:
        return "it is too long"
    return ""
