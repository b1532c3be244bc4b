"""``food11``: the images of Food-11, from its archive on the web or one that is on the node already.

The archive holds ``training/3_12.jpg`` and so on: split, label, number.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..config import Options
from ..download import download
from ..errors import EtlError
from ..protocol import Events
from ..stages import check_room, replace_file
from ..tree import SPLITS
from .food import CLASSES, ROOT, place

URL = "https://nyu.box.com/shared/static/m5kvcl25hfpljul3elhu6xz8y2w61op4.zip"
"""Where the course that this dataset comes from keeps it; no checksum is published."""

_TODO = "use --dataset food11-synthetic, which needs no network, or give another --url or a --file on the node"
_IMAGE = re.compile(rf"(?:[^/]+/)?({'|'.join(SPLITS)})/(?:[^/]+/)?(\d{{1,2}})_(\d+)\.jpe?g\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Food11:
    """The dataset from ``url``, or from ``file``, a path in the container; ``sha256`` is checked if it is given."""

    root: ClassVar[str] = ROOT
    url: str = URL
    file: str = ""
    sha256: str = ""

    @classmethod
    def from_options(cls, options: Options) -> Food11:
        """Take ``url``, ``file`` and ``sha256``."""
        return cls(options.url or URL, options.file, options.sha256.lower())

    @property
    def parameters(self) -> Mapping[str, object]:
        """Where the archive comes from."""
        return {"file": self.file} if self.file else {"url": self.url, "sha256": self.sha256}

    def look(self, work: Path, events: Events) -> Mapping[str, object]:  # noqa: ARG002
        """Of a file its size and date, to notice another under the same name; an address stands for itself.

        Raises:
            EtlError: there is no such file.
        """
        if not self.file:
            return {}
        archive = Path(self.file)
        if not archive.is_file():
            raise EtlError(f"there is no file {archive} on the node", todo="put the archive there", kind="not-found")
        facts = archive.stat()
        return {"size": facts.st_size, "modified": facts.st_mtime_ns}

    def extract(self, work: Path, events: Events) -> None:
        """Download the archive, unless it is there, and see that it is the right one.

        Raises:
            EtlError: it cannot be had, is not an archive, or has another checksum.
        """
        archive = self._archive(work)
        if not archive.exists():
            events.note(f"Downloading {self.url}")
            download(self.url, archive, events, todo=_TODO)
        wrong = ""
        if self.sha256:
            with archive.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            wrong = "" if digest == self.sha256 else f"its SHA-256 is {digest}, not {self.sha256}"
        if wrong or not zipfile.is_zipfile(archive):
            if not self.file:
                archive.unlink()
            raise EtlError("the archive of Food-11 is damaged", why=wrong or "it is no zip file", todo=_TODO)

    def extracted(self, work: Path) -> bool:
        """Whether the archive is there."""
        return self._archive(work).is_file()

    def transform(self, work: Path, tree: Path, events: Events) -> None:
        """Unpack the images that are not there yet, each into its class's folder.

        Raises:
            EtlError: an entry points outside the archive, is damaged, or the archive holds no images.
        """
        try:
            with zipfile.ZipFile(self._archive(work)) as archive:
                self._unpack(archive, tree, events)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:  # broken, encrypted, or packed oddly
            raise EtlError("the archive of Food-11 is damaged", why=str(error), todo=_TODO) from error

    def clean(self, work: Path) -> None:
        """Remove the archive, if it was downloaded."""
        if not self.file:
            self._archive(work).unlink(missing_ok=True)

    def _archive(self, work: Path) -> Path:
        return Path(self.file) if self.file else work / "Food-11.zip"

    def _unpack(self, archive: zipfile.ZipFile, tree: Path, events: Events) -> None:
        entries = list(_images(archive))
        if not entries:
            raise EtlError("the archive holds no images of Food-11", todo=_TODO)
        missing = [(entry, goal) for entry, goal in entries if not _there(tree / goal, entry.file_size)]
        check_room(tree, sum(entry.file_size for entry, _ in missing))
        for done, (entry, goal) in enumerate(missing, start=len(entries) - len(missing) + 1):
            (tree / goal).parent.mkdir(parents=True, exist_ok=True)
            replace_file(tree / goal, archive.read(entry))
            events.progress("Unpack images", done, len(entries), "images")


def _images(archive: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, str]]:
    """The archive's images and where each belongs in the tree; what is no image of a class is passed over."""
    for entry in archive.infolist():
        name = entry.filename.replace("\\", "/")
        if name.startswith("/") or ".." in name.split("/") or re.match(r"[A-Za-z]:", name):
            raise EtlError(
                f"the archive has an entry that points outside it: {entry.filename!r}",
                why="it may be an attempt to overwrite files; nothing was unpacked",
                todo=_TODO,
            )
        match = _IMAGE.match(name)
        if match and not entry.is_dir() and int(match[2]) < len(CLASSES):
            yield entry, place(match[1].lower(), int(match[2]), int(match[3]))


def _there(path: Path, size: int) -> bool:
    return path.exists() and path.stat().st_size == size
