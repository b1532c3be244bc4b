"""``imagefolder``: one object per image, under ``Food-11/``, as the tree has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .. import tree as images
from ..protocol import Events


class ImageFolder:
    """The tree itself."""

    prefix = images.NAME
    is_tree = True

    @property
    def parameters(self) -> Mapping[str, object]:
        """None: the images are all there is."""
        return {}

    def build(self, tree: Path, samples: list[images.Sample], target: Path, events: Events) -> None:
        """Nothing to do; see `is_tree`."""
