"""What the nouns' commands share: options, and how a resource looks in a row and in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from chiops.output import plain

if TYPE_CHECKING:
    from chiops.cloud.base import Ec2Credential, Resource
    from chiops.ops.desk import Desk

ForLabOption = Annotated[
    str | None,
    typer.Option("--lab", help="Make it part of this lab: it goes with the lab's `down`.", show_default=False),
]


def whose(desk: Desk, resource: Resource | Ec2Credential) -> str:
    """Whose it is: ``yours``, ``yours, lab NAME``, or nothing for others'."""
    from chiops.ops.desk import NO_LAB

    if not desk.is_ours(resource) or resource.mark is None:
        return ""
    return "yours" if resource.mark.lab == NO_LAB else f"yours, lab {resource.mark.lab}"


def document(desk: Desk, resource: Resource | Ec2Credential, **more: object) -> dict[str, object]:
    """A resource as JSON shows it, with whether it is ours."""
    shown = plain(resource)
    assert isinstance(shown, Mapping)  # noqa: S101 - resources are dataclasses
    return {**shown, "ours": desk.is_ours(resource), **more}
