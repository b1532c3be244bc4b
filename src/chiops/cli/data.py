"""``chiops data``: datasets, prepared on a node and loaded into the lab's bucket."""

from __future__ import annotations

from typing import Annotated

import typer

from chiops.cli.common import LabOption, command, options
from chiops.cli.common import app as group
from chiops.names import format_bytes
from chiops.output import emit

app = group("data", "Datasets: prepared on a node, loaded into the lab's bucket.")
FormatOption = Annotated[
    list[str] | None, typer.Option("--format", "-f", help="imagefolder or litdata; again for more.", show_default=False)
]
BucketOption = Annotated[
    str | None, typer.Option("--bucket", help="Which bucket of the lab; its first by default.", show_default=False)
]


@command(app, "list", epilog="Example: chiops data list")
def list_() -> None:
    """List the datasets and formats that chiops can prepare."""
    from chiops.data.catalog import DATASETS, FORMATS

    rows = [{"kind": "dataset", "name": one.name, "what": one.title} for one in DATASETS.values()]
    rows += [
        {"kind": "format", "name": one.name, "what": f"{one.title}, under {one.prefix}/"} for one in FORMATS.values()
    ]
    emit(rows, options.output, table=rows)


@command(
    app,
    "prepare",
    epilog="Example: chiops data prepare --dataset food11-synthetic --format imagefolder --format litdata",
)
def prepare(
    dataset: Annotated[str, typer.Option(help="See `chiops data list`.")] = "food11-synthetic",
    format_: FormatOption = None,
    images: Annotated[int, typer.Option(help="Images of a synthetic dataset, all splits together.")] = 1200,
    seed: Annotated[int, typer.Option(help="What a synthetic dataset grows from.")] = 0,
    chunk_mib: Annotated[int, typer.Option(help="Size of a shard in MiB; 0 for what suits.")] = 0,
    url: Annotated[str, typer.Option(help="Download this archive instead.", show_default=False)] = "",
    file: Annotated[str, typer.Option(help="Use this archive on the node.", show_default=False)] = "",
    sha256: Annotated[str, typer.Option(help="The archive's checksum.", show_default=False)] = "",
    threads: Annotated[int, typer.Option(help="Objects uploaded at once.")] = 16,
    node: Annotated[str | None, typer.Option(help="On which node; the first by default.", show_default=False)] = None,
    bucket: BucketOption = None,
    lab: LabOption = None,
) -> None:
    """Make a dataset on a node and load it into the bucket. What is done already is not done again."""
    from chiops.data import prepare as preparing
    from chiops.lab.session import opened
    from chiops.remote.bench_image import ensure_bench_image
    from chiops.remote.ssh import Ssh

    chosen = preparing.PrepareOptions(
        dataset=dataset,
        formats=tuple(format_ or ["imagefolder"]),
        images=images,
        seed=seed,
        chunk_bytes=chunk_mib << 20,
        url=url,
        file=file,
        sha256=sha256,
        threads=threads,
    )
    with opened(lab) as session:
        where, access = session.node(node), session.bucket(bucket)
        image = ensure_bench_image([where], session.places.compute.node_settings)
        done = preparing.prepare(Ssh(where), image, access, chosen)
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
    splits = ", ".join(f"{split.images:,} {name}" for name, split in done.splits.items())
    emit(done, options.output, table=rows, text=f"\n{done.dataset}: {splits} images.")


@command(app, "verify", epilog="Example: chiops data verify --format litdata")
def verify(format_: FormatOption = None, bucket: BucketOption = None, lab: LabOption = None) -> None:
    """Compare what is in the bucket with the manifest written beside it: names, sizes, checksums."""
    from chiops.data.verify import loaded, require
    from chiops.lab.session import opened

    with opened(lab) as session:
        access = session.bucket(bucket)
        found = [require(access, name) for name in format_ or loaded(access)]
    rows = [
        {
            "format": one.format,
            "dataset": one.dataset,
            "objects": one.objects,
            "size": format_bytes(one.bytes),
            "state": "whole",
        }
        for one in found
    ]
    emit(found, options.output, table=rows)
