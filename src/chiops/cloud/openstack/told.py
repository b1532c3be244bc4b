"""What services tell, in the shapes that they document: an odd field counts as empty, so that it never hides a whole listing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def text(value: object) -> str:
    """A string; "" for anything else."""
    return value if isinstance(value, str) else ""


def number(value: object) -> int | None:
    """A whole number; None for anything else, which a truth value is, too."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def mapping(value: object) -> Mapping[str, Any]:
    """A mapping; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: object) -> list[Mapping[str, Any]]:
    """The mappings in a list; none for anything else."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def words(value: object) -> dict[str, str]:
    """Metadata, without what is no string."""
    return {key: word for key, word in mapping(value).items() if isinstance(word, str)}


def listing(value: object, key: str) -> list[Mapping[str, Any]]:
    """What a service lists and tells the ``key`` of: nothing can be done with the others.

    Raises:
        TypeError: it is no list, or nothing in it can be understood. Taken for an empty one, it would say that nothing is there.
    """
    if not isinstance(value, list):
        raise TypeError(f"{type(value).__name__} instead of a list")
    return _some([item for item in mappings(value) if text(item.get(key))], value)


def with_ids(items: Iterable[Any]) -> list[Any]:
    """The same for what openstacksdk lists, by the id.

    Raises:
        TypeError: nothing in it can be understood.
    """
    listed = list(items)
    return _some([item for item in listed if text(item.id)], listed)


def _some(found: list[T], listed: Sequence[object]) -> list[T]:
    if listed and not found:
        raise TypeError("nothing that is listed has an id")
    return found
