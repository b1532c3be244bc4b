"""The parameters that a lab declares, and the values a person sets."""

from __future__ import annotations

import getpass
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chiops.errors import LabFileError, UsageError
from chiops.names import suggestion

Value = str | int | float | bool

_SAFE = re.compile(r"[\w.@+/=-][\w .@+/=:-]*")
"""What a value may consist of: nothing that YAML would read as structure."""


@dataclass(frozen=True)
class Parameter:
    """A declared parameter; its default may refer to the parameters before it."""

    name: str
    default: Value | None
    help: str = ""


def user_name() -> str:
    """The person's login name, reduced to what every service allows in a name."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "user"
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "user"


def declared(data: object, source: str) -> list[Parameter]:
    """The parameters of a lab's first document."""
    block = data.get("parameters") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or set(data) != {"parameters"} or not isinstance(block or {}, Mapping):
        raise LabFileError(
            f"{source}: its first document must hold only `parameters:`",
            todo="declare each as `name: {default: value, help: text}`, then write `---` and the lab",
        )
    found = []
    for name, options in (block or {}).items():
        options = {} if options is None else options
        if not isinstance(options, Mapping) or not set(options) <= {"default", "help"} or not str(name).isidentifier():
            raise LabFileError(
                f"{source}: the parameter {name!r} is not declared rightly",
                todo="write `name: {default: value, help: text}`",
            )
        default = options.get("default")
        if not isinstance(default, str | int | float | bool | None):
            raise LabFileError(f"{source}: the default of the parameter {name!r} must be a plain value")
        found.append(Parameter(str(name), default, str(options.get("help") or "")))
    return found


def parse_settings(settings: Sequence[str]) -> dict[str, str]:
    """``["key=value", …]`` from ``--set`` as a mapping; a later one wins."""
    parsed = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set {setting!r} is not key=value", todo="write for example --set flavor=m1.large")
        parsed[key.strip()] = value.strip()
    return parsed


def check_known(parameters: Sequence[Parameter], values: Mapping[str, Value], source: str) -> None:
    """Refuse a value for a parameter that the lab does not declare."""
    names = [parameter.name for parameter in parameters]
    for key in values:
        if key not in names:
            raise UsageError(f"{source} has no parameter {key!r}", todo=suggestion(key, names))


def boolean(name: str, value: Value, source: str) -> bool:
    """The value of a parameter whose default is true or false; `--set` brings it as a word.

    Raises:
        UsageError: it is neither.
    """
    if str(value).lower() not in ("true", "false"):
        raise UsageError(f"{name!r} of {source} is true or false, not {str(value)[:60]!r}")
    return str(value).lower() == "true"


def check_value(name: str, value: Value | None, source: str) -> Value:
    """A value that is set, on one line, and free of YAML's own signs."""
    if value is None or value == "":
        raise UsageError(f"{source} needs a value for {name!r}", todo=f"add --set {name}=VALUE")
    text = str(value)
    if not _SAFE.fullmatch(text) or ": " in text or text.endswith(":") or len(text) > 255:
        raise UsageError(
            f"the value {text[:60]!r} of {name!r} has signs that no name or size needs",
            todo="use letters, digits and . _ - / @",
        )
    return value
