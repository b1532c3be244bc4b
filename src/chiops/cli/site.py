"""``chiops site``: the places where labs can run."""

from __future__ import annotations

from typing import Annotated

import typer

from chiops.cli.common import app as group
from chiops.cli.common import command, options
from chiops.output import emit

app = group("site", "The places where labs can run.")


@command(app, "list", epilog="Example: chiops site list -o json")
def list_() -> None:
    """List the sites that chiops knows."""
    from chiops.cloud import sites

    rows = [
        {
            "name": facts.name,
            "cloud": facts.cloud,
            "description": facts.description,
            "default": facts.name == sites.DEFAULT_SITE,
        }
        for facts in sites.sites().values()
    ]
    emit(rows, options.output, table=[{**row, "default": "yes" if row["default"] else ""} for row in rows])


@command(app, "check", epilog="Example: chiops site check KVM@TACC")
def check(
    name: Annotated[
        str | None,
        typer.Argument(help="The site's name; --site's or the default one's unless told.", show_default=False),
    ] = None,
) -> None:
    """Check a site: sign-in, roles, services, quotas; each finding with its mend. Changes nothing."""
    from chiops.cli.doctor import show_checks
    from chiops.cloud import sites
    from chiops.lab.doctor import diagnose_site

    show_checks(diagnose_site(name or options.site or sites.DEFAULT_SITE))


@command(app, "show", epilog="Example: chiops site show local")
def show(name: Annotated[str, typer.Argument(help="The site's name.")] = "local") -> None:
    """Show what is known of a site, and its flavors and images."""
    from chiops.cloud import sites

    facts = sites.site(name)
    with sites.connect(name) as cloud:
        flavors, images = cloud.compute.flavors(), cloud.compute.images()
    rows: list[dict[str, object]] = [
        {
            "kind": "flavor",
            "name": one.name,
            "detail": f"{one.vcpus} vCPU, {one.ram_mib} MiB RAM, {one.disk_gib} GiB disk",
        }
        for one in flavors
    ]
    rows += [{"kind": "image", "name": one.name, "detail": one.note or one.status} for one in images]
    emit({"site": facts, "flavors": flavors, "images": images}, options.output, table=rows)
