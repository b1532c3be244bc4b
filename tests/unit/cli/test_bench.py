"""The commands around results and the plan of a run: none of them needs a node."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from chiops.bench.files import save
from chiops.cli import data
from chiops.cli.bench import app
from chiops.cli.common import options
from chiops.errors import UsageError
from chiops.lab import session
from chiops.lab.lock import work_lock
from chiops.output import Format
from tests.unit.bench import runs


@pytest.fixture(autouse=True)
def fresh_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(options, "output", Format.TABLE)


def chiops(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(word) for word in arguments])
    assert done.exit_code == code, done.output
    return done.output


def test_a_plan_lists_the_arms_and_what_is_left_out() -> None:
    wish = ("--format", "object,litdata", "--client", "obstore,boto3", "--fetcher", "vanilla,asyncio", "--repeat", "2")
    plan = json.loads(chiops("run", "--plan", *wish, "--workers", "0,2", "--cache", "cold", "-o", "json"))
    assert plan["arms"] == 2 * 2 * (3 + 1)
    assert {row["repetitions"] for row in plan["rows"]} == {2}
    assert {(row["client"], row["fetcher"]) for row in plan["rows"] if row["format"] == "object"} == {
        ("obstore", "vanilla"), ("obstore", "asyncio"), ("boto3", "vanilla"),
    }  # fmt: skip
    assert plan["left_out"][0] == "object with boto3 and asyncio is left out: boto3 has no asyncio."
    assert "boto3 has no asyncio" in chiops("run", "--plan", *wish)


def test_all_means_every_format() -> None:
    plan = json.loads(chiops("run", "--plan", "--format", "all", "-o", "json"))
    assert len({row["format"] for row in plan["rows"]}) == 7
    assert {row["mount"] for row in plan["rows"] if row["format"] == "imagefolder-mount"} == {"rclone"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--workers", "two"), "'two' is not a number of workers"),
        (("--mount", "rclon"), "Did you mean 'rclone'"),
        (("--arm-timeout", "soon"), "'soon' is not a duration"),
    ],
)
def test_a_wish_that_cannot_be_is_one_sentence(arguments: tuple[str, ...], says: str) -> None:
    assert says in chiops("run", "--plan", *arguments, code=2)


def test_results_are_listed_shown_and_compared(tmp_path: Path) -> None:
    slower = runs.run({**runs.TYPICAL, ("litdata", "cold"): (98.0, 100.0, 102.0)}).model_copy(update={"lab": "other"})
    first, second = save(runs.run(runs.TYPICAL), tmp_path), save(slower, tmp_path)
    folder = ("--results", tmp_path)
    listed = json.loads(chiops("list", *folder, "-o", "json"))
    assert [one["arms"] for one in listed] == ["12/12", "12/12"]
    assert "litdata reaches" in chiops("show", first, "-o", "table")
    changes = json.loads(chiops("compare", first, second, "-o", "json"))["changes"]
    assert [one["verdict"] for one in changes if one["format"] == "litdata" and one["cache"] == "cold"] == ["slower"]
    lines = json.loads(chiops("layers", second, "-o", "json"))
    assert {line["format"] for line in lines} <= {"imagefolder-local", "litdata"}


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    assert "There is no result in" in chiops("list", "--results", tmp_path)


class Session:
    """An open lab whose node is reached only by whom it is meant for."""

    lab = SimpleNamespace(name="lab")

    def node(self, name: str | None) -> str:
        return name or "node"

    def bucket(self, name: str | None) -> None:
        raise UsageError(f"asked for bucket {name}")


@contextmanager
def opened(*_: object) -> Iterator[Session]:
    yield Session()


def test_the_bucket_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "opened", opened)
    assert "asked for bucket second" in chiops("run", "--bucket", "second", code=2)


@pytest.mark.parametrize(("group", "words"), [(app, ["run"]), (data.app, ["prepare"])])
def test_two_that_work_on_one_lab_keep_out_of_each_others_way(
    group: typer.Typer, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "opened", opened)
    with work_lock("lab", "bench run"):
        done = CliRunner().invoke(group, words)
    assert done.exit_code == 1
    assert "`chiops bench run` (process" in done.output
