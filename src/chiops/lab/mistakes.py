"""What is wrong with a lab file, each with its line and key, in words that name the nearest right one."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from chiops.errors import LabFileError
from chiops.lab.document import Document, Loc
from chiops.lab.spec import LabSpec
from chiops.names import nearest

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError


@dataclass(frozen=True)
class Mistake:
    """One mistake; ``line`` is None where it has none, and counts in the rendered text unless the rendering keeps lines."""

    line: int | None
    key: str
    message: str


class InvalidLab(LabFileError):
    """A lab file that does not fit the schema, with all its mistakes; the sentence tells the first.

    Args:
        source: the file.
        mistakes: at least one.
        exact: whether the lines are the file's own.
    """

    def __init__(self, source: str, mistakes: list[Mistake], *, exact: bool) -> None:
        self.mistakes, self.exact = tuple(mistakes), exact
        first, count = mistakes[0], len(mistakes)
        super().__init__(
            f"{where(source, first, exact)}: {first.message}" + (f"; {count - 1} more after it" if count > 1 else "")
        )


def where(source: str, mistake: Mistake, exact: bool) -> str:
    """File and line of a mistake."""
    if mistake.line is None:
        return source
    return f"{source}, line {mistake.line}" if exact else f"{source}, line {mistake.line} as rendered"


def listed(error: ValidationError, document: Document) -> list[Mistake]:
    """All mistakes that validation found, by line. A misspelt key is also a missing one; people see only the misspelling."""
    found = [(item["type"], _plain(item["loc"]), dict(item)) for item in error.errors()]
    misspelt = {(loc[:-1], _meant(loc)) for kind, loc, _ in found if kind == "extra_forbidden"}
    mistakes = [
        Mistake(document.line(loc), ".".join(str(part) for part in loc), _explain(kind, loc, details))
        for kind, loc, details in found
        if not (kind == "missing" and (loc[:-1], loc[-1]) in misspelt)
    ]
    return sorted(mistakes, key=lambda mistake: mistake.line or 0)


def _meant(loc: Loc) -> str | None:
    """The known key that an unknown one is nearest to."""
    return nearest(str(loc[-1]), sorted(_fields(loc[:-1])))


def _plain(loc: tuple[int | str, ...]) -> Loc:
    return tuple(part for part in loc if isinstance(part, int) or "[" not in part)


def _explain(kind: str, loc: Loc, details: Mapping[str, Any]) -> str:
    path = ".".join(str(part) for part in loc)
    key = str(loc[-1]) if loc else ""
    if kind == "extra_forbidden":
        near = _meant(loc)
        known = ", ".join(sorted(_fields(loc[:-1])))
        return f"unknown key {key!r}; " + (f"did you mean {near!r}?" if near else f"known here: {known}")
    if kind == "missing":
        return f"the key {key!r} is missing" + (
            f" in {'.'.join(str(part) for part in loc[:-1])}" if len(loc) > 1 else ""
        )
    if kind == "literal_error" and loc == ("version",):
        return f"version {details.get('input')!r} of the lab file is not known; this chiops reads version 1"
    message = str(details.get("msg", "is not valid")).removeprefix("Value error, ")
    if kind == "literal_error":
        near = nearest(str(details.get("input")), [word for word in str(message).split("'") if word.strip()])
        message = f"{details.get('input')!r} is not known" + (f"; did you mean {near!r}?" if near else f": {message}")
    return f"{path}: {message}"


def _fields(loc: Loc) -> set[str]:
    """The keys that the schema knows at ``loc``."""
    model: type[BaseModel] | None = LabSpec
    for part in loc:
        if isinstance(part, int) or model is None:
            continue
        field = model.model_fields.get(part)
        model = _model_in(field.annotation) if field else None
    return set(model.model_fields) if model else set()


def _model_in(annotation: Any) -> type[BaseModel] | None:
    from pydantic import BaseModel

    if (
        isinstance(annotation, type)
        and not isinstance(annotation, types.GenericAlias)
        and issubclass(annotation, BaseModel)
    ):
        return annotation
    if get_origin(annotation) in (tuple, list, Union, types.UnionType):
        for inner in get_args(annotation):
            found = _model_in(inner)
            if found:
                return found
    return None
