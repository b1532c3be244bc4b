"""What a dataset is to the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from ..protocol import Events


class Dataset(Protocol):
    """A source of images. All of it continues where a killed run stopped."""

    @property
    def root(self) -> str:
        """What the keys begin with, and the tree's folder."""

    @property
    def parameters(self) -> Mapping[str, object]:
        """What was asked for, JSON values only."""

    def look(self, work: Path, events: Events) -> Mapping[str, object]:
        """What the source holds now, in little: equal answers mean equal images. JSON values only; it costs no transfer."""

    def extract(self, work: Path, events: Events) -> None:
        """Bring what is needed from elsewhere into ``work``, a folder of the dataset's own; `look` came before."""

    def extracted(self, work: Path) -> bool:
        """Whether what `extract` brought is still there."""

    def transform(self, work: Path, tree: Path, events: Events) -> None:
        """Fill ``tree``, which may hold part of it already, as `tree.inspect` wants it."""

    def clean(self, work: Path) -> None:
        """Remove from ``work`` what is of no use once the tree is whole."""
