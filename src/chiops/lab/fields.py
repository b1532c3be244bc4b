"""What the lab file's schema is made of: its strict base, the fields that many parts share, and mistakes between parts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from chiops.names import parse_duration, suggestion

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")

Loc = tuple[str | int, ...]
"""The path of keys to a place in a lab file."""


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a name: letters, digits, '.', '_' and '-', at most 63, no sign at either end"
        )
    return value


def _bucket(value: str) -> str:
    from chiops.s3.names import bucket_name_problem

    problem = bucket_name_problem(value)
    if problem:
        raise ValueError(problem)
    return value


def _path(value: str) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9._/-]+", value) or ".." in value.split("/"):
        raise ValueError(f"{value!r} is not an absolute path of letters, digits, '.', '_', '-'")
    return value.rstrip("/")


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


Name = Annotated[str, AfterValidator(_name)]
BucketName = Annotated[str, AfterValidator(_bucket)]
AbsolutePath = Annotated[str, AfterValidator(_path)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Port = Annotated[int, Field(ge=1, le=65535)]


class Strict(BaseModel):
    """Unknown keys are mistakes, nothing is converted, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ReferenceProblem(Exception):
    """A mistake between parts of a lab; ``loc`` is the path of keys to it."""

    def __init__(self, loc: Loc, message: str) -> None:
        super().__init__(message)
        self.loc, self.message = loc, message


def known(loc: Loc, name: str, names: Iterable[str], noun: str) -> None:
    """Refuse a name that is not declared, with the nearest that is.

    Raises:
        ReferenceProblem: ``name`` is not among ``names``.
    """
    names = list(names)
    if name not in names:
        raise ReferenceProblem(loc, f"no {noun} {name!r} is declared; {suggestion(name, names)}")
