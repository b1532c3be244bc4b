"""``chiops data``: datasets, prepared on a node and loaded into the lab's bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chiops.cli.common import BucketOption, LabOption, command, options
from chiops.cli.common import app as group
from chiops.names import format_bytes
from chiops.output import Format, emit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chiops.data.prepare import PrepareResult
    from chiops.data.verify import Verified

app = group("data", "Datasets: prepared on a node, loaded into the lab's bucket.")
FormatOption = Annotated[
    list[str] | None,
    typer.Option(
        "--format", "-f", help="imagefolder, webdataset, litdata, mds, or all; again for more.", show_default=False
    ),
]


@command(app, "list", epilog="Example: chiops data list")
def list_() -> None:
    """List the datasets and formats that chiops can prepare."""
    from chiops.data.catalog import DATASETS, FORMATS

    rows = [{"kind": "dataset", "name": one.name, "what": one.title} for one in DATASETS.values()]
    rows += [
        {"kind": "format", "name": one.name, "what": f"{one.title}, under {one.prefix('<root>')}/"}
        for one in FORMATS.values()
    ]
    emit(rows, options.output, table=rows)


@command(
    app,
    "prepare",
    epilog="Example: chiops data prepare --dataset imagefolder --source ~/flowers --format all",
)
def prepare(
    dataset: Annotated[str, typer.Option(help="See `chiops data list`.")] = "food11-synthetic",
    format_: FormatOption = None,
    stage: Annotated[
        list[str] | None,
        typer.Option(help="extract, transform or load; again for more; all by default.", show_default=False),
    ] = None,
    source: Annotated[
        str,
        typer.Option(
            help="Your own images: a folder here, node:/PATH, or s3:PREFIX; for an index its file here, or s3:KEY.",
            show_default=False,
        ),
    ] = "",
    name: Annotated[
        str, typer.Option(help="What your own dataset is called; by default as its source.", show_default=False)
    ] = "",
    split: Annotated[
        str, typer.Option(help="The split of all your images, whatever folders say.", show_default=False)
    ] = "",
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Leave damaged images out and say which.")
    ] = False,
    images: Annotated[int, typer.Option(help="Images of a synthetic dataset, all splits together.")] = 1200,
    seed: Annotated[int, typer.Option(help="What a synthetic dataset grows from.")] = 0,
    shard_mib: Annotated[
        int, typer.Option("--shard-mib", "--chunk-mib", help="Size of a shard in MiB; 0 for what suits.")
    ] = 0,
    url: Annotated[str, typer.Option(help="Download this archive instead.", show_default=False)] = "",
    file: Annotated[str, typer.Option(help="Use this archive on the node.", show_default=False)] = "",
    sha256: Annotated[str, typer.Option(help="The archive's checksum.", show_default=False)] = "",
    threads: Annotated[int, typer.Option(help="Objects uploaded or fetched at once.")] = 16,
    node: Annotated[str | None, typer.Option(help="On which node; the first by default.", show_default=False)] = None,
    bucket: BucketOption = None,
    lab: LabOption = None,
) -> None:
    """Make a dataset on a node and load it into the bucket. What is done already is not done again."""
    from chiops.data import prepare as preparing
    from chiops.data.catalog import STAGES, find_formats
    from chiops.data.options import PrepareOptions
    from chiops.lab.lock import work_lock
    from chiops.lab.session import opened
    from chiops.remote.bench_image import ensure_bench_image
    from chiops.remote.ssh import Ssh

    chosen = PrepareOptions(
        dataset=dataset,
        formats=find_formats(format_ or ["imagefolder"]),
        stages=tuple(stage or STAGES),
        images=images,
        seed=seed,
        shard_bytes=shard_mib << 20,
        url=url,
        file=file,
        sha256=sha256,
        threads=threads,
        source=source,
        name=name,
        split=split,
        skip_damaged=skip_damaged,
    )
    with opened(lab, options.site) as session, work_lock(session.lab.name, "data prepare"):
        where, access = session.node(node), session.bucket(bucket)
        sending = preparing.to_send(chosen)
        image = ensure_bench_image([where], session.places.compute.node_settings)
        done = preparing.prepare(Ssh(where), image, access, chosen, sending)
    rows = [
        {
            "format": name,
            "prefix": f"s3://{access.bucket}/{one.prefix}/",
            "objects": one.objects,
            "size": format_bytes(one.bytes),
            "uploaded": one.uploaded,
            "there already": one.skipped,
        }
        for name, one in done.formats.items()
    ]
    emit(done, options.output, table=rows, text=_told(done))


def _told(done: PrepareResult) -> str:
    """The images in words, and those that are missing."""
    if not done.splits:
        return f"\n{done.dataset}: extracted."
    splits = ", ".join(f"{split.images:,} {name}" for name, split in done.splits.items())
    text = f"\n{done.dataset}: {splits} images of {len(done.classes)} classes."
    if done.left_out:
        text += f" {done.left_out['images']} damaged images were left out, such as {done.left_out['names'][0]}."
    return text


@command(app, "index", epilog="Example: chiops data index scratch/imagenet/val --to index-val.json")
def index(
    prefix: Annotated[
        str | None, typer.Argument(help="Where the images are in the bucket; all of it by default.", show_default=False)
    ] = None,
    to: Annotated[str, typer.Option(help="The file to write, here.")] = "index.json",
    bucket: BucketOption = None,
    lab: LabOption = None,
) -> None:
    """Write the keys of all images below a prefix of the bucket to a JSON list, for `prepare --dataset index`."""
    from pathlib import Path

    from chiops.data.index import index as make
    from chiops.lab.session import opened

    with opened(lab, options.site) as session:
        made = make(session.bucket(bucket), prefix or "", Path(to).expanduser())
    text = f"{made.file}: {made.keys:,} keys of {format_bytes(made.bytes)} in all."
    emit(made, options.output, text=text)


@command(app, "verify", epilog="Example: chiops data verify --format litdata")
def verify(
    format_: FormatOption = None,
    dataset: Annotated[str, typer.Option(help="Which dataset, by its name; all by default.", show_default=False)] = "",
    bucket: BucketOption = None,
    lab: LabOption = None,
) -> None:
    """Compare what is in the bucket with the manifests written beside it: names, sizes, checksums."""
    from chiops.data.verify import NAMED, chosen, require, verify_all
    from chiops.lab.session import opened

    with opened(lab, options.site) as session:
        access = session.bucket(bucket)
        names = NAMED if options.output is Format.TABLE else None
        found = verify_all(access, chosen(access, format_ or (), dataset), names=names)
    rows = [
        {
            "format": one.format,
            "dataset": one.dataset,
            "prefix": f"{one.prefix}/",
            "objects": one.objects,
            "size": format_bytes(one.bytes),
            "state": "not comparable" if one.fault else one.state,
        }
        for one in found
    ]
    emit(found, options.output, table=rows, text=_differing(found))
    require(found, access.bucket)


def _differing(found: Sequence[Verified]) -> str:
    """The names of objects that differ, the first of each kind."""
    lines = []
    for one in found:
        for kind, difference in one.differences.items():
            lines += [f"{kind}: {one.prefix}/{name}" for name in difference.names]
            if more := difference.count - len(difference.names):
                lines.append(f"{kind}: {more:,} more below {one.prefix}/; -o json names all")
    return "\n".join(["", *lines]) if lines else ""
