"""The tree that every dataset becomes and every format is made from: ``<root>/<split>/<class>/<file>``, JPEGs alone.

It is what `torchvision.datasets.ImageFolder` reads. Below a class's folder there may be more folders. A sample's label is its
class's place in the sorted list of all classes of all splits.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from .errors import EtlError
from .inventory import Inventory, Sample
from .jpeg import is_named_jpeg, jpeg_fault, sample_digest
from .parallel import each
from .protocol import Events
from .stages import PART

SPLITS = ("training", "validation", "evaluation")

_THREADS = 4
_NAMED = 100
"""Damaged images whose names go into the manifest."""


class DamagedImages(EtlError):
    """Images that are truncated or no JPEGs."""

    def __init__(self, first: str, why: str, count: int) -> None:
        others = f" and {count - 1} more are" if count > 1 else " is"
        super().__init__(
            f"the image {first}{others} damaged",
            why=why,
            todo="replace what is damaged at its source, or leave it out with --skip-damaged; the rest is kept and continued",
        )


@dataclass(frozen=True, slots=True)
class _Found:
    path: str
    split: str
    label: int


def files(root: Path) -> Iterator[str]:
    """Every file below ``root`` by its relative path, in no order and one at a time; links are followed.

    Raises:
        EtlError: a link leads nowhere, or in a circle.
    """
    pending = [("", os.stat(root))]  # noqa: PTH116  (a folder's identity)
    seen = {(pending[0][1].st_dev, pending[0][1].st_ino)}
    while pending:
        folder, _ = pending.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir():
                    facts = entry.stat()
                    if entry.is_symlink() and (facts.st_dev, facts.st_ino) in seen:
                        raise EtlError(
                            f"the link {path} in {root} leads in a circle, or where another one leads", todo="remove it"
                        )
                    seen |= {(facts.st_dev, facts.st_ino)} if entry.is_symlink() else set()
                    pending.append((path, facts))
                elif entry.is_file():
                    yield path
                elif entry.is_symlink():
                    raise EtlError(f"the link {path} in {root} leads nowhere", todo="remove or mend it")


def class_names(root: Path) -> list[str]:
    """The classes of all splits, sorted; a class's place is its label.

    Raises:
        EtlError: there is no split, or a split without classes.
    """
    splits = [root / split for split in SPLITS if (root / split).is_dir()]
    names = set()
    for split in splits:
        mine = {child.name for child in split.iterdir() if child.is_dir()}
        if not mine:
            raise _unlike(root, f"{split.name} has no class folders")
        names |= mine
    if not splits:
        raise _unlike(root, "it has no folder training, validation or evaluation")
    return sorted(names)


def inspect(root: Path, inventory: Inventory, events: Events, *, leave_out: bool = False) -> dict[str, Any]:
    """Read every image once into the inventory; tell ``classes`` and of each split ``images``, ``bytes``, ``classes``, ``sha256``.

    ``sha256`` tells whether two readers saw the same samples, in whatever order: the sum, modulo 2**256, of `sample_digest`
    over the split, in 64 hexadecimal digits. The benchmark's loaders report the same as their content hash. What a killed run
    left half written is removed.

    Args:
        root: the tree.
        inventory: a new one, to be filled.
        events: told how far it is.
        leave_out: remove damaged images from the tree; the answer's ``left_out`` says how many and the first names.

    Raises:
        DamagedImages: images are truncated or no JPEGs, and not to be left out; the inventory names them all.
        EtlError: it is no such tree, or a class is empty.
    """
    classes = class_names(root)
    total = sum(1 for _ in _images(root, classes))
    counts: dict[str, dict[str, Any]] = {}
    seen: dict[str, set[int]] = {}
    damaged = 0
    read = each(_THREADS, lambda found: _read(root, found), _images(root, classes))
    for done, (sample, digest, fault) in enumerate(read, start=1):
        if fault:
            damaged += 1
            inventory.add_fault(sample.path, fault)
        else:
            seen.setdefault(sample.split, set()).add(sample.label)
            inventory.add(sample)
            count = counts.setdefault(sample.split, {"images": 0, "bytes": 0, "classes": 0, "sum": 0})
            count["images"] += 1
            count["bytes"] += sample.size
            count["sum"] = (count["sum"] + digest) % 2**256
        events.progress("Check images", done, total, "images")
    inventory.finish()
    if damaged and not leave_out:
        raise DamagedImages(*next(inventory.faults()), damaged)
    for path, _ in inventory.faults():
        (root / path).unlink()
    for split in (split for split in SPLITS if (root / split).is_dir()):
        for label, name in enumerate(classes):
            if label not in seen.get(split, ()) and (root / split / name).is_dir():
                raise _unlike(root, f"{split}/{name} has no images")
        counts[split]["classes"] = len(seen[split])
        counts[split]["sha256"] = f"{counts[split].pop('sum'):064x}"
    report: dict[str, Any] = {
        "classes": classes,
        "splits": {split: counts[split] for split in SPLITS if split in counts},
    }
    if damaged:
        report["left_out"] = {"images": damaged, "names": [path for path, _ in islice(inventory.faults(), _NAMED)]}
    return report


def intact(root: Path, inventory: Path) -> bool:
    """Whether the tree holds exactly the inventory's images, by names and sizes."""
    try:
        with Inventory(inventory) as known:
            there = 0
            for path in files(root):
                if known.size_of(path) != (root / path).stat().st_size:
                    return False
                there += 1
            return there == known.count()
    except Exception:  # noqa: BLE001  (whatever is wrong with it, it is made again)
        return False


def _images(root: Path, classes: list[str]) -> Iterator[_Found]:
    labels = {name: label for label, name in enumerate(classes)}
    for split in SPLITS:
        for path in files(root / split) if (root / split).is_dir() else ():
            name, _, inner = path.partition("/")
            if path.endswith(PART):
                (root / split / path).unlink()
            elif not inner or not is_named_jpeg(path):
                raise _unlike(root, f"{split}/{path} is no image of a class")
            else:
                yield _Found(f"{split}/{path}", split, labels[name])


def _read(root: Path, found: _Found) -> tuple[Sample, int, str]:
    data = (root / found.path).read_bytes()
    sample = Sample(found.path, found.split, found.label, len(data))
    return sample, sample_digest(data, found.label), jpeg_fault(data)


def _unlike(root: Path, why: str) -> EtlError:
    return EtlError(
        f"{root} is not a tree of classes",
        why=why,
        todo="see that what it is made from is whole, or use food11-synthetic",
    )
