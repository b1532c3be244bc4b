"""``chiops image``: what servers boot from."""

from __future__ import annotations

from typing import Annotated

import typer

from chiops.cli.common import app as group
from chiops.cli.common import command, options
from chiops.names import format_bytes
from chiops.output import emit

app = group("image", "Images: what servers boot from.")


@command(app, "list", epilog="Example: chiops image list ubuntu")
def list_(
    part: Annotated[str | None, typer.Argument(help="Only those with this in their name.", show_default=False)] = None,
) -> None:
    """List the site's images."""
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        default = desk.facts.default_image
        images = [one for one in desk.cloud.compute.images() if (part or "").lower() in one.name.lower()]
    rows = [
        {
            "name": one.name,
            "size": format_bytes(one.size_bytes),
            "default": "yes" if one.name == default else "",
            "note": one.note,
            "id": one.id,
        }
        for one in sorted(images, key=lambda one: one.name)
    ]
    emit(images, options.output, table=rows, text="" if rows else "No such images.")


@command(app, "show", epilog="Example: chiops image show CC-Ubuntu24.04")
def show(name: Annotated[str, typer.Argument(metavar="IMAGE", help="The image's name or id.")]) -> None:
    """Show an image."""
    from chiops.ops.desk import opened
    from chiops.ops.resolve import one

    with opened(options.site) as desk:
        found = one(desk.cloud.compute.images(), name, "image", desk.site)
    row = {
        "name": found.name,
        "status": found.status,
        "size": format_bytes(found.size_bytes),
        "smallest disk GiB": found.min_disk_gib,
        "note": found.note,
        "id": found.id,
    }
    emit(found, options.output, table=[row])
