"""Whole runs: stages that are done are not done again, damage is mended, and a run killed at any point continues."""

from __future__ import annotations

import dataclasses
import errno
import json
from pathlib import Path
from typing import Any

import pytest

from chiops.etl import errors, pipeline, stages
from chiops.etl.config import Config, Options, S3Config
from chiops.etl.datasets import synthesis
from chiops.etl.errors import EtlError
from tests.support.weed import S3Server
from tests.unit.etl.events import Heard

SMALL = Options(images=66, seed=3, workers=1)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(dataset="food11-synthetic", formats=("imagefolder",), staging=tmp_path, options=SMALL)


def made(heard: Heard) -> int:
    """Images that a run had to make."""
    return sum(1 for event in heard.all("progress") if event["task"] == "Make images")


def test_a_second_run_makes_nothing(config: Config, tmp_path: Path) -> None:
    first = pipeline.run(config, Heard())
    heard = Heard()
    assert pipeline.run(config, heard) == first
    assert made(heard) == 0
    assert sorted(item.name for item in (tmp_path / "food11-synthetic").iterdir()) == [
        ".stages", "Food-11", "Food-11.json"
    ]  # fmt: skip
    assert json.loads((tmp_path / "food11-synthetic/Food-11.json").read_bytes()) == first["dataset"]
    dataset: Any = first["dataset"]
    assert [dataset["splits"][split]["images"] for split in ("training", "validation", "evaluation")] == [39, 14, 13]


def test_other_parameters_make_another_tree(config: Config, tmp_path: Path) -> None:
    tree = tmp_path / "food11-synthetic" / "Food-11"
    pipeline.run(config, Heard())
    pipeline.run(dataclasses.replace(config, options=dataclasses.replace(SMALL, images=77)), Heard())
    assert sum(1 for _ in tree.rglob("*.jpg")) == 77


@pytest.mark.parametrize("damage", ["gone", "short"])
def test_a_damaged_tree_is_made_again(config: Config, tmp_path: Path, damage: str) -> None:
    first = pipeline.run(config, Heard())
    victim = tmp_path / "food11-synthetic/Food-11/evaluation/class_02/2_0.jpg"
    whole = victim.read_bytes()
    if damage == "gone":
        victim.unlink()
    else:
        victim.write_bytes(whole[:1000])
    assert pipeline.run(config, Heard()) == first
    assert victim.read_bytes() == whole


def test_a_run_killed_while_making_images_continues(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "replace_folder", killed)
        with pytest.raises(KeyboardInterrupt):
            pipeline.run(config, Heard())
    partial = tmp_path / "food11-synthetic/.Food-11.part"
    (partial / "training/class_00/0_0.jpg").write_bytes(b"")  # as a crash of the machine may leave it
    heard = Heard()
    assert pipeline.run(config, heard) == pipeline.run(config, Heard())
    assert made(heard) == 1
    assert not partial.exists()


def test_what_was_begun_with_other_parameters_is_not_mixed_in(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "replace_folder", killed)
        with pytest.raises(KeyboardInterrupt):
            pipeline.run(config, Heard())
    other = dataclasses.replace(config, options=dataclasses.replace(SMALL, seed=4))
    pipeline.run(other, Heard())
    tree = config.staging / "food11-synthetic/Food-11"
    assert (tree / "training/class_00/0_0.jpg").read_bytes() == synthesis.draw(4, "training", 0, 0)


def test_images_go_to_the_bucket(config: Config, s3_server: S3Server, bucket: str) -> None:
    s3 = S3Config(endpoint=s3_server.url, bucket=bucket, access=s3_server.access, secret=s3_server.secret)
    result: Any = pipeline.run(dataclasses.replace(config, s3=s3), Heard())
    loaded = result["formats"]["imagefolder"]
    assert (loaded["prefix"], loaded["objects"], loaded["uploaded"], loaded["skipped"]) == ("Food-11", 66, 66, 0)
    again: Any = pipeline.run(dataclasses.replace(config, s3=s3), Heard())
    assert again["formats"]["imagefolder"] == loaded | {"uploaded": 0, "skipped": 66}


def test_mistakes_are_found_before_any_work(config: Config, tmp_path: Path) -> None:
    for change in ({"dataset": "food12"}, {"formats": ("tfrecord",)}, {"options": Options(images=5)}):
        with pytest.raises(EtlError) as caught:
            pipeline.run(dataclasses.replace(config, **change), Heard())
        assert caught.value.kind == "usage"
    chunks = dataclasses.replace(config, formats=("litdata",), options=Options(shard_bytes=1000))
    with pytest.raises(EtlError, match="shards of 1000 bytes"):
        pipeline.run(chunks, Heard())
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_foreseen(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 2**26 + 66 * 50_000})())
    with pytest.raises(EtlError, match=r"need 3\.5 MiB on the node's disk, and it has 67\.1 MiB left") as caught:
        pipeline.run(config, Heard())
    assert caught.value.kind == "capacity"


def test_a_disk_that_fills_up_all_the_same_is_said_so(config: Config) -> None:
    error = errors.from_os_error(OSError(errno.ENOSPC, "No space left on device", "/data/x.jpg"))
    assert (error.what, error.kind) == ("the staging disk is full", "capacity")
    assert error.why == "No space left on device /data/x.jpg"
