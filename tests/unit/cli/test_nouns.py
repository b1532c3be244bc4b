"""The nouns are loaded one at a time, and every command says what it does and how it is used."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from chiops.cli import common
from chiops.cli.main import app
from chiops.cli.nouns import NOUNS

ROOT = typer.main.get_command(app)


def command_group(noun: str) -> typer.core.TyperGroup:
    group = typer.main.get_group(import_module(f"chiops.cli.{noun}").app)
    assert isinstance(group, typer.core.TyperGroup)
    return group


@pytest.mark.parametrize("noun", NOUNS)
def test_the_line_in_the_programs_help_is_the_nouns_own(noun: str) -> None:
    assert command_group(noun).help == NOUNS[noun]
    assert command_group(noun).name == noun


@pytest.mark.parametrize("noun", NOUNS)
def test_every_command_has_an_example_that_runs_it(noun: str) -> None:
    for name, command in command_group(noun).commands.items():
        assert command.help, name
        assert str(command.epilog).startswith(f"Example: chiops {noun} {name}"), name


@pytest.mark.parametrize("noun", NOUNS)
def test_every_option_and_argument_is_explained(noun: str) -> None:
    for name, command in command_group(noun).commands.items():
        for parameter in command.params:
            assert getattr(parameter, "help", "") or parameter.name == "help", f"{noun} {name} {parameter.name}"


@pytest.mark.parametrize("noun", [noun for noun in NOUNS if noun not in ("site", "data", "jupyter")])
def test_every_noun_can_be_listed(noun: str) -> None:
    assert "list" in command_group(noun).commands


def commands(group: Any, *words: str) -> Iterator[tuple[str, ...]]:
    """Every command below, in words, with a value for each parameter that must have one and for no other."""
    for name, command in ((name, group.get_command(None, name)) for name in group.list_commands(None)):
        if hasattr(command, "list_commands"):
            yield from commands(command, *words, name)
            continue
        required = [one for one in command.params if one.required]
        options = [word for one in required if one.param_type_name == "option" for word in (one.opts[0], "1")]
        yield (*words, name, *options, *("1" for one in required if one.param_type_name == "argument"))


@pytest.mark.parametrize("words", list(commands(ROOT)), ids=lambda words: " ".join(words))
def test_no_command_refuses_its_own_defaults(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    class Passed(Exception):
        pass

    def look(arguments: Mapping[str, object]) -> None:
        refuse(arguments)
        raise Passed

    def bare(body: Callable[[], None]) -> None:
        body()

    refuse = common._refuse_blanks
    monkeypatch.setattr(common, "_refuse_blanks", look)
    monkeypatch.setattr(common, "guarded", bare)
    done = CliRunner().invoke(app, list(words))
    assert isinstance(done.exception, Passed), done.output


def test_help_imports_no_noun() -> None:
    show_help = (
        "import sys; from chiops.cli.main import main; sys.argv = ['chiops', '--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print('loaded:', [name for name in sys.modules if name in {'chiops.cli.lease', 'chiops.cli.bench'}])"
    )
    done = subprocess.run([sys.executable, "-c", show_help], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"
    assert "  lease     Leases:" in done.stdout


@pytest.mark.parametrize(("typed", "meant"), [(["leese", "list"], "lease"), (["lease", "crate"], "create")])
def test_a_mistyped_command_gets_the_nearest(typed: list[str], meant: str) -> None:
    done = subprocess.run([sys.executable, "-m", "chiops", *typed], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"Did you mean '{meant}'?" in done.stderr
