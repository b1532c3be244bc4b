"""Makes a format's files from the tree, split by split: a killed run continues behind the last split that was whole."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from . import tree
from .errors import EtlError
from .formats.base import Format
from .inventory import Inventory
from .protocol import Events
from .stages import Stages, check_room, partial_of, replace_folder


class Build:
    """One format's files in ``folder``, made from the images of ``inventory`` in ``images``."""

    def __init__(self, form: Format, images: Path, inventory: Path, folder: Path, stages: Stages) -> None:
        self._form = form
        self._images = images
        self._inventory = inventory
        self._folder = folder
        self._stages = stages

    def is_done(self, parameters: Mapping[str, object]) -> bool:
        """Whether the files were made with these parameters and are there, by names and sizes."""
        if self._form.is_tree:
            return True
        report = self._stages.finished(self._form.name, parameters)
        return report is not None and report.get("files") == sizes(self._folder)

    def run(self, parameters: Mapping[str, object], events: Events) -> None:
        """Make what is missing.

        Raises:
            EtlError: the library that writes the format failed, or the disk has too little room.
        """
        if self._form.is_tree:
            return
        name, partial = self._form.name, partial_of(self._folder)
        if self.is_done(parameters):
            events.note(f"The files of {name} are staged already")
            return
        self._stages.forget(name)
        if self._stages.finished(f"{name}-begun", parameters) is None:  # what is there is of something else
            shutil.rmtree(partial, ignore_errors=True)
            self._stages.finish(f"{name}-begun", parameters, {})
        partial.mkdir(exist_ok=True)
        with Inventory(self._inventory) as images:
            check_room(partial, images.size() - sum(sizes(partial).values()))
            before = 0
            for split in images.splits():
                if not (partial / split).is_dir():
                    self._split(split, images, partial, before, events)
                before += images.size(split)
            events.progress(f"Write {name} shards", before, before, "bytes")
        replace_folder(partial, self._folder)
        self._stages.finish(name, parameters, {"files": sizes(self._folder)})
        self._stages.forget(f"{name}-begun")

    def _split(self, split: str, images: Inventory, partial: Path, before: int, events: Events) -> None:
        unfinished = partial / f".{split}"
        total, mine = images.size(), images.size(split)

        def advance(done: int) -> None:
            events.progress(f"Write {self._form.name} shards", before + min(done, mine - 1), total, "bytes")

        if not self._form.continues:
            shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(exist_ok=True)
        try:
            self._form.build(self._images, images, split, unfinished, advance)
        except (EtlError, OSError):
            if not self._form.continues:  # it is begun anew in any case, and the disk may be full
                shutil.rmtree(unfinished, ignore_errors=True)
            raise
        unfinished.rename(partial / split)


def sizes(folder: Path) -> dict[str, int]:
    """Bytes of every file below a folder, by relative path; nothing if there is no folder."""
    return {name: (folder / name).stat().st_size for name in tree.files(folder)} if folder.is_dir() else {}
