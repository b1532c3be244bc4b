"""``chiops site``: the places where labs can run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chiops.cli.common import app as group
from chiops.cli.common import command, options
from chiops.output import emit, message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chiops.cloud.base import Flavor, Image, SiteFacts

app = group("site", "The places where labs can run.")
SiteArgument = Annotated[
    str | None, typer.Argument(help="The site's name; --site's or the default one's unless told.", show_default=False)
]


@command(app, "list", epilog="Example: chiops site list -o json")
def list_() -> None:
    """List the sites that chiops knows, and the entries of clouds.yaml, which are sites too."""
    from chiops.cloud import sites
    from chiops.errors import UsageError

    try:
        known = sites.every()
    except UsageError as error:
        known = sites.sites()
        message(f"The entries of clouds.yaml are left out: {error.sentence()}", style="warning")
    chosen = sites.chosen()
    default = chosen.site if chosen else sites.DEFAULT_SITE
    rows = [
        {
            "name": facts.name,
            "cloud": facts.cloud,
            "description": facts.description,
            "default": facts.name == default,
        }
        for facts in known.values()
    ]
    emit(rows, options.output, table=[{**row, "default": "yes" if row["default"] else ""} for row in rows])


@command(app, "check", epilog="Example: chiops site check KVM@TACC")
def check(name: SiteArgument = None) -> None:
    """Check a site: sign-in, roles, services, quotas; each finding with its mend. Changes nothing."""
    from chiops.cli.doctor import show_checks
    from chiops.lab import where
    from chiops.lab.doctor import diagnose_site

    show_checks(diagnose_site(name or where.meant(options.site)))


@command(app, "show", epilog="Example: chiops site show KVM@TACC")
def show(name: SiteArgument = None) -> None:
    """Show what is known of a site without asking it, and its flavors and images if you can sign in there."""
    from chiops.cloud import sites
    from chiops.errors import ChiopsError
    from chiops.lab import where

    facts = sites.site(name or where.meant(options.site))
    rows = [{"kind": "site", "name": key, "detail": value} for key, value in _known(facts).items()]
    try:
        with sites.connect(facts.name) as cloud:
            flavors, images = cloud.compute.flavors(), cloud.compute.images()
    except ChiopsError as error:
        result = {"site": facts, "flavors": None, "images": None, "problem": error.sentence()}
        emit(result, options.output, table=rows)
        message(f"Flavors and images are left out, since {facts.name} could not be asked.", style="warning")
        raise
    emit({"site": facts, "flavors": flavors, "images": images}, options.output, table=rows + _offered(flavors, images))


def _known(facts: SiteFacts) -> dict[str, str]:
    """The facts in words; what is not set is left out."""
    found = {
        "cloud": facts.cloud,
        "description": facts.description,
        "dashboard": facts.web,
        "sign-in": facts.auth_url,
        "entry of clouds.yaml": facts.os_cloud,
        "region": facts.region,
        "object site": facts.object_site or "the same",
        "S3": f"{facts.s3.url} ({facts.s3.provider})" if facts.s3 else "",
        "network": facts.network,
        "external network": facts.external_network,
        "default image": facts.default_image,
        "user": facts.ssh_user,
        "needs a lease": "yes" if facts.needs_lease else "no",
        "longest lease": _longest(facts),
        "extension": _extension(facts),
        "service units per hour": _each(facts.su_per_hour, ""),
    }
    return {key: value for key, value in found.items() if value}


def _longest(facts: SiteFacts) -> str:
    most = f"{facts.max_lease_days:g} days" if facts.max_lease_days is not None else ""
    return "; ".join(part for part in (most, _each(facts.lease_days, " days")) if part)


def _extension(facts: SiteFacts) -> str:
    window = f"in the last {facts.extension_window_hours:g} hours" if facts.extension_window_hours is not None else ""
    most = f"by {facts.extension_days:g} days at most" if facts.extension_days is not None else ""
    return ", ".join(part for part in (window, most) if part)


def _each(values: Mapping[str, float], unit: str) -> str:
    return ", ".join(f"{name} {value:g}{unit}" for name, value in values.items())


def _offered(flavors: Sequence[Flavor], images: Sequence[Image]) -> list[dict[str, str]]:
    rows = [
        {
            "kind": "flavor",
            "name": one.name,
            "detail": f"{one.vcpus} vCPU, {one.ram_mib} MiB RAM, {one.disk_gib} GiB disk",
        }
        for one in flavors
    ]
    return rows + [{"kind": "image", "name": one.name, "detail": one.note or one.status} for one in images]
