"""Has a node make a dataset and load it into the bucket: the control side of ``chiops.etl``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chiops import progress
from chiops.cloud.base import S3Access
from chiops.data.catalog import find_dataset, find_format
from chiops.errors import NotFound, UsageError

if TYPE_CHECKING:
    from chiops.remote.ssh import Ssh

DATA_ON_NODE = "/var/lib/chiops/data"
"""Where datasets are staged on a node: ``<dataset>/Food-11/...``, ``<dataset>/Food-11-litdata/...``."""

FEWEST_IMAGES = 60
"""With fewer images a split of a synthetic dataset would lack a class."""

SMALLEST_CHUNK = 2**20
"""A chunk must hold several images; bytes."""

_STAGING = "/data"
_ARCHIVE = "/archive.zip"

Event = Callable[[dict[str, Any]], None]
Launch = Callable[[dict[str, Any], Sequence[str], Event], dict[str, Any]]
"""Runs ``python -m etl`` in a fresh container with this configuration and these mounts, and gives its result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareOptions:
    """What to prepare; checked when made.

    Args:
        dataset: a name in `catalog.DATASETS`.
        formats: names in `catalog.FORMATS`, at least one.
        images: images of a synthetic dataset, all splits together.
        seed: what a synthetic dataset grows from; the same seed gives the same bytes.
        chunk_bytes: size of a shard in bytes; 0 takes one that suits the split.
        url: an archive to download instead of the dataset's own.
        file: an archive that is on the node already, an absolute path there; wins over ``url``.
        sha256: the archive's checksum, hexadecimal.
        threads: objects uploaded at once.

    Raises:
        UsageError: a name is unknown, or a value cannot be.
    """

    dataset: str = "food11-synthetic"
    formats: tuple[str, ...] = ("imagefolder",)
    images: int = 1200
    seed: int = 0
    chunk_bytes: int = 0
    url: str = ""
    file: str = ""
    sha256: str = ""
    threads: int = 16

    def __post_init__(self) -> None:
        dataset = find_dataset(self.dataset)
        for name in self.formats:
            find_format(name)
        if not self.formats:
            raise UsageError("no format was asked for", todo="name one with --format")
        if dataset.sized and self.images < FEWEST_IMAGES:
            raise UsageError(
                f"{self.dataset} needs at least {FEWEST_IMAGES} images", why=f"{self.images} were asked for"
            )
        if self.seed < 0:
            raise UsageError("the seed must not be negative")
        if self.threads < 1:
            raise UsageError("at least one thread must upload")
        if self.chunk_bytes and self.chunk_bytes < SMALLEST_CHUNK:
            raise UsageError(
                f"a chunk must have at least {SMALLEST_CHUNK} bytes", why=f"{self.chunk_bytes} were asked for"
            )
        if (self.url or self.file or self.sha256) and not dataset.archived:
            raise UsageError(f"{self.dataset} comes from no archive", todo="leave out --url, --file and --sha256")
        if self.file and (not self.file.startswith("/") or ":" in self.file):
            raise UsageError(
                f"{self.file!r} cannot be the archive", todo="give an absolute path on the node, without a colon"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitFacts:
    """One split: how many images, their bytes, and the hash over samples that the loaders report too."""

    images: int
    bytes: int
    classes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """One format in the bucket: what is there now, and how much of it had to be sent or was removed as stale."""

    prefix: str
    objects: int
    bytes: int
    uploaded: int
    skipped: int
    removed: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareResult:
    """What is staged on the node and loaded into the bucket."""

    dataset: str
    splits: Mapping[str, SplitFacts]
    formats: Mapping[str, Loaded]


def prepare(ssh: Ssh, image: str, s3: S3Access, options: PrepareOptions) -> PrepareResult:
    """Make the dataset on the node and load every format into the bucket; what is done already is not done again.

    Args:
        ssh: the node.
        image: the bench image's tag, already built there.
        s3: the bucket.

    Raises:
        NotFound: the archive that ``options.file`` names is not on the node.
        Auth: the S3 key is refused.
        NotOurs: the bucket holds foreign objects where the dataset goes.
        Capacity: the node's disk or the bucket is full.
        DataError: the archive or what arrived in the bucket is damaged.
        RemoteFailed: the container died, or the node was lost; the next run continues.
    """
    from chiops.remote.container import run_module

    # Docker would make a folder of that name, if the file were not there.
    if options.file and ssh.run("test", "-f", options.file, check=False).returncode != 0:
        raise NotFound(f"there is no file {options.file} on {ssh.node.name}", todo="copy the archive there first")

    def launch(config: dict[str, Any], mounts: Sequence[str], on_event: Event) -> dict[str, Any]:
        return run_module(ssh, image, "etl", config, mounts=mounts, on_event=on_event)

    return perform(launch, s3, options)


def perform(launch: Launch, s3: S3Access, options: PrepareOptions) -> PrepareResult:
    """`prepare` over any way of launching the container."""
    mounts = [f"{DATA_ON_NODE}:{_STAGING}"]
    if options.file:
        mounts.append(f"{options.file}:{_ARCHIVE}:ro")
    with progress.task(f"Prepare {options.dataset}") as whole, ExitStack() as step:
        answer = launch(_config(s3, options), mounts, _watch(whole, step))
    return PrepareResult(
        dataset=options.dataset,
        splits={name: SplitFacts(**facts) for name, facts in answer["dataset"]["splits"].items()},
        formats={name: Loaded(**facts) for name, facts in answer["formats"].items()},
    )


def _config(s3: S3Access, options: PrepareOptions) -> dict[str, Any]:
    return {
        "dataset": options.dataset,
        "formats": list(options.formats),
        "staging": _STAGING,
        "s3": {
            "endpoint": s3.endpoint.url,
            "region": s3.endpoint.region,
            "bucket": s3.bucket,
            "access": s3.access,
            "secret": s3.secret,
        },
        "options": {
            "images": options.images,
            "seed": options.seed,
            "chunk_bytes": options.chunk_bytes,
            "url": options.url,
            "file": _ARCHIVE if options.file else "",
            "sha256": options.sha256,
            "threads": options.threads,
        },
    }


def _watch(whole: progress.Task, step: ExitStack) -> Event:
    """Show the container's events: each counted stage is a task of its own below ``whole``, open until the next begins."""
    title = ""
    current = whole

    def on_event(event: dict[str, Any]) -> None:
        nonlocal title, current
        if event["event"] == "note":
            whole.note(event["text"])
        elif event["event"] == "progress":
            if event["task"] != title:
                step.close()
                title = event["task"]
                current = step.enter_context(progress.task(title, parent=whole))
            current.advance(event["done"], total=event.get("total"), unit=event.get("unit", ""))
            if event.get("text"):
                current.note(event["text"])

    return on_event
