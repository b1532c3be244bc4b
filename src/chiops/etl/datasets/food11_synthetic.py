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
from pathlib import Path

from ..config import Options
from ..errors import EtlError
from ..protocol import Events
from ..stages import check_room, replace_file
from ..tree import CLASSES, SPLITS, place
from . import synthesis

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

    def extract(self, work: Path, events: Events) -> None:
        """Nothing: the photographs lie beside this module."""

    def transform(self, work: Path, tree: Path, events: Events) -> None:  # noqa: ARG002
        """Make the images that are not there yet."""
        for split in SPLITS:
            for label in range(len(CLASSES)):
                (tree / split / f"class_{label:02d}").mkdir(parents=True, exist_ok=True)
        missing = list(_missing(tree, self.images))
        check_room(tree, len(missing) * _USUAL_BYTES)
        batches = [missing[start : start + _BATCH] for start in range(0, len(missing), _BATCH)]
        done = self.images - len(missing)
        # A fresh interpreter per worker: forking a process that has threads can deadlock.
        with ProcessPoolExecutor(
            self.workers or os.cpu_count() or 1, mp_context=multiprocessing.get_context("spawn")
        ) as pool:
            try:
                for made in pool.map(_make, ((tree, self.seed, batch) for batch in batches)):
                    done += made
                    events.progress("Make images", done, self.images, "images")
            except BrokenProcessPool as error:
                raise EtlError(
                    "a process that makes images was killed",
                    why="most likely the node ran out of memory",
                    todo="prepare again; it continues with what is made",
                    kind="capacity",
                ) from error

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
        there = {f"{folder.name}/{item.name}" for folder in (tree / split).iterdir() for item in folder.iterdir()}
        for index in range(size):
            number, label = divmod(index, len(CLASSES))
            if place(split, label, number).partition("/")[2] not in there:
                yield split, label, number


def _make(task: tuple[Path, int, list[tuple[str, int, int]]]) -> int:
    tree, seed, batch = task
    for split, label, number in batch:
        data = synthesis.draw(seed, split, label, number)
        replace_file(tree / place(split, label, number), data)
    return len(batch)
