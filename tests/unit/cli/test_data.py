"""What ``data verify`` prints and ``data index`` takes; nothing is asked of a bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from chiops.cli.common import options
from chiops.cli.data import app
from chiops.data import index, verify
from chiops.data.verify import Difference, Verified
from chiops.lab import session
from chiops.output import Format

NAMES = tuple(f"training/class_00/0_{number:02}.jpg" for number in range(30))


@contextmanager
def opened(*_: object) -> Iterator[Any]:
    yield SimpleNamespace(bucket=lambda _: SimpleNamespace(bucket="lab-bucket"))


def verified(_s3: object, wanted: list[tuple[str, str]], *, names: int | None) -> list[Verified]:
    missing = Difference(count=len(NAMES), names=NAMES[:names])
    facts: dict[str, Any] = {"dataset": "food11", "objects": 30, "bytes": 900}
    return [
        Verified(format="imagefolder", prefix="Food-11", missing=missing, **facts),
        Verified(format="litdata", prefix="Food-11-litdata", **facts),
    ]


@pytest.fixture(autouse=True)
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(options, "output", Format.TABLE)
    monkeypatch.setattr(session, "opened", opened)
    monkeypatch.setattr(verify, "chosen", lambda *_: [])
    monkeypatch.setattr(verify, "verify_all", verified)


def test_every_format_is_shown_then_the_first_names_then_the_failure() -> None:
    done = CliRunner().invoke(app, ["verify"])
    assert done.exit_code == 1
    shown = done.output
    assert "30 missing" in shown
    assert "whole" in shown
    assert [line for line in shown.splitlines() if line.startswith("missing: ")] == [
        *(f"missing: Food-11/{name}" for name in NAMES[:10]), "missing: 20 more below Food-11/; -o json names all"
    ]  # fmt: skip
    assert "chiops data prepare --format imagefolder`" in shown


def test_json_names_all_of_them() -> None:
    done = CliRunner().invoke(app, ["verify", "-o", "json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout)[0]["missing"]["names"] == list(NAMES)


def test_an_index_is_of_the_whole_bucket_unless_told_and_an_empty_variable_tells_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prefixes: list[str] = []

    def indexed(_: object, prefix: str, target: Path) -> index.Indexed:
        prefixes.append(prefix)
        return index.Indexed(file=str(target), bucket="lab-bucket", prefix=prefix, keys=1, bytes=2)

    monkeypatch.setattr(index, "index", indexed)
    codes = [CliRunner().invoke(app, ["index", *words]).exit_code for words in ([], ["val"], [""])]
    assert (codes, prefixes) == ([0, 0, 2], ["", "val"])
