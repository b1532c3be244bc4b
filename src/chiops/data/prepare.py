"""Has a node make a dataset and load it into the bucket: the control side of ``chiops.etl``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from chiops import progress
from chiops.cloud.base import S3Access
from chiops.data.options import ARCHIVE_MOUNT, SOURCE_MOUNT, PrepareOptions
from chiops.data.source import Sending
from chiops.errors import NotFound, UsageError

if TYPE_CHECKING:
    from chiops.remote.ssh import Ssh

DATA_ON_NODE = "/var/lib/chiops/data"
"""Where datasets are staged on a node: ``<dataset>/Food-11/...``, ``<dataset>/Food-11-litdata/...``."""

_STAGING = "/data"

Event = Callable[[dict[str, Any]], None]


class Launch(Protocol):
    """Runs ``python -m etl`` in a fresh container with this configuration and these mounts, and gives its result."""

    def __call__(
        self, config: dict[str, Any], mounts: Sequence[str], on_event: Event, feed: Iterable[bytes]
    ) -> dict[str, Any]: ...


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
    """What is staged on the node and loaded into the bucket.

    Args:
        dataset: the name it is staged under.
        splits: by name; none after ``extract`` alone.
        formats: by name, likewise.
        classes: their names; a class's place is its label.
        left_out: damaged images that were left out: how many, and the first names.
    """

    dataset: str
    splits: Mapping[str, SplitFacts]
    formats: Mapping[str, Loaded]
    classes: tuple[str, ...] = ()
    left_out: Mapping[str, Any] | None = None


def prepare(ssh: Ssh, image: str, s3: S3Access, options: PrepareOptions, sending: Sending | None) -> PrepareResult:
    """Make the dataset on the node and load every format into the bucket; what is done already is not done again.

    Args:
        ssh: the node.
        image: the bench image's tag, already built there.
        s3: the bucket.
        options: what to prepare.
        sending: what `to_send` gave.

    Raises:
        UsageError: the source is in another bucket.
        NotFound: the archive or folder that ``options`` name is not on the node.
        Auth: the S3 key is refused.
        NotOurs: the bucket holds foreign objects where the dataset goes.
        Capacity: the node's disk or the bucket is full.
        DataError: the images or what arrived in the bucket are damaged, or the source is no tree of classes.
        RemoteFailed: the container died, or the node was lost; the next run continues.
    """
    from chiops.remote.container import Advice, run_module

    # Docker would make a folder of that name, if there were none.
    if options.file and ssh.run("test", "-f", options.file, check=False).returncode != 0:
        raise NotFound(f"there is no file {options.file} on {ssh.node.name}", todo="copy the archive there first")
    if _is_on_node(options) and ssh.run("test", "-d", options.where.path, check=False).returncode != 0:
        raise NotFound(f"there is no folder {options.where.path} on {ssh.node.name}", todo="check the path")

    advice = Advice(
        killed="prepare again with fewer --threads or on a node with more memory; it continues where it stopped"
    )

    def launch(config: dict[str, Any], mounts: Sequence[str], on_event: Event, feed: Iterable[bytes]) -> dict[str, Any]:
        return run_module(ssh, image, "etl", config, mounts=mounts, on_event=on_event, feed=feed, advice=advice)

    return perform(launch, s3, options, sending)


def perform(launch: Launch, s3: S3Access, options: PrepareOptions, sending: Sending | None = None) -> PrepareResult:
    """`prepare` over any way of launching the container."""
    mounts = [f"{DATA_ON_NODE}:{_STAGING}"]
    if options.file:
        mounts.append(f"{options.file}:{ARCHIVE_MOUNT}:ro")
    if _is_on_node(options):
        mounts.append(f"{options.where.path}:{SOURCE_MOUNT}:ro")
    if options.source and options.where.bucket not in ("", s3.bucket):
        raise UsageError(f"the images are in bucket {options.where.bucket}, and it is {s3.bucket} that is loaded")
    with progress.task(f"Prepare {options.staged_as}") as whole, ExitStack() as step:
        watch = _watch(whole, step)

        def on_event(event: dict[str, Any]) -> None:
            if sending:
                sending.on_event(event)
            watch(event)

        try:
            answer = launch(_config(s3, options), mounts, on_event, sending.pieces() if sending else ())
        finally:
            if sending:
                sending.end()
    return PrepareResult(
        dataset=options.staged_as,
        splits={name: SplitFacts(**facts) for name, facts in answer["dataset"].get("splits", {}).items()},
        formats={name: Loaded(**facts) for name, facts in answer["formats"].items()},
        classes=tuple(answer["dataset"].get("classes", ())),
        left_out=answer["dataset"].get("left_out"),
    )


def _is_on_node(options: PrepareOptions) -> bool:
    return bool(options.source) and options.where.kind == "node"


def to_send(options: PrepareOptions) -> Sending | None:
    """What is to be sent to the node, if anything is; looked through here, so that what cannot be prepared shows early.

    Raises:
        UsageError: the source is a file where a folder is wanted, or the other way round.
        NotFound: there is no such file or folder.
        DataError: it is a tree without classes, or holds what cannot be prepared.
    """
    if not options.source or options.where.kind != "here" or "extract" not in options.stages:
        return None
    path = Path(options.where.path)
    if path.exists() and path.is_dir() != (options.dataset == "imagefolder"):
        kind = "folder" if options.dataset == "imagefolder" else "file"
        raise UsageError(f"{path} is no {kind}", todo=f"give a {kind} with --source")
    return Sending(path, options.split)


def _config(s3: S3Access, options: PrepareOptions) -> dict[str, Any]:
    return {
        "dataset": options.dataset,
        "formats": list(options.formats),
        "stages": list(options.stages),
        "staging": _STAGING,
        "s3": {
            "endpoint": s3.endpoint.url,
            "region": s3.endpoint.region,
            "bucket": s3.bucket,
            "access": s3.access,
            "secret": s3.secret,
        },
        "options": options.for_the_node(),
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
