#!/usr/bin/env python3
"""Write docs/reference/commands.md from the commands' own help.

usage: scripts/reference.py [--check]      --check changes nothing and fails if the page is out of date
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from chiops.cli.main import app

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "commands.md"
GLOBAL = ("site", "output", "yes", "verbose")
"""Options that every command takes; they are described once."""
_HEAD = """# Commands

Made from the commands' own help by `scripts/reference.py`; do not edit. What each step of the labs becomes is in
[labs-to-commands.md](labs-to-commands.md).

"""


def page() -> str:
    """The whole page."""
    root = typer.main.get_command(app)
    context = _context(root, "chiops", None)
    parts = [_HEAD, "## Every command takes\n\n", *_parameters(root, only=GLOBAL)]
    for name, command in _commands(root, context):
        parts.append(f"## chiops {name}\n\n{_text(command)}\n\n")
        inner = list(_commands(command, _context(command, name, context)))
        parts += _parameters(command) if not inner else []
        for inner_name, inner_command in inner:
            parts.append(f"### chiops {name} {inner_name}\n\n{_text(inner_command)}\n\n")
            parts += _parameters(inner_command)
            parts += _example(inner_command)
        parts += _example(command)
    return "".join(parts).rstrip("\n") + "\n"


def _context(command: Any, name: str, parent: Any) -> Any:
    return command.make_context(name, [], parent=parent, resilient_parsing=True)


def _commands(group: Any, context: Any) -> Iterator[tuple[str, Any]]:
    for name in getattr(group, "list_commands", lambda _: [])(context):
        yield name, group.get_command(context, name)


def _text(command: Any) -> str:
    return " ".join(str(command.help or "").split())


def _example(command: Any) -> list[str]:
    return [f"```sh\n{command.epilog.removeprefix('Example: ')}\n```\n\n"] if command.epilog else []


def _parameters(command: Any, only: tuple[str, ...] = ()) -> list[str]:
    shown = [
        parameter
        for parameter in command.params
        if (parameter.name.rstrip("_") in only if only else parameter.name not in (*GLOBAL, "help"))
    ]
    rows = [f"- {_words(parameter)}: {_help(parameter)}\n" for parameter in shown]
    return [*rows, "\n"] if rows else []


def _words(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{(parameter.metavar or parameter.name).strip('[]').upper()}`" + (
            "" if parameter.required else " (optional)"
        )
    return ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))


def _help(parameter: Any) -> str:
    text = " ".join(str(parameter.help or "").split())
    default = parameter.opts[0] if parameter.default is True else parameter.default
    if parameter.show_default and default not in (None, "", False, [], ()) and not callable(default):
        text = f"{text.rstrip('.')}; {getattr(default, 'value', default)} by default."
    return text


def main() -> int:
    """Write the page, or with ``--check`` only compare it."""
    parser = argparse.ArgumentParser(description="Write docs/reference/commands.md from the commands' own help.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if the page is out of date")
    if parser.parse_args().check:
        if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page():
            return 0
        print(f"{PAGE.name} is out of date: run scripts/reference.py", file=sys.stderr)  # noqa: T201
        return 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
