"""How a command ends: one sentence, the right exit code, the traceback in the log and nowhere else."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from chiops.cli import common
from chiops.errors import Auth, UsageError
from chiops.output import Format


@pytest.fixture(autouse=True)
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(common, "options", common.Options())
    return


def run(body: Callable[[], None], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a program with one command that does ``body``."""
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.callback()
    def root() -> None: ...

    def go() -> None:
        body()

    common.command(app, "go")(go)
    done = CliRunner().invoke(app, ["go", *arguments])
    return done.exit_code, done.stdout, done.stderr


def raising(error: BaseException) -> Callable[[], None]:
    def body() -> None:
        raise error

    return body


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (UsageError("bad", todo="do it rightly"), 2, "Error: bad. Do it rightly.\n"),
        (Auth("refused", why="the key is revoked"), 1, "Error: refused: the key is revoked.\n"),
        (OSError(errno.ENOSPC, "No space", "/x"), 1, "Error: the disk is full: /x. Make room, then run it again.\n"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 1, "Error: Permission denied /x.\n"),
    ],
)
def test_a_failure_is_one_sentence(error: Exception, code: int, told: str) -> None:
    assert run(raising(error)) == (code, "", told)


def test_a_mistake_of_ours_is_told_without_a_traceback_and_logged_with_one(tmp_path: Path) -> None:
    code, _, err = run(raising(ZeroDivisionError("oops")))
    assert code == common.UNEXPECTED
    assert len(err.splitlines()) == 1
    log = tmp_path / "chiops" / "chiops.log"
    assert str(log) in err
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


def test_an_interrupt_says_how_to_go_on() -> None:
    code, _, err = run(raising(KeyboardInterrupt()))
    assert code == common.INTERRUPTED
    assert "run the same command again" in err


def test_global_options_may_stand_behind_the_command() -> None:
    seen: list[common.Options] = []
    code, _, err = run(lambda: seen.append(common.options), "--site", "local", "-o", "json", "--yes")
    assert (code, err) == (0, "")
    assert (seen[0].site, seen[0].output, seen[0].yes) == ("local", Format.JSON, True)


def test_no_answer_is_possible_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    code, _, err = run(lambda: common.confirm("Delete these 3?"))
    assert code == 3
    assert "Add --yes" in err
    assert run(lambda: common.confirm("Delete these 3?"), "--yes")[0] == 0


@pytest.mark.parametrize("name", ["", " ", "\t"])
def test_an_empty_argument_names_nothing(name: str) -> None:
    """``"$UNSET"`` in a script, which would name whatever has no name."""
    took: list[tuple[str, list[str]]] = []
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.callback()
    def root() -> None: ...

    def take(name: Annotated[str, typer.Argument()], words: Annotated[list[str], typer.Argument()]) -> None:
        took.append((name, words))

    common.command(app, "take")(take)
    done = CliRunner().invoke(app, ["take", name, "x"])
    assert (done.exit_code, took) == (2, [])
    assert done.stderr.startswith("Error: NAME is empty. Give it a value")
    assert CliRunner().invoke(app, ["take", "it", ""]).exit_code == 0
    assert took == [("it", [""])], "but a command for a node may have empty words"


def test_an_argument_that_was_not_given_is_not_empty() -> None:
    took: list[str] = []
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.callback()
    def root() -> None: ...

    def take(name: Annotated[str, typer.Argument()] = "") -> None:
        took.append(name)

    common.command(app, "take")(take)
    assert CliRunner().invoke(app, ["take"]).exit_code == 0
    assert took == [""]
