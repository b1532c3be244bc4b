"""A class-per-folder tree of JPEGs, read file by file: for the pipelines that differ only in where the tree is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import fetchers, pagecache
from ..cache import CacheState
from ..config import ArmConfig
from ..labels import numbering
from ..layers import Watch
from ..protocol import ArmError
from ..samples import canonical_order
from ..source import Item, unreadable
from ..vision import torchvision


def read_bytes(path: str) -> bytes:
    """The file as it is; decoding is common to all pipelines."""
    return Path(path).read_bytes()


class TreePipeline:
    """`torchvision.datasets.ImageFolder` on ``root``; caches are the kernel's pages."""

    keeps_order = False
    counts_traffic = False
    has_client = False

    def __init__(
        self,
        config: ArmConfig,
        root: Path,
        *,
        missing: ArmError,
        classes: Sequence[str] | None,
        cache_note: str = "",
        own_cache: bool = True,
    ) -> None:
        """``own_cache`` says whether the kernel's pages of the files can be dropped and measured from here."""
        if not root.is_dir():
            raise missing
        torchvision()
        from torchvision.datasets import ImageFolder

        class Folder(ImageFolder):  # type: ignore[misc]
            """Labels are those of every other format, also where a class is missing."""

            def find_classes(self, directory: str) -> tuple[list[str], dict[str, int]]:
                names, _ = super().find_classes(directory)
                return names, numbering(names, classes)

        try:
            folder = Folder(str(root), loader=read_bytes)
        except FileNotFoundError as error:  # no class folder, or a class without an image
            raise ArmError(f"{root} is no tree of classes", str(error).splitlines()[0], missing.todo) from None
        except OSError as error:
            raise unreadable(str(root), error) from None
        by_key = {Path(path).relative_to(root).as_posix(): place for place, (path, _) in enumerate(folder.samples)}
        chosen = canonical_order(by_key)[: config.samples or None]
        self._folder, self._config, self._cache_note, self._own_cache = folder, config, cache_note, own_cache
        self._source = Files(folder, chosen, [by_key[key] for key in chosen])
        self._files = [Path(folder.samples[by_key[key]][0]) for key in chosen]

    @property
    def samples(self) -> int:
        return len(self._source)

    @property
    def split_samples(self) -> int:
        return len(self._folder.samples)

    @property
    def split_bytes(self) -> int:
        return sum(Path(path).stat().st_size for path, _ in self._folder.samples)

    @property
    def order(self) -> str:
        return "a permutation of all samples" if self._config.access == "random" else "as stored"

    def prepare_cache(self) -> None:
        try:
            if self._config.cache == "warm":
                pagecache.fill(self._files)
            elif self._own_cache:
                pagecache.evict(self._files)
        except OSError as error:
            raise unreadable(str(error.filename or "a file"), error) from None

    def cache_state(self) -> CacheState:
        share = pagecache.resident_share(self._files) if self._own_cache else None
        return CacheState(page_share=share, note=self._cache_note)

    def dataset(self, epoch: int, order: Sequence[int], watch: Watch) -> Any:  # noqa: ARG002
        return fetchers.dataset(self._config, self._source, order, watch)

    def explain(self, error: Exception) -> ArmError:
        return error if isinstance(error, ArmError) else unreadable("the tree", error)


class Files:
    """The chosen samples of an ImageFolder: `Source` and its reader in one, since files need no client."""

    asynchronous = False

    def __init__(self, folder: Any, keys: Sequence[str], places: Sequence[int]) -> None:
        self._folder, self._keys, self._places = folder, keys, places

    def __len__(self) -> int:
        return len(self._keys)

    def open(self) -> Files:
        return self

    def read(self, place: int) -> Item:
        try:
            jpeg, label = self._folder[self._places[place]]
        except OSError as error:
            raise unreadable(self._keys[place], error) from error
        return self._keys[place], jpeg, label

    async def read_async(self, place: int) -> Item:
        raise NotImplementedError("files have no coroutines")
