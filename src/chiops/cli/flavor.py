"""``chiops flavor``: the sizes of servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chiops.cli.common import app as group
from chiops.cli.common import command, options
from chiops.output import emit

if TYPE_CHECKING:
    from chiops.cloud.base import Flavor

app = group("flavor", "Flavors: the sizes of servers, and what they cost.")


@command(app, "list", epilog="Example: chiops flavor list")
def list_() -> None:
    """List the site's flavors, smallest first."""
    from chiops.ops.desk import opened

    with opened(options.site) as desk:
        flavors = sorted(desk.cloud.compute.flavors(), key=lambda one: (one.vcpus, one.ram_mib, one.name))
    emit(flavors, options.output, table=[_row(one) for one in flavors], text="" if flavors else "No flavors.")


@command(app, "show", epilog="Example: chiops flavor show m1.large")
def show(name: Annotated[str, typer.Argument(metavar="FLAVOR", help="The flavor's name or id.")]) -> None:
    """Show a flavor."""
    from chiops.ops.desk import opened
    from chiops.ops.resolve import one

    with opened(options.site) as desk:
        found = one(desk.cloud.compute.flavors(), name, "flavor", desk.site)
    emit(found, options.output, table=[_row(found)])


def _row(flavor: Flavor) -> dict[str, object]:
    return {
        "name": flavor.name,
        "vCPU": flavor.vcpus,
        "RAM GiB": round(flavor.ram_mib / 1024, 2),
        "disk GiB": flavor.disk_gib,
        "SU per hour": flavor.su_per_hour,
        "id": flavor.id,
    }
