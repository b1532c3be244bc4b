"""What a dataset is to the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from ..protocol import Events


class Dataset(Protocol):
    """A source of images. Both stages continue where a killed run stopped."""

    @property
    def parameters(self) -> Mapping[str, object]:
        """What decides the content, JSON values only: the same parameters, the same images."""

    def extract(self, work: Path, events: Events) -> None:
        """Bring what is needed from elsewhere into ``work``, a folder of the dataset's own."""

    def transform(self, work: Path, tree: Path, events: Events) -> None:
        """Fill ``tree``, which may hold part of it already, as `tree.samples` wants it."""

    def clean(self, work: Path) -> None:
        """Remove from ``work`` what is of no use once the tree is whole."""
