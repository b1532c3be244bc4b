"""``food11-synthetic``: images shaped like Food-11's, made on the spot from a handful of photographs.

Eleven classes, Food-11's ratio of training to validation to evaluation, JPEGs of 20 to 120 KB with 512 pixels on the long
side. Each image depends on the seed, its split, class and number alone, so that any number of processes, and a run that
was killed and continued, make the same bytes.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import ClassVar

from ..config import Options
from ..errors import EtlError
from ..parallel import through
from ..protocol import Events
from ..stages import check_room, replace_file
from ..tree import SPLITS
from . import synthesis
from .food import CLASSES, ROOT, place

RATIO = {"training": 9866, "validation": 3430, "evaluation": 3347}
"""Images in Food-11's splits."""

FEWEST = 60
"""With fewer images a split would lack a class."""

_BATCH = 16
_USUAL_BYTES = 56_000
"""Size of an image on average."""


@dataclass(frozen=True, slots=True)
class Food11Synthetic:
    """The dataset of ``images`` images grown from ``seed``; ``workers`` processes make it, 0 for one per processor."""

    root: ClassVar[str] = ROOT
    images: int
    seed: int
    workers: int = 0

    @classmethod
    def from_options(cls, options: Options) -> Food11Synthetic:
        """Take ``images``, ``seed`` and ``workers``.

        Raises:
            EtlError: too few images to have every class in every split.
        """
        if options.images < FEWEST:
            raise EtlError(
                f"food11-synthetic cannot be made of {options.images} images",
                why="every split needs every class",
                todo=f"ask for at least {FEWEST}",
                kind="usage",
            )
        return cls(options.images, options.seed, options.workers)

    @property
    def parameters(self) -> Mapping[str, object]:
        """Size, seed, and the version of the drawing."""
        return {"images": self.images, "seed": self.seed, "drawing": synthesis.VERSION}

    def look(self, work: Path, events: Events) -> Mapping[str, object]:  # noqa: ARG002
        """Nothing: the parameters say all."""
        return {}

    def extract(self, work: Path, events: Events) -> None:
        """Nothing: the photographs lie beside this module."""

    def extracted(self, work: Path) -> bool:  # noqa: ARG002
        """Always."""
        return True

    def transform(self, work: Path, tree: Path, events: Events) -> None:  # noqa: ARG002
        """Make the images that are not there yet."""
        for split in SPLITS:
            for label in range(len(CLASSES)):
                (tree / split / f"class_{label:02d}").mkdir(parents=True, exist_ok=True)
        missing = sum(1 for _ in _missing(tree, self.images))
        check_room(tree, missing * _USUAL_BYTES)
        done, workers = self.images - missing, self.workers or os.cpu_count() or 1
        # A fresh interpreter per worker: forking a process that has threads can deadlock.
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
            try:
                for made in through(pool, 2 * workers, _make, self._batches(tree)):
                    done += made
                    events.progress("Make images", done, self.images, "images")
            except BrokenProcessPool as error:
                raise EtlError(
                    "a process that makes images was killed",
                    why="most likely the node ran out of memory",
                    todo="prepare again; it continues with what is made",
                    kind="capacity",
                ) from error

    def _batches(self, tree: Path) -> Iterator[tuple[Path, int, list[tuple[str, int, int]]]]:
        missing = _missing(tree, self.images)
        while batch := list(islice(missing, _BATCH)):
            yield tree, self.seed, batch

    def clean(self, work: Path) -> None:
        """Nothing to remove."""


def split_sizes(images: int) -> dict[str, int]:
    """Images per split in Food-11's ratio; they add up to ``images``."""
    total = sum(RATIO.values())
    sizes = {split: images * part // total for split, part in RATIO.items()}
    by_remainder = sorted(RATIO, key=lambda split: -(images * RATIO[split] % total))
    for split in by_remainder[: images - sum(sizes.values())]:
        sizes[split] += 1
    return sizes


def _missing(tree: Path, images: int) -> Iterator[tuple[str, int, int]]:
    """Split, label and number of every image that is not in the tree. Labels take turns, so classes are balanced."""
    for split, size in split_sizes(images).items():
        for index in range(size):
            number, label = divmod(index, len(CLASSES))
            if not (tree / place(split, label, number)).exists():
                yield split, label, number


def _make(task: tuple[Path, int, list[tuple[str, int, int]]]) -> int:
    tree, seed, batch = task
    for split, label, number in batch:
        data = synthesis.draw(seed, split, label, number)
        replace_file(tree / place(split, label, number), data)
    return len(batch)
