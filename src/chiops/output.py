"""Results on stdout, as a table, JSON or YAML; everything else goes to stderr."""

from __future__ import annotations

import dataclasses
import enum
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path


class Format(enum.StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def plain(value: object) -> object:
    """A value as JSON has it: dataclasses as mappings, times in ISO 8601, durations in seconds."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value) if field.repr}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [plain(item) for item in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Path):
        return str(value)
    return value


def emit(
    result: object, format_: Format, *, table: Sequence[Mapping[str, object]] | None = None, text: str = ""
) -> None:
    """Print a result.

    Args:
        result: what JSON and YAML show, whole.
        format_: the format asked for.
        table: rows for people, under the keys of the first; None where ``text`` says it all.
        text: lines for people, below the table.
    """
    if format_ is Format.JSON:
        print(json.dumps(plain(result), indent=2, ensure_ascii=False))  # noqa: T201
        return
    if format_ is Format.YAML:
        import yaml

        print(yaml.safe_dump(plain(result), sort_keys=False, allow_unicode=True), end="")  # noqa: T201
        return
    if table:
        print_table(table)
    if text:
        print(text)  # noqa: T201


def print_table(rows: Sequence[Mapping[str, object]]) -> None:
    """Rows under the keys of the first, columns aligned; as wide as it needs when not on a terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, header_style="bold")
    for key in rows[0]:
        numeric = all(isinstance(row.get(key), int | float) for row in rows)
        grid.add_column(key.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(Text("-" if row.get(key) in (None, "") else str(row[key])) for key in rows[0]))
    Console(width=None if sys.stdout.isatty() else 240, soft_wrap=not sys.stdout.isatty()).print(grid)


def message(text: str, *, style: str = "") -> None:
    """One line for the person, on stderr; coloured only on a terminal."""
    if style and sys.stderr.isatty():
        codes = {"error": "31", "warning": "33", "good": "32", "dim": "2"}
        text = f"\x1b[{codes[style]}m{text}\x1b[0m"
    print(text, file=sys.stderr, flush=True)  # noqa: T201
