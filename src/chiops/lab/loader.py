"""From a lab's name or path and the person's settings to a validated `LabSpec`, or one sentence with file, line and key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chiops import assets
from chiops.errors import LabFileError, UsageError
from chiops.lab import parameters
from chiops.lab.document import Document, read_documents
from chiops.lab.fields import ReferenceProblem
from chiops.lab.mistakes import InvalidLab, Mistake, listed
from chiops.lab.parameters import Parameter, Value
from chiops.lab.services import check_compose
from chiops.lab.spec import LabSpec
from chiops.names import suggestion

if TYPE_CHECKING:
    from jinja2 import Environment

MAX_BYTES = 1 << 20
"""A lab file larger than this is not one."""


@dataclass(frozen=True)
class Lab:
    """A lab as asked for: the validated file, where it came from, the values it was rendered with, and what came out."""

    spec: LabSpec
    source: str
    values: Mapping[str, Value]
    parameters: tuple[Parameter, ...]
    text: str

    @property
    def name(self) -> str:
        return self.spec.name


def builtin_labs() -> list[str]:
    """Names of the labs that ship with chiops."""
    return sorted(path.name.removesuffix(".yaml.j2") for path in assets.labs().glob("*.yaml.j2"))


def find(name: str) -> Path:
    """The file of a built-in lab, or the path itself when ``name`` is one.

    Raises:
        UsageError: neither; names the nearest built-in lab.
    """
    builtin = assets.labs() / f"{name}.yaml.j2"
    if "/" not in name and builtin.is_file():
        return builtin
    path = Path(name).expanduser()
    if path.is_file():
        return path
    if "/" in name or name.endswith((".yaml", ".yml", ".j2")):
        raise UsageError(
            f"there is no lab file {name!r}",
            todo="check the path, or name a built-in lab: " + ", ".join(builtin_labs()),
        )
    raise UsageError(f"there is no lab {name!r}", todo=suggestion(name, builtin_labs()))


def load(name: str, settings: Mapping[str, Value]) -> Lab:
    """Read, render and validate a lab.

    Args:
        name: a built-in lab's name or a file's path.
        settings: values for the lab's parameters; the rest take their defaults.

    Raises:
        UsageError: no such lab, or a setting that it does not declare.
        LabFileError: a mistake in the file, with file, line, key and the nearest valid one.
    """
    path = find(name)
    try:
        raw = path.read_bytes()
        if len(raw) > MAX_BYTES:
            raise LabFileError(f"{path} is larger than any lab file")
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LabFileError(f"{path} can't be read", why=str(error)) from error
    return parse(text, str(path), settings)


def parse(text: str, source: str, settings: Mapping[str, Value]) -> Lab:
    """`load`, from text that is at hand; ``source`` names it in messages."""
    environment = _environment()
    head, body, offset = _split(text, source)
    declared = parameters.declared(head.data, source) if head else []
    parameters.check_known(declared, settings, source)
    values: dict[str, Value] = {}
    for parameter in declared:
        value = settings.get(parameter.name, parameter.default)
        if isinstance(value, str):
            value = _render(environment, value, {"user": parameters.user_name(), **values}, source, 0).strip()
        value = parameters.check_value(parameter.name, value, source)
        plain = isinstance(parameter.default, bool)
        values[parameter.name] = parameters.boolean(parameter.name, value, source) if plain else value
    rendered = _render(environment, body, {"user": parameters.user_name(), **values}, source, offset)
    exact = rendered.count("\n") == body.count("\n")
    documents = read_documents("\n" * offset + rendered, source)
    if len(documents) != 1 or not isinstance(documents[0].data, Mapping):
        raise LabFileError(
            f"{source}: this is no lab",
            todo="begin with `version: 1` and `name:`; see the built-in labs for an example",
        )
    return Lab(_validate(documents[0], source, exact), source, values, tuple(declared), rendered)


def _environment() -> Environment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    # A lab file may come from someone else, so it renders without access to Python's insides.
    return SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)


def _split(text: str, source: str) -> tuple[Document | None, str, int]:
    """The parameters' document, the lab's text, and how many lines stand before it."""
    lines = text.splitlines(keepends=True)
    for index, line in enumerate(lines):
        if line.rstrip() == "---" and any(
            before.strip() and not before.lstrip().startswith("#") for before in lines[:index]
        ):
            head = read_documents("".join(lines[:index]), source)
            return head[0], "".join(lines[index + 1 :]), index + 1
    return None, text, 0


def _render(environment: Environment, text: str, values: Mapping[str, Value], source: str, offset: int) -> str:
    from jinja2 import TemplateError, TemplateSyntaxError, UndefinedError

    try:
        return environment.from_string(text).render(values)
    except UndefinedError as error:
        word = str(error).split("'")[1] if "'" in str(error) else str(error)
        raise LabFileError(
            f"{source} uses {word!r}, which is no parameter of it", todo=suggestion(word, values)
        ) from error
    except TemplateSyntaxError as error:
        raise LabFileError(
            f"{source}, line {error.lineno + offset}: the template is not right", why=error.message or ""
        ) from error
    except (
        TemplateError,
        ArithmeticError,
        TypeError,
        ValueError,
        LookupError,
        AttributeError,
        RecursionError,
        MemoryError,
    ) as error:
        raise LabFileError(f"{source}: the template can't be rendered", why=str(error)) from error


def _validate(document: Document, source: str, exact: bool) -> LabSpec:
    from pydantic import ValidationError

    try:
        spec = LabSpec.model_validate(document.data)
        for i, server in enumerate(spec.servers):
            if compose := server.services.compose:
                check_compose(("servers", i, "services", "compose", "file"), compose.file, source)
        return spec
    except ReferenceProblem as problem:
        key = ".".join(str(part) for part in problem.loc)
        raise InvalidLab(source, [Mistake(document.line(problem.loc), key, problem.message)], exact=exact) from problem
    except ValidationError as error:
        raise InvalidLab(source, listed(error, document), exact=exact) from error
