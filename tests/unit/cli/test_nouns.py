"""The nouns are loaded one at a time, and every command says what it does and how it is used."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest
import typer

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
