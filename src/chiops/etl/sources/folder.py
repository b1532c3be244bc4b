"""A folder on the node, mounted into the container: its files are read where they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .. import tree
from ..errors import EtlError
from ..protocol import Events
from .base import Entry


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder ``path``."""

    path: Path
    where: str = "a folder on the node"

    def list(self, work: Path, events: Events) -> Iterator[Entry]:  # noqa: ARG002
        """Every file.

        Raises:
            EtlError: there is no such folder.
        """
        if not self.path.is_dir():
            raise EtlError(f"there is no folder {self.path} on the node", todo="check the path", kind="not-found")
        return entries(self.path)

    def fetch(self, entries: Iterable[Entry], raw: Path, events: Events) -> None:
        """Nothing to do."""

    def raw(self, work: Path) -> Path:  # noqa: ARG002
        """The folder itself."""
        return self.path


def entries(root: Path) -> Iterator[Entry]:
    """Every file below a folder, with its size and date."""
    for path in tree.files(root):
        facts = (root / path).stat()
        yield Entry(path, facts.st_size, facts.st_mtime_ns)
