"""A dataset of one's own: the JPEGs of a source, one folder per class."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..config import Options, S3Config
from ..errors import EtlError
from ..protocol import Events
from ..sources.arrange import Arrangement, ByFolders, ByKeys
from ..sources.base import Entry, Source, counts
from ..sources.catalogue import Catalogue
from ..stages import check_room, draft_of
from ..tree import SPLITS


@dataclass(frozen=True, slots=True)
class ImageTree:
    """The dataset ``root`` from a source; ``split`` is that of all images, empty to go by the folders' names."""

    root: str
    source: Source
    split: str
    by_keys: bool = False

    @classmethod
    def from_options(cls, options: Options, s3: S3Config | None) -> ImageTree:
        """Take ``name``, ``source`` or ``index``, ``split`` and ``threads``.

        Raises:
            EtlError: something of it is missing or cannot be.
        """
        if not options.name or "/" in options.name or options.name.startswith("."):
            raise EtlError(f"a dataset cannot be called {options.name!r}", todo="give it a --name", kind="usage")
        if options.split and options.split not in SPLITS:
            todo = f"take one of {', '.join(SPLITS)}"
            raise EtlError(f"there is no split {options.split!r}", todo=todo, kind="usage")
        return cls(options.name, _source(options, s3), options.split, by_keys=bool(options.index))

    @property
    def parameters(self) -> Mapping[str, object]:
        """Where the images are from; a stage of one source is none of another's, whatever both are called."""
        return {"source": self.source.where, "split": self.split}

    def look(self, work: Path, events: Events) -> Mapping[str, object]:
        """List the source; how many images of how many bytes, and a hash of their names, sizes and dates.

        Raises:
            EtlError: it holds no images, or they cannot be told apart by class.
        """
        arrangement, ignored = self._arrangement(), 0
        fresh = work / ".source.sqlite.part"
        with Catalogue.create(fresh) as catalogue:
            for entry in self.source.list(work, events):
                if counts(entry.path):
                    catalogue.add(entry)
                    arrangement.learn(entry.path)
                else:
                    ignored += 1
            arrangement.settle(self.source.where)
            catalogue.finish(arrangement.place)
            content = {"images": catalogue.count(), "bytes": catalogue.size(), "sha256": catalogue.digest()}
        fresh.replace(_catalogue(work))
        if ignored:
            events.note(f"{ignored} files that are no images, or hidden, do not count")
        return content

    def extract(self, work: Path, events: Events) -> None:
        """Fetch what is not here yet, by sizes and dates."""
        with Catalogue(_catalogue(work)) as catalogue:
            self.source.fetch(catalogue, self.source.raw(work), events)

    def extracted(self, work: Path) -> bool:
        """Whether the files are still there."""
        return self.source.raw(work).is_dir() and _catalogue(work).exists()

    def transform(self, work: Path, tree: Path, events: Events) -> None:
        """Put every image into its place; those that were fetched are linked, others copied."""
        raw, arrangement = self.source.raw(work), self._arrangement()
        fetched = raw.is_relative_to(work)
        with Catalogue(_catalogue(work)) as catalogue:
            for entry in catalogue:
                arrangement.learn(entry.path)
            arrangement.settle(self.source.where)
            check_room(tree, 0 if fetched else catalogue.size())
            total = catalogue.count()
            for done, entry in enumerate(catalogue, start=1):
                goal = tree / arrangement.place(entry.path)
                if not goal.exists():
                    goal.parent.mkdir(parents=True, exist_ok=True)
                    _put(entry, raw / entry.path, goal, link=fetched)
                events.progress("Arrange images", done, total, "images")

    def clean(self, work: Path) -> None:
        """Remove what was fetched; the images are in the tree."""
        for raw in (self.source.raw(work), work / "index"):
            if raw.is_relative_to(work):
                shutil.rmtree(raw, ignore_errors=True)

    def _arrangement(self) -> Arrangement:
        return ByKeys(self.split) if self.by_keys else ByFolders(self.split)


def _source(options: Options, s3: S3Config | None) -> Source:
    from ..sources.bucket import Index, Prefix
    from ..sources.folder import Folder
    from ..sources.sent import Sent

    sent = Sent(where=options.origin) if options.origin else Sent()
    kind, _, rest = (options.index or options.source).partition(":")
    match kind:
        case "sent" if options.index and s3:
            return Index(s3, "", options.threads, sent)
        case "bucket" if options.index and s3:
            return Index(s3, rest, options.threads, sent)
        case "sent" if not options.index:
            return sent
        case "bucket" if s3:
            return Prefix(s3, rest.strip("/"), options.threads)
        case "folder" if not options.index:
            return Folder(Path(rest), options.origin) if options.origin else Folder(Path(rest))
    raise EtlError("it is not said where the images are from", todo="give a --source or an --index", kind="usage")


def _catalogue(work: Path) -> Path:
    return work / ".source.sqlite"


def _put(entry: Entry, source: Path, goal: Path, *, link: bool) -> None:
    draft = draft_of(goal)
    draft.unlink(missing_ok=True)  # it may be a link, and is not to be written through
    try:
        if link:
            os.link(source, draft)
        else:
            shutil.copyfile(source, draft)
    except FileNotFoundError:
        raise EtlError(f"the image {entry.path!r} has gone from its source meanwhile", todo="prepare again") from None
    draft.replace(goal)
