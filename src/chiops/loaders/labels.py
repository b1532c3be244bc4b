"""Which number a class's folder stands for: the same in every format, as ``chiops data prepare`` gave them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

_NUMBERED = re.compile(r"class_(\d+)")


def numbering(found: Iterable[str], known: Sequence[str] | None = None) -> dict[str, int]:
    """The label of each class.

    By its place in ``known``, the dataset's sorted list of classes over all splits. Without one, by the number in its name
    (``class_07``), or else by its place among those found.
    """
    names = sorted(set(found))
    if known and set(names) <= set(known):
        return {name: label for label, name in enumerate(known) if name in set(names)}
    numbers = [_NUMBERED.fullmatch(name) for name in names]
    if all(numbers):
        return {match[0]: int(match[1]) for match in numbers if match}
    return {name: label for label, name in enumerate(names)}


def classes_of(description: Any) -> list[str] | None:
    """The classes that a dataset's description lists, or its manifest's; None if there is none."""
    if not isinstance(description, dict):
        return None
    listed = description.get("dataset", description)
    names = listed.get("classes") if isinstance(listed, dict) else None
    return [str(name) for name in names] if isinstance(names, list) else None


def classes_in(path: Path) -> list[str] | None:
    """The same from a file; None if it is not there."""
    try:
        return classes_of(json.loads(path.read_text()))
    except (OSError, ValueError):
        return None
