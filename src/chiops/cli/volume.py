"""``chiops volume``: block storage that outlives the servers it is attached to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chiops.cli.common import app as group
from chiops.cli.common import command, confirm, options
from chiops.cli.shown import ForLabOption, document, whose
from chiops.output import emit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chiops.cloud.base import Volume
    from chiops.ops.desk import Desk

app = group("volume", "Volumes: disks whose data outlives the server.")
NameArgument = Annotated[str, typer.Argument(metavar="VOLUME", help="The volume's name or id.")]
SizeOption = Annotated[int, typer.Option("--size", min=1, metavar="GIB", help="Size in GiB.")]


@command(app, "list", epilog="Example: chiops volume list -o json")
def list_() -> None:
    """List the project's volumes and where they are attached, ours and others'."""
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        seen = desk.look("volumes", "servers")
        names = {server.id: server.name for server in seen.servers}
        rows = [{**_row(desk, one, names), "id": one.id} for one in seen.volumes]
        shown = [_document(desk, one, names) for one in seen.volumes]
    emit(shown, options.output, table=rows, text="" if rows else "No volumes.")


@command(app, "show", epilog="Example: chiops volume show block-persist-netID")
def show(name: NameArgument) -> None:
    """Show a volume: its size, state, and where it is attached."""
    from chiops.ops import volumes
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        seen = desk.look("volumes", "servers")
        found = volumes.find(desk, seen.volumes, name)
        names = {server.id: server.name for server in seen.servers}
        _emit(desk, found, names, found.fault)


@command(app, "create", epilog="Example: chiops volume create block-persist-netID --size 2")
def create(
    name: Annotated[str, typer.Argument(help="Its name.")],
    size: SizeOption,
    type_: Annotated[str, typer.Option("--type", help="The site's volume type; its default if left out.")] = "",
    lab: ForLabOption = None,
) -> None:
    """Make a volume. It gets a filesystem when it is first mounted. One of ours that is like that is taken as it is."""
    from chiops.ops import volumes
    from chiops.ops.desk import opened

    with opened(options.site, lab) as desk:
        made, new = volumes.create(desk, name, size, type_)
        _emit(desk, made, {}, "" if new else f"\n{name} was there already.", new=new)


@command(app, "attach", epilog="Example: chiops volume attach block-persist-netID --mount /mnt/block")
def attach(
    name: NameArgument,
    server: Annotated[
        str | None, typer.Option(help="By name or id; the node of the lab by default.", show_default=False)
    ] = None,
    mount: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Where it is mounted; what the lab says, or /mnt/block.", show_default=False),
    ] = None,
    no_mount: Annotated[bool, typer.Option("--no-mount", help="Only attach it; do not log in.")] = False,
) -> None:
    """Attach a volume of ours to a server of ours, and mount it there.

    A volume that holds nothing at all gets a partition and an ext4 filesystem first. Any other is mounted as it is;
    what is not a filesystem is told, and never formatted.
    """
    from chiops.errors import UsageError
    from chiops.ops import attachments
    from chiops.ops.desk import opened

    if mount and no_mount:
        raise UsageError("--mount and --no-mount exclude each other")
    with opened(options.site) as desk:
        done = attachments.attach(desk, name, server, mount, mounting=not no_mount)
        more = {"server": done.server.name, "path": done.path, "changed": done.changed}
        at = f", mounted at {done.path}" if done.path else ""
        text = f"{done.volume.name} is attached to {done.server.name} as {done.device}{at}."
        emit({**_document(desk, done.volume, {done.server.id: done.server.name}), **more}, options.output, text=text)


@command(app, "detach", epilog="Example: chiops volume detach block-persist-netID")
def detach(
    name: NameArgument,
    no_unmount: Annotated[
        bool, typer.Option("--no-unmount", help="Do not log in: nothing there uses it, you know.")
    ] = False,
) -> None:
    """Unmount a volume and take it from its server. Refuses while something uses it, and says what."""
    from chiops.ops import attachments
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        volume, servers = attachments.detach(desk, name, unmounting=not no_unmount)
        names = [server.name for server in servers]
        text = f"{volume.name} is detached from {', '.join(names)}." if names else f"{volume.name} is attached nowhere."
        emit({**_document(desk, volume, {}), "detached_from": names}, options.output, text=text)


@command(app, "extend", epilog="Example: chiops volume extend block-persist-netID --size 4")
def extend(
    name: NameArgument,
    size: SizeOption,
    no_grow: Annotated[bool, typer.Option("--no-grow", help="Do not log in; the filesystem grows later.")] = False,
) -> None:
    """Make a volume larger, and its filesystem too, where it is mounted."""
    from chiops.ops import volumes
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        volume, path = volumes.extend(desk, name, size, growing=not no_grow)
        text = f"{volume.name} has {volume.size_gib} GiB" + (f", at {path} too." if path else ".")
        emit({**_document(desk, volume, {}), "path": path}, options.output, text=text)


@command(app, "delete", epilog="Example: chiops volume delete block-persist-netID")
def delete(name: NameArgument) -> None:
    """Delete a volume of ours and all that is on it. It must be detached."""
    from chiops.ops import volumes
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        gone = volumes.delete(desk, name, confirm)
    emit({"deleted": gone.name, "id": gone.id}, options.output, text=f"Deleted the volume {gone.name}.")


def _where(volume: Volume, names: Mapping[str, str]) -> list[str]:
    return [names.get(one.server_id, one.server_id) for one in volume.attachments]


def _row(desk: Desk, volume: Volume, names: Mapping[str, str]) -> dict[str, object]:
    return {
        "name": volume.name,
        "gib": volume.size_gib,
        "status": volume.status,
        "attached to": ", ".join(_where(volume, names)),
        "type": volume.volume_type,
        "whose": whose(desk, volume),
    }


def _document(desk: Desk, volume: Volume, names: Mapping[str, str]) -> dict[str, object]:
    return document(desk, volume, servers=_where(volume, names))


def _emit(desk: Desk, volume: Volume, names: Mapping[str, str], text: str = "", **more: object) -> None:
    emit({**_document(desk, volume, names), **more}, options.output, table=[_row(desk, volume, names)], text=text)
