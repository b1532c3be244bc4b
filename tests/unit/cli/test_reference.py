"""The page of commands says what the commands say."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from chiops.cli.main import app

ROOT = Path(__file__).resolve().parents[3]
PAGES = ROOT / "docs" / "reference"


def test_the_page_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "reference.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def commands(text: str) -> list[list[str]]:
    """Every command that the page tells people to type, as words; a bare `chiops NOUN VERB` stands for its options too."""
    return [shlex.split(found) for found in re.findall(r"`(chiops [^`]+)`", text)]


TYPED = commands((PAGES / "labs-to-commands.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("words", TYPED, ids=lambda words: " ".join(words)[:60])
def test_every_command_of_the_labs_table_exists_with_its_options(words: list[str]) -> None:
    command = typer.main.get_command(app)
    context = command.make_context("chiops", [], resilient_parsing=True)
    rest = words[1:]
    while hasattr(command, "get_command"):
        assert rest, f"{words} names no command"
        command = command.get_command(context, rest.pop(0))
        assert command, f"there is no such command: {' '.join(words)}"
        context = command.make_context(command.name, [], parent=context, resilient_parsing=True)
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    given = [word for word in rest[: rest.index("--") if "--" in rest else None] if word.startswith("-")]
    assert set(given) <= options, f"{' '.join(words)}: no such option"
