"""The images of services on nodes: pulled where a registry answers, else built on the node from a recipe of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chiops import assets
from chiops.errors import UsageError
from chiops.names import suggestion
from chiops.remote import built_image

PULLED = {
    "jupyter": "quay.io/jupyter/minimal-notebook:latest",  # as in Chameleon's labs
    "postgres": "postgres:16",
    "seaweedfs": "chrislusf/seaweedfs:4.48",
}
"""What is pulled, by the recipe's name; a recipe without an entry is built everywhere."""


@dataclass(frozen=True, slots=True)
class ServiceImage:
    """An image that a service runs in; ``recipe`` is what it is built from on the node, "" where it is pulled."""

    name: str
    tag: str
    recipe: str


def service_image(name: str, settings: Mapping[str, object]) -> ServiceImage:
    """The image of a service at a site.

    Args:
        name: the recipe's name, a folder of ``templates/docker``.
        settings: the site's ``node_settings``. Its ``images`` maps names to images that are pulled instead of ours;
            with ``bench_base_archive`` nothing can be pulled.

    Raises:
        UsageError: there is no such recipe.
    """
    known = recipes()
    if name not in known:
        raise UsageError(f"there is no image {name!r}", todo=suggestion(name, known))
    named = settings.get("images")
    pulled = named.get(name) if isinstance(named, Mapping) else None
    if not pulled and not settings.get("bench_base_archive"):
        pulled = PULLED.get(name)
    if pulled:
        return ServiceImage(name, str(pulled), "")
    base = built_image.base_variables(settings)["built_image_base"]
    return ServiceImage(name, built_image.tag(name, built_image.recipe(name), base), name)


def recipes() -> list[str]:
    """Names of services' images."""
    return sorted(path.parent.name for path in (assets.templates() / "docker").glob("*/Dockerfile"))
