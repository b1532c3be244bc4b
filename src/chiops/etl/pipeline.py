"""One run: extract and transform the dataset, make each format's files, load them. Finished stages are not done again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import tree
from .build import Build, sizes
from .config import Config
from .datasets import open_dataset
from .errors import EtlError
from .formats import open_format
from .formats.base import Format
from .inventory import Inventory
from .protocol import Events
from .stages import Stages, partial_of, replace_folder, write_atomically
from .upload import Upload, Uploaded


def run(config: Config, events: Events) -> dict[str, object]:
    """Do what the configuration says and return the result document: ``{"dataset": {...}, "formats": {...}}``.

    Raises:
        EtlError: something expected went wrong. What is done stays, and the next run continues.
    """
    return Run(config, events).all()


class Run:
    """The stages of one run over one dataset's folder."""

    def __init__(self, config: Config, events: Events) -> None:
        """Raises EtlError where a name or an option is wrong, before anything is done."""
        self._config = config
        self._events = events
        self._dataset = open_dataset(config.dataset, config.options, config.s3)
        self._formats = [open_format(name, config.options) for name in config.formats]
        self._name = config.options.name or config.dataset
        self._work = config.staging / self._name
        self._tree = self._work / self._dataset.root
        self._record = self._work / ".stages"
        self._inventory = self._record / "tree.sqlite"
        self._stages = Stages(self._record)
        self._intact: bool | None = None

    def all(self) -> dict[str, object]:
        """Do the stages that were asked for, in order."""
        self._work.mkdir(parents=True, exist_ok=True)
        wanted = self._config.stages
        if "extract" in wanted:
            self._extract()
        if "transform" in wanted:
            self._transform()
        if wanted == ("extract",):
            return {"dataset": {"name": self._name}, "formats": {}}
        about = self._about()
        if "load" in wanted:
            loaded = {form.name: self._load(form, about) for form in self._formats}
        else:
            loaded = {form.name: self._staged(form) for form in self._formats}
        return {"dataset": about, "formats": loaded}

    def _extract(self) -> None:
        content = dict(self._dataset.look(self._work, self._events))
        if self._has_tree(content):
            self._events.note("The images are staged already")
            return
        parameters = self._dataset.parameters
        if self._stages.finished("begun", parameters) != {"content": content}:  # what is there is of something else
            self._stages.forget("extract")
            shutil.rmtree(partial_of(self._tree), ignore_errors=True)
            if self._stages.finished("begun", parameters) is None:
                self._dataset.clean(self._work)
            self._stages.finish("begun", parameters, {"content": content})
        self._dataset.extract(self._work, self._events)
        self._stages.finish("extract", parameters, {"content": content})

    def _transform(self) -> None:
        begun = self._stages.finished("extract", self._dataset.parameters)
        if not self._has_tree(None if begun is None else begun["content"]):
            if begun is None or not self._dataset.extracted(self._work):
                raise self._not_yet("extracted", "extract")
            self._make_tree(begun["content"])
        for form in self._formats:
            self._build(form).run(self._parameters(form), self._events)

    def _make_tree(self, content: Any) -> None:
        self._stages.forget("tree")
        partial = partial_of(self._tree)
        partial.mkdir(exist_ok=True)
        report = {"content": content} | self._checked(partial)
        replace_folder(partial, self._tree)
        write_atomically(self._work / f"{self._dataset.root}.json", json.dumps(self._describe(report)).encode())
        self._stages.finish("tree", self._dataset.parameters, report)
        self._intact = True
        self._dataset.clean(self._work)

    def _checked(self, partial: Path) -> dict[str, Any]:
        """Fill the tree and read it; what is damaged is made once more, as a crash of the machine may have torn it."""
        self._dataset.transform(self._work, partial, self._events)
        try:
            with Inventory.create(self._inventory) as inventory:
                return tree.inspect(partial, inventory, self._events)
        except tree.DamagedImages:
            with Inventory(self._inventory) as inventory:
                for path, _ in inventory.faults():
                    (partial / path).unlink()
        self._dataset.transform(self._work, partial, self._events)
        with Inventory.create(self._inventory) as inventory:
            return tree.inspect(partial, inventory, self._events, leave_out=bool(self._config.options.skip_damaged))

    def _has_tree(self, content: Any) -> bool:
        """Whether the tree is made, of this content if it is known, and still is what was made."""
        report = self._stages.finished("tree", self._dataset.parameters)
        if report is None or (content is not None and report.get("content") != content):
            return False
        if "left_out" in report and not self._config.options.skip_damaged:
            return False
        if self._intact is None:
            self._intact = tree.intact(self._tree, self._inventory)
            if not self._intact:
                self._events.note("The staged images were changed; they have to be made again")
        return self._intact

    def _about(self) -> dict[str, Any]:
        """What the manifest says of the dataset."""
        if not self._has_tree(None):
            raise self._not_yet("transformed", "transform")
        return self._describe(self._stages.finished("tree", self._dataset.parameters) or {})

    def _describe(self, report: Mapping[str, object]) -> dict[str, Any]:
        about = {"name": self._name, "root": self._dataset.root, "parameters": dict(self._dataset.parameters)}
        return about | {key: value for key, value in report.items() if key != "content"}

    def _build(self, form: Format) -> Build:
        return Build(form, self._tree, self._inventory, self._folder(form), self._stages)

    def _parameters(self, form: Format) -> dict[str, object]:
        report = self._stages.finished("tree", self._dataset.parameters) or {}
        content = {key: report.get(key) for key in ("content", "left_out")}
        return {"dataset": dict(self._dataset.parameters), "content": content, "format": dict(form.parameters)}

    def _staged(self, form: Format) -> dict[str, object]:
        staged = Uploaded()
        with self._names(form) as names:
            for name in names:
                staged.objects += 1
                staged.bytes += (self._folder(form) / name).stat().st_size
        return _result(self._prefix(form), staged)

    def _load(self, form: Format, about: dict[str, Any]) -> dict[str, object]:
        if not self._build(form).is_done(self._parameters(form)):
            raise self._not_yet(f"made into {form.name}", "transform")
        if self._config.s3 is None:
            return self._staged(form)
        upload = Upload(
            self._config.s3, self._folder(form), self._prefix(form), form.name, about,
            threads=self._config.options.threads,
        )  # fmt: skip
        with self._names(form) as names:
            return _result(self._prefix(form), upload.run(names, self._record, self._events))

    @contextmanager
    def _names(self, form: Format) -> Iterator[Iterable[str]]:
        if form.is_tree:
            with Inventory(self._inventory) as images:
                yield images.paths()
        else:
            yield sorted(sizes(self._folder(form)))

    def _prefix(self, form: Format) -> str:
        return f"{self._dataset.root}{form.suffix}"

    def _folder(self, form: Format) -> Path:
        return self._work / self._prefix(form)

    def _not_yet(self, done: str, stage: str) -> EtlError:
        return EtlError(
            f"the images of {self._name} are not {done} yet, or with other options",
            todo=f"run `chiops data prepare --stage {stage}` with the same options first",
            kind="not-found",
        )


def _result(prefix: str, done: Uploaded) -> dict[str, object]:
    return {
        "prefix": prefix,
        "objects": done.objects,
        "bytes": done.bytes,
        "sha256": done.sha256,
        "uploaded": done.uploaded,
        "skipped": done.skipped,
        "removed": done.removed,
    }
