"""Documents with something odd at one place: the places of one, and a copy with another value there."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

Place = tuple[str | int, ...]
GONE = object()
"""In place of a value: there is nothing."""
ODD = (
    GONE, None, True, 0, -1, 3.5, 10**30, "", "odd", "{", "0001-01-01T00:00:00+23:59", "ü" * 300,
    [], [None], ["x"], [[]], {}, {"x": None}, {"": [{}]},
)  # fmt: skip
ANYTHING = st.sampled_from(ODD[1:]) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.just("1h"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
ANYTHING_OR_NOTHING = ANYTHING | st.just(GONE)


def places(document: object, here: Place = ()) -> Iterator[Place]:
    """Every place within a document, the whole first."""
    yield here
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in inner:
        yield from places(value, (*here, key))


def changed(document: Any, place: Place, value: object) -> Any:
    """The document with that value at the place; a place that an earlier change took is left."""
    if not place:
        return document if value is GONE else value
    document = copy.deepcopy(document)
    inner = document
    for key in place[:-1]:
        try:
            inner = inner[key]
        except (KeyError, IndexError, TypeError):
            return document
    if not isinstance(inner, dict if isinstance(place[-1], str) else list):
        return document
    if value is not GONE:
        inner[place[-1]] = value
    elif isinstance(inner, dict):
        inner.pop(place[-1], None)
    return document
