"""Bare-metal hosts: what types there are, and why a lease of them was refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from chiops.cloud.base import ReservationRequest
from chiops.errors import Capacity, CloudError, NotFound
from chiops.names import nearest
from chiops.ops.desk import Desk

NODE_TYPE = "$node_type"


@contextmanager
def explained(desk: Desk, wanted: Sequence[ReservationRequest]) -> Iterator[None]:
    """Where the body books hosts and is refused because nothing is like that, say what there is instead.

    Raises:
        NotFound: no host of the site is of the type, or has the properties.
    """
    try:
        yield
    except (NotFound, Capacity) as refused:
        if not any(item.kind == "physical:host" for item in wanted):
            raise
        raise _explanation(desk, asked_types(wanted), refused) from refused


def _explanation(desk: Desk, asked: Sequence[str], refused: CloudError) -> CloudError:
    try:
        known = [item.name for item in desk.cloud.leases.node_types()]
    except CloudError as untold:
        if isinstance(refused, Capacity):
            return refused
        what = f"the node type {asked[0]!r}" if asked else "the properties that the lease asks for"
        return NotFound(f"no host at {desk.site} has {what}", why=untold.what, todo=untold.todo)
    missing = [name for name in asked if name not in known]
    if missing:
        near = nearest(missing[0], known)
        hint = f"did you mean {near!r}? " if near else ""
        return NotFound(
            f"there is no node type {missing[0]!r} at {desk.site}",
            todo=f"{hint}There are {', '.join(known)}" if known else "it has no hosts to book",
        )
    if isinstance(refused, Capacity):
        return refused
    return NotFound(
        f"no host at {desk.site} has the properties that the lease asks for", todo="see `chiops lease node-types`"
    )


def same(one: str, another: str) -> bool:
    """Whether two filters ask for the same, however they are written; one that the site does not tell counts as the same."""
    return not (one and another) or _parsed(one) == _parsed(another)


def described(properties: str) -> str:
    """The hosts that a filter asks for, in words: ``host of type gpu_rtx_6000``."""
    match _parsed(properties):
        case ["=", str(name), value] if name == NODE_TYPE:
            return f"host of type {value}"
    return f"host with {properties}" if properties else "host"


def _parsed(properties: str) -> object:
    """The filter; Blazar takes = for ==. What is no JSON stays as it is."""

    def plain(part: object) -> object:
        if isinstance(part, list):
            return [plain(inner) for inner in part]
        return "=" if part == "==" else part

    try:
        return plain(json.loads(properties))
    except (ValueError, RecursionError):
        return properties


def asked_types(wanted: Sequence[ReservationRequest]) -> list[str]:
    """The node types that reservations ask for, from Blazar's filters: JSON lists in prefix notation."""
    found: list[str] = []

    def walk(part: object) -> None:
        match part:
            case ["==" | "=", str(name), value] if name == NODE_TYPE:
                found.append(str(value))
            case [*parts]:
                for inner in parts:
                    walk(inner)

    for item in wanted:
        if item.resource_properties:
            walk(json.loads(item.resource_properties))
    return found
