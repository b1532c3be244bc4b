"""``chiops bucket``: buckets of the lab's object site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chiops.cli.common import app as group
from chiops.cli.common import command, confirm, options
from chiops.cli.shown import whose
from chiops.names import format_bytes
from chiops.output import emit

if TYPE_CHECKING:
    from chiops.cloud.base import Bucket

app = group("bucket", "Buckets: the containers of an object store.")
NameArgument = Annotated[str, typer.Argument(help="The bucket's name.")]


@command(app, "list", epilog="Example: chiops bucket list")
def list_() -> None:
    """List all buckets of the site, ours and others'."""
    from chiops.ops import buckets
    from chiops.ops.desk import opened

    with opened(options.site, objects=True) as desk:
        found = buckets.listed(desk)
        rows = [{"name": one.name, "created": one.created or "", "whose": whose(desk, one)} for one in found]
    emit(found, options.output, table=rows, text="" if rows else "No buckets.")


@command(app, "show", epilog="Example: chiops bucket show object-chi-netID")
def show(name: NameArgument) -> None:
    """Show a bucket: how many objects it holds and how many bytes."""
    from chiops.ops.desk import opened

    with opened(options.site, objects=True) as desk:
        found, endpoint = desk.cloud.objects.get(name), desk.cloud.objects.endpoint()
    row = {
        "name": found.name,
        "objects": found.objects,
        "size": format_bytes(found.size_bytes),
        "lab": found.mark.lab if found.mark else "",
        "endpoint": endpoint.url,
    }
    emit({**row, "size": found.size_bytes}, options.output, table=[row])


@command(app, "create", epilog="Example: chiops bucket create object-chi-netID")
def create(name: NameArgument) -> None:
    """Create a bucket that belongs to no lab."""
    from chiops.errors import UsageError
    from chiops.ops import buckets
    from chiops.ops.desk import opened
    from chiops.s3.names import bucket_name_problem

    problem = bucket_name_problem(name)
    if problem:
        raise UsageError(problem)
    with opened(options.site, objects=True) as desk:
        made = buckets.create(desk, name)
    emit(made, options.output, text=f"Created {made.name}.")


ServerOption = Annotated[
    str | None,
    typer.Option("--server", help="The server; the only one of the bucket's lab, unless named.", show_default=False),
]


@command(app, "mount", epilog="Example: chiops bucket mount object-chi-netID --server node-object-netID")
def mount(
    name: NameArgument,
    server: ServerOption = None,
    path: Annotated[str, typer.Option("--path", help="Where on the server.")] = "/mnt/object",
    by: Annotated[
        str, typer.Option("--by", help="rclone, s3fs, mountpoint-s3 or pond, and options of its own behind it.")
    ] = "rclone",
    writable: Annotated[bool, typer.Option("--write", help="Files can be changed there, too.")] = False,
) -> None:
    """Mount a bucket on a server of ours, now and at every boot, with a key of the server's lab."""
    from chiops.ops import mounts
    from chiops.ops.desk import opened

    with opened(options.site) as desk, opened(desk.site, objects=True) as store:
        made = mounts.mount(desk, store, name, server, path, by, writable=writable)
    emit(made, options.output, text=f"{made.bucket} is mounted at {made.path} on {made.server}.")


@command(app, "unmount", epilog="Example: chiops bucket unmount object-chi-netID --server node-object-netID")
def unmount(name: NameArgument, server: ServerOption = None) -> None:
    """Unmount a bucket wherever chiops has mounted it on a server of ours. What a lab's file mounts, `up` mounts again."""
    from chiops.ops import mounts
    from chiops.ops.desk import opened

    with opened(options.site) as desk, opened(desk.site, objects=True) as store:
        gone = mounts.unmount(desk, store, name, server)
    places = ", ".join(f"{one.path} on {one.server}" for one in gone)
    emit(gone, options.output, text=f"Unmounted {places}." if gone else f"{name} is not mounted there.")


@command(app, "purge", epilog="Example: chiops bucket purge object-chi-netID --yes")
def purge(name: NameArgument) -> None:
    """Delete all objects of a bucket of ours, old versions and unfinished uploads too, having asked; the bucket stays."""
    from chiops.ops import buckets
    from chiops.ops.desk import opened

    with opened(options.site, objects=True) as desk:
        done = buckets.purge(desk, name, lambda one: confirm(_loss(one)))
    emit(done, options.output, text=f"Deleted {done.words()} from {name}.")


@command(app, "delete", epilog="Example: chiops bucket delete object-chi-netID --purge")
def delete(
    name: NameArgument,
    purge_: Annotated[bool, typer.Option("--purge", help="Delete all that is in it first, having asked.")] = False,
) -> None:
    """Delete a bucket of ours; one that holds anything needs --purge."""
    from chiops.ops import buckets
    from chiops.ops.desk import opened

    with opened(options.site, objects=True) as desk:
        buckets.delete(desk, name, lambda one: confirm(_loss(one)), purge_first=purge_)
    emit({"deleted": name}, options.output, text=f"Deleted {name}.")


def _loss(bucket: Bucket) -> str:
    if bucket.objects:
        held = f"holds {bucket.objects:,} objects ({format_bytes(bucket.size_bytes)}), by its last count"
    else:
        held = "counts no objects, but may hold new ones, old versions or unfinished uploads"
    return f"{bucket.name} {held}. Delete all that is in it?"
