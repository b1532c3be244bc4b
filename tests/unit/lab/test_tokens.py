"""Jupyter's tokens: made once, for the owner alone, dropped with the lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiops import paths
from chiops.lab import tokens


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_it_is_made_once_and_nobody_else_can_read_it() -> None:
    assert tokens.existing("lab") == ""
    made = tokens.token("lab")
    assert len(made) == 48
    assert tokens.token("lab") == tokens.existing("lab") == made
    (file,) = (paths.state_dir() / "jupyter").iterdir()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_each_lab_has_its_own() -> None:
    assert len({tokens.token(name) for name in ("lab", "lab.new", "lab.token", "lab2")}) == 4


def test_another_takes_its_place() -> None:
    first = tokens.token("lab")
    assert tokens.rotate("lab") == tokens.token("lab") != first


def test_a_draft_of_a_killed_run_is_in_nobodys_way() -> None:
    tokens.token("lab")
    draft = paths.state_dir() / "jupyter" / "lab.new"
    draft.write_text("half")
    draft.chmod(0o644)
    assert tokens.rotate("lab") != "half"
    assert [file.name for file in draft.parent.iterdir()] == ["lab.token"]


def test_it_goes_with_the_lab() -> None:
    tokens.token("lab")
    tokens.forget("lab")
    tokens.forget("lab")
    assert tokens.existing("lab") == ""
