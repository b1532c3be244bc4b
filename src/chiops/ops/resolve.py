"""From the word that a person typed, a name or an id, to the one resource that is meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from chiops.errors import Ambiguous, NotFound
from chiops.names import nearest

SHORT_LIST = 8
"""Up to so many names are listed where none is near; a site may have hundreds of images."""


class Named(Protocol):
    """What has an id and a name."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


def one(
    items: Iterable[N],
    word: str,
    noun: str,
    site: str,
    *,
    prefer: Callable[[N], bool] = lambda _: True,
    describe: Callable[[N], str] = lambda _: "",
) -> N:
    """The item that ``word`` means: the one with that id, else the one with that name.

    Args:
        items: all that there are.
        word: as typed.
        noun: what they are, singular.
        site: where, for messages.
        prefer: items that beat others of the same name, where only they count: a running lease beats ended ones.
        describe: a word or two behind each id where the person has to choose.

    Raises:
        Ambiguous: several have the name; lists their ids.
        NotFound: none; names the nearest.
    """
    items = list(items)
    for item in items:
        if item.id == word:
            return item
    named = [item for item in items if item.name == word]
    found = [item for item in named if prefer(item)] or named
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(f"{item.id} ({said})" if (said := describe(item)) else item.id for item in found)
        raise Ambiguous(f"{len(found)} {plural(noun)} at {site} are named {word!r}", todo=f"use an id: {ids}")
    raise NotFound(f"there is no {noun} {word!r} at {site}", todo=_instead(word, [item.name for item in items], noun))


def plural(noun: str) -> str:
    """``key pair`` → ``key pairs``."""
    return f"{noun}s"


def _instead(word: str, names: list[str], noun: str) -> str:
    names = sorted({name for name in names if name})
    if near := nearest(word, names):
        return f"did you mean {near!r}?"
    if names and len(names) <= SHORT_LIST:
        return f"choose one of: {', '.join(names)}"
    return f"there are {len(names)}, see the list" if names else f"there are no {plural(noun)} yet"
