"""One run: extract and transform the dataset, then make and load each format. Finished stages are not done again."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import tree as images
from .config import Config
from .datasets import open_dataset
from .datasets.base import Dataset
from .errors import EtlError
from .formats import open_format
from .formats.base import Format
from .manifest import total_sha256
from .protocol import Events
from .stages import Stages, replace_folder
from .upload import Upload


def run(config: Config, events: Events) -> dict[str, object]:
    """Do what the configuration says and return the result document: ``{"dataset": {...}, "formats": {...}}``.

    Raises:
        EtlError: something expected went wrong. What is done stays, and the next run continues.
    """
    dataset = open_dataset(config.dataset, config.options)
    formats = {name: open_format(name, config.options) for name in config.formats}
    work = config.staging / config.dataset
    work.mkdir(parents=True, exist_ok=True)
    stages = Stages(work / ".stages")
    splits = _stage_tree(dataset, work, stages, events)
    about = {"name": config.dataset, "parameters": dict(dataset.parameters), "splits": splits}
    results: dict[str, object] = {}
    for name, form in formats.items():
        folder = _stage_format(name, form, dataset, work, stages, events)
        results[name] = {"prefix": form.prefix} | _load(name, form.prefix, folder, config, about, events)
    return {"dataset": about, "formats": results}


def _stage_tree(dataset: Dataset, work: Path, stages: Stages, events: Events) -> dict[str, Any]:
    tree = work / images.NAME
    report = stages.finished("tree", dataset.parameters)
    if report is not None and _intact(tree, report):
        events.note("The images are staged already")
        return report
    if report is not None:
        events.note("The staged images were changed; making them again")
    stages.forget("tree")
    partial = work / f".{images.NAME}.part"
    if stages.finished("begun", dataset.parameters) is None:
        shutil.rmtree(partial, ignore_errors=True)
        stages.finish("begun", dataset.parameters, {})
    dataset.extract(work, events)
    partial.mkdir(exist_ok=True)
    dataset.transform(work, partial, events)
    try:
        fresh = images.inspect(partial, events)
    except images.DamagedImages as error:  # a crash of the machine, perhaps, while they were written: once more
        for path in error.paths:
            (partial / path).unlink()
        dataset.transform(work, partial, events)
        fresh = images.inspect(partial, events)
    replace_folder(partial, tree)
    stages.finish("tree", dataset.parameters, fresh)
    dataset.clean(work)
    return dict(fresh)


def _intact(tree: Path, report: Mapping[str, Any]) -> bool:
    """By names and sizes; the upload reads the contents anyway."""
    try:
        every = images.samples(tree)
        return all(
            len(mine) == report[split]["images"] and images.measure(tree, mine) == report[split]["bytes"]
            for split in images.SPLITS
            for mine in [[sample for sample in every if sample.split == split]]
        )
    except (EtlError, OSError, KeyError, TypeError):
        return False


def _stage_format(name: str, form: Format, dataset: Dataset, work: Path, stages: Stages, events: Events) -> Path:
    folder = work / form.prefix
    if form.is_tree:
        return folder
    parameters = {"dataset": dict(dataset.parameters), "format": dict(form.parameters)}
    report = stages.finished(name, parameters)
    if report is not None and report.get("files") == _sizes(folder):
        events.note(f"The files of {name} are staged already")
        return folder
    stages.forget(name)
    partial = work / f".{form.prefix}.part"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    tree = work / images.NAME
    try:
        form.build(tree, images.samples(tree), partial, events)
    except EtlError:
        shutil.rmtree(partial, ignore_errors=True)  # it is begun anew in any case, and the disk may be full
        raise
    replace_folder(partial, folder)
    stages.finish(name, parameters, {"files": _sizes(folder)})
    return folder


def _sizes(folder: Path) -> dict[str, int]:
    return {
        path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()
    }


def _load(
    name: str, prefix: str, folder: Path, config: Config, about: Mapping[str, object], events: Events
) -> dict[str, object]:
    if config.s3 is None:
        sizes = _sizes(folder)
        return {"objects": len(sizes), "bytes": sum(sizes.values()), "uploaded": 0, "skipped": 0}
    done = Upload(config.s3, folder, prefix, name, about, threads=config.options.threads).run(events)
    return {
        "objects": len(done.files),
        "bytes": done.size,
        "uploaded": done.uploaded,
        "skipped": done.skipped,
        "removed": done.removed,
        "sha256": total_sha256(done.files),
    }
