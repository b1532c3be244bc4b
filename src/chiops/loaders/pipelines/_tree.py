"""A class-per-folder tree of JPEGs, read file by file: for the pipelines that differ only in where the tree is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .. import pagecache
from ..cache import CacheState
from ..config import ArmConfig
from ..protocol import ArmError
from ..samples import canonical_order
from ..vision import torchvision

_CLASS = re.compile(r"class_(\d+)")


def read_bytes(path: str) -> bytes:
    """The file as it is; decoding is common to all pipelines."""
    return Path(path).read_bytes()


class TreePipeline:
    """`torchvision.datasets.ImageFolder` on ``root``; caches are the kernel's pages."""

    keeps_order = False

    def __init__(self, config: ArmConfig, root: Path, *, missing: ArmError, cache_note: str = "") -> None:
        if not root.is_dir():
            raise missing
        torchvision()
        from torchvision.datasets import ImageFolder

        class Folder(ImageFolder):  # type: ignore[misc]
            """Labels are the numbers in the folders' names, as in every other format, also where a class is missing."""

            def find_classes(self, directory: str) -> tuple[list[str], dict[str, int]]:
                classes, places = super().find_classes(directory)
                numbers = [_CLASS.fullmatch(name) for name in classes]
                if not all(numbers):
                    return classes, places
                return classes, {match[0]: int(match[1]) for match in numbers if match}

        try:
            self._folder = Folder(str(root), loader=read_bytes)
        except FileNotFoundError as error:  # no class folder, or a class without an image
            raise ArmError(f"{root} is no tree of classes", str(error).splitlines()[0], missing.todo) from None
        by_key = {
            Path(path).relative_to(root).as_posix(): index for index, (path, _) in enumerate(self._folder.samples)
        }
        order = canonical_order(by_key)
        self._indices = [by_key[key] for key in (order[: config.samples] if config.samples else order)]
        self._keys = order
        self._config = config
        self._cache_note = cache_note

    @property
    def samples(self) -> int:
        return len(self._indices)

    @property
    def split_samples(self) -> int:
        return len(self._keys)

    @property
    def split_bytes(self) -> int:
        return sum(Path(path).stat().st_size for path, _ in self._folder.samples)

    def _files(self) -> list[Path]:
        return [Path(self._folder.samples[index][0]) for index in self._indices]

    def prepare_cache(self) -> None:
        if self._config.cache == "cold":
            pagecache.evict(self._files())
        else:
            pagecache.fill(self._files())

    def cache_state(self) -> CacheState:
        return CacheState(page_share=pagecache.resident_share(self._files()), note=self._cache_note)

    def dataset(self) -> Any:
        return _Keyed(self._folder, self._indices)


class _Keyed:
    """The chosen samples of an ImageFolder as ``(key, bytes, label)``."""

    def __init__(self, folder: Any, indices: list[int]) -> None:
        self._folder = folder
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> tuple[str, bytes, int]:
        place = self._indices[index]
        jpeg, label = self._folder[place]
        return self._folder.samples[place][0], jpeg, label
