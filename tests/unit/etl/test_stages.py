"""Finished stages are remembered for their parameters, and folders are swapped whole."""

from __future__ import annotations

from pathlib import Path

from chiops.etl.stages import Stages, replace_folder


def test_a_stage_is_finished_for_its_parameters_only(tmp_path: Path) -> None:
    stages = Stages(tmp_path / "stages")
    assert stages.finished("tree", {"seed": 1}) is None
    stages.finish("tree", {"seed": 1}, {"images": 3})
    assert Stages(tmp_path / "stages").finished("tree", {"seed": 1}) == {"images": 3}
    assert stages.finished("tree", {"seed": 2}) is None
    stages.forget("tree")
    stages.forget("tree")
    assert stages.finished("tree", {"seed": 1}) is None


def test_a_torn_record_counts_as_none(tmp_path: Path) -> None:
    stages = Stages(tmp_path)
    stages.finish("tree", {}, {})
    for content in (b"", b'{"parameters": {}', b"[]", b'{"parameters": {}}'):
        (tmp_path / "tree.json").write_bytes(content)
        assert stages.finished("tree", {}) is None


def test_a_folder_is_replaced_whole_also_after_a_kill_in_between(tmp_path: Path) -> None:
    place = tmp_path / "Food-11"
    for number in range(2):
        fresh = tmp_path / "fresh"
        fresh.mkdir()
        (fresh / str(number)).touch()
        if number:  # killed between moving the old away and the new in
            place.rename(tmp_path / ".old-Food-11")
        replace_folder(fresh, place)
        assert [item.name for item in place.iterdir()] == [str(number)]
    assert [item.name for item in tmp_path.iterdir()] == ["Food-11"]
