from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from chiops.bench.files import latest, load, save
from chiops.errors import DataError, NotFound
from tests.unit.bench import runs


def test_what_is_saved_is_loaded_again_to_the_last_raw_value(tmp_path: Path) -> None:
    run = runs.run(runs.TYPICAL, extra=[runs.failed("litdata", "it broke")])
    assert load(save(run, tmp_path)) == run


def test_the_file_is_named_after_time_and_lab(tmp_path: Path) -> None:
    run = runs.run(runs.TYPICAL).model_copy(update={"lab": "my lab/2"})
    assert save(run, tmp_path).name == "bench-20261120T201500Z-my-lab-2.json"


def test_saving_again_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    save(runs.run(state="running"), tmp_path)
    save(runs.run(runs.TYPICAL), tmp_path)
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_newer_minor_version_is_read_and_what_it_adds_ignored(tmp_path: Path) -> None:
    path = save(runs.run(runs.TYPICAL), tmp_path)
    change(path, schema_version="1.7", accelerator="h100")
    assert len(load(path).measured) == 12


@pytest.mark.parametrize("version", ["2.0", "0.9", "", None])
def test_another_major_version_is_refused_in_one_sentence(tmp_path: Path, version: str | None) -> None:
    path = save(runs.run(runs.TYPICAL), tmp_path)
    change(path, schema_version=version)
    with pytest.raises(DataError, match=r"schema version .* this chiops reads 1\.1"):
        load(path)


def test_a_damaged_file_names_the_place(tmp_path: Path) -> None:
    path = save(runs.run(runs.TYPICAL), tmp_path)
    change(path, planned_arms="many")
    with pytest.raises(DataError, match="planned_arms"):
        load(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00", '"x"'])
def test_what_is_no_result_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bench-x.json"
    path.write_text(text)
    with pytest.raises(DataError):
        load(path)


def test_the_latest_is_the_newest_by_name(tmp_path: Path) -> None:
    old = runs.run(runs.TYPICAL)
    new = old.model_copy(update={"started": old.started + timedelta(seconds=1)})
    newest = save(new, tmp_path)
    save(old, tmp_path)
    (tmp_path / "report.md").write_text("")
    assert latest(tmp_path) == newest


def test_no_result_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="chiops bench run"):
        latest(tmp_path)
    with pytest.raises(NotFound, match="chiops bench run"):
        load(tmp_path / "bench-none.json")
