"""What a person may choose of a preparation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chiops.data.catalog import DATASETS, SPLITS, STAGES, find_dataset, find_format
from chiops.data.source import Source, check_name
from chiops.errors import UsageError
from chiops.names import suggestion

FEWEST_IMAGES = 60
"""With fewer images a split of a synthetic dataset would lack a class."""

SMALLEST_SHARD, LARGEST_SHARD = 2**20, 2**32 - 1
"""A shard must hold several images, and MDS writes offsets in 32 bits; bytes."""

ARCHIVE_MOUNT = "/archive.zip"
SOURCE_MOUNT = "/source"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareOptions:
    """What to prepare; checked when made.

    Args:
        dataset: a name in `catalog.DATASETS`.
        formats: names in `catalog.FORMATS`, at least one.
        stages: names in `catalog.STAGES`, at least one.
        images: images of a synthetic dataset, all splits together.
        seed: what a synthetic dataset grows from; the same seed gives the same bytes.
        shard_bytes: size of a shard in bytes; 0 takes one that suits the split.
        url: an archive to download instead of the dataset's own.
        file: an archive that is on the node already, an absolute path there; wins over ``url``.
        sha256: the archive's checksum, hexadecimal.
        threads: objects uploaded or fetched at once.
        source: where a dataset of one's own is, as `Source.parse` reads it: a folder or prefix, or an index's list of keys.
        name: what a dataset of one's own is called; empty takes the last part of ``source``.
        split: the split of all its images; empty goes by the names of the folders.
        skip_damaged: leave damaged images out, and say so, instead of failing.

    Raises:
        UsageError: a name is unknown, or a value cannot be.
    """

    dataset: str = "food11-synthetic"
    formats: tuple[str, ...] = ("imagefolder",)
    stages: tuple[str, ...] = STAGES
    images: int = 1200
    seed: int = 0
    shard_bytes: int = 0
    url: str = ""
    file: str = ""
    sha256: str = ""
    threads: int = 16
    source: str = ""
    name: str = ""
    split: str = ""
    skip_damaged: bool = False

    def __post_init__(self) -> None:
        dataset = find_dataset(self.dataset)
        for name in self.formats:
            find_format(name)
        if not self.formats:
            raise UsageError("no format was asked for", todo="name one with --format")
        for stage in self.stages:
            if stage not in STAGES:
                raise UsageError(f"there is no stage {stage!r}", todo=suggestion(stage, STAGES))
        if dataset.sized and self.images < FEWEST_IMAGES:
            raise UsageError(
                f"{self.dataset} needs at least {FEWEST_IMAGES} images", why=f"{self.images} were asked for"
            )
        if self.seed < 0:
            raise UsageError("the seed must not be negative")
        if self.threads < 1:
            raise UsageError("at least one thread must upload")
        if self.shard_bytes and not SMALLEST_SHARD <= self.shard_bytes <= LARGEST_SHARD:
            raise UsageError(
                f"a shard must have {SMALLEST_SHARD} to {LARGEST_SHARD} bytes", why=f"{self.shard_bytes} were asked for"
            )
        if (self.url or self.file or self.sha256) and not dataset.archived:
            raise UsageError(f"{self.dataset} comes from no archive", todo="leave out --url, --file and --sha256")
        if self.file and (not self.file.startswith("/") or ":" in self.file):
            raise UsageError(
                f"{self.file!r} cannot be the archive", todo="give an absolute path on the node, without a colon"
            )
        self._check_own(own=dataset.own)

    def _check_own(self, *, own: bool) -> None:
        if not own:
            if self.source or self.name or self.split:
                todo = "leave out --source, --name and --split, or add --dataset imagefolder"
                raise UsageError(f"{self.dataset} is made of no images of your own", todo=todo)
            return
        if not self.source:
            todo = "give a folder here, node:/PATH, or s3:PREFIX with --source"
            if self.dataset == "index":
                todo = "give a file here or s3:KEY with --source; `chiops data index` makes one"
            raise UsageError(f"it is not said where the images of the {self.dataset} are", todo=todo)
        if self.dataset == "index" and self.where.kind == "node":
            raise UsageError("an index is read here or from the bucket", todo="give a file here, or s3:KEY")
        if self.split and self.split not in SPLITS:
            raise UsageError(f"there is no split {self.split!r}", todo=suggestion(self.split, SPLITS))
        check_name(self.staged_as)

    @property
    def where(self) -> Source:
        """``source``, read."""
        return Source.parse(self.source)

    @property
    def staged_as(self) -> str:
        """The dataset's name on the node and in results."""
        if not DATASETS[self.dataset].own:
            return self.dataset
        return self.name or self.where.usual_name()

    def for_the_node(self) -> dict[str, Any]:
        """The options as the container is told them."""
        own = DATASETS[self.dataset].own
        source = ""
        if own:
            match self.where.kind:
                case "here":
                    source = "sent"
                case "node":
                    source = f"folder:{SOURCE_MOUNT}"
                case "bucket":
                    source = f"bucket:{self.where.path}"
        return {
            "images": self.images,
            "seed": self.seed,
            "shard_bytes": self.shard_bytes,
            "url": self.url,
            "file": ARCHIVE_MOUNT if self.file else "",
            "sha256": self.sha256,
            "threads": self.threads,
            "name": self.staged_as if own else "",
            "origin": self.where.told_as() if own else "",
            "index" if self.dataset == "index" else "source": source,
            "split": self.split,
            "skip_damaged": int(self.skip_damaged),
        }
