"""``imagefolder``: one object per image, as the tree has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..inventory import Inventory
from .base import Advance


class ImageFolder:
    """The tree itself."""

    name = "imagefolder"
    suffix = ""
    is_tree = True
    continues = True

    @property
    def parameters(self) -> Mapping[str, object]:
        """None: the images are all there is."""
        return {}

    def build(self, tree: Path, images: Inventory, split: str, target: Path, advance: Advance) -> None:
        """Nothing to do; see `is_tree`."""
