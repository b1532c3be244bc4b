"""Whole runs: stages that are done are not done again, damage is mended, and a run killed at any point continues."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from chiops.etl import errors, manifest, pipeline, stages
from chiops.etl.config import STAGES, Config, Options, S3Config
from chiops.etl.datasets import synthesis
from chiops.etl.errors import EtlError
from chiops.etl.formats.webdataset import WebDataset
from chiops.etl.upload import Upload
from tests.support.weed import S3Server
from tests.unit.etl.events import Heard
from tests.unit.etl.trees import plant

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


def own(config: Config, source: Path, *stages: str, **options: Any) -> Config:
    """The preparation of a folder of one's own as tar shards."""
    chosen = Options(name="pets", source=f"folder:{source}", shard_bytes=2**20, **options)
    return dataclasses.replace(
        config, dataset="imagefolder", formats=("webdataset",), options=chosen, stages=stages or STAGES
    )


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return plant(tmp_path / "source", [f"train/{pet}/{number}.jpg" for pet in ("cats", "dogs") for number in range(9)])


def test_a_stage_of_another_source_of_the_same_name_is_not_taken_up(config: Config, pets: Path) -> None:
    config = dataclasses.replace(config, s3=None)
    pipeline.run(own(config, pets, "extract", "transform", origin="node:/srv/pets"), Heard())
    pipeline.run(own(config, pets, "load", origin="node:/srv/pets"), Heard())
    for stage in ("transform", "load"):
        with pytest.raises(EtlError, match="yet, or with other options"):
            pipeline.run(own(config, pets, stage, origin="node:/home/pets"), Heard())


def test_each_stage_runs_alone_after_the_one_before(
    config: Config, pets: Path, s3_server: S3Server, bucket: str
) -> None:
    s3 = S3Config(endpoint=s3_server.url, bucket=bucket, access=s3_server.access, secret=s3_server.secret)
    config = dataclasses.replace(config, s3=s3)
    with pytest.raises(EtlError, match=r"images of pets are not transformed yet") as caught:
        pipeline.run(own(config, pets, "load"), Heard())
    assert "--stage transform" in caught.value.todo
    with pytest.raises(EtlError, match=r"images of pets are not extracted yet"):
        pipeline.run(own(config, pets, "transform"), Heard())
    assert pipeline.run(own(config, pets, "extract"), Heard()) == {"dataset": {"name": "pets"}, "formats": {}}
    staged: Any = pipeline.run(own(config, pets, "transform"), Heard())
    assert (staged["formats"]["webdataset"]["objects"], staged["formats"]["webdataset"]["uploaded"]) == (2, 0)
    loaded: Any = pipeline.run(own(config, pets, "load"), Heard())
    assert (loaded["formats"]["webdataset"]["prefix"], loaded["formats"]["webdataset"]["uploaded"]) == (
        "pets-webdataset", 2
    )  # fmt: skip
    assert loaded["dataset"]["classes"] == ["cats", "dogs"]
    kept = manifest.load(s3_server.client(), bucket, "pets-webdataset")
    assert kept is not None
    assert kept["dataset"] == loaded["dataset"]
    heard = Heard()
    again: Any = pipeline.run(own(config, pets), heard)
    assert (again["formats"]["webdataset"]["uploaded"], again["formats"]["webdataset"]["skipped"]) == (0, 2)
    assert {event["task"] for event in heard.all("progress")} == {"Upload pets-webdataset"}
    with pytest.raises(EtlError, match="not made into webdataset yet, or with other options"):
        pipeline.run(
            dataclasses.replace(own(config, pets, "load"), options=dataclasses.replace(
                own(config, pets).options, shard_bytes=2**21)), Heard()
        )  # fmt: skip


def test_a_changed_source_makes_another_tree_and_removes_what_it_lost(
    config: Config, pets: Path, s3_server: S3Server, bucket: str
) -> None:
    s3 = S3Config(endpoint=s3_server.url, bucket=bucket, access=s3_server.access, secret=s3_server.secret)
    config = dataclasses.replace(config, s3=s3)
    tree = dataclasses.replace(own(config, pets), formats=("imagefolder",))
    pipeline.run(tree, Heard())
    (pets / "train/cats/0.jpg").unlink()
    plant(pets, ["val/birds/1.jpg"])
    result: Any = pipeline.run(tree, Heard())
    assert result["dataset"]["classes"] == ["birds", "cats", "dogs"]
    assert (result["formats"]["imagefolder"]["uploaded"], result["formats"]["imagefolder"]["removed"]) == (1, 1)


def test_a_damaged_image_stops_the_run_until_it_is_mended_or_left_out(config: Config, pets: Path) -> None:
    victim = pets / "train/dogs/3.jpg"
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-9])
    with pytest.raises(EtlError, match=r"training/dogs/3.jpg is damaged: it is truncated") as caught:
        pipeline.run(own(config, pets), Heard())
    assert caught.value.kind == "data"
    left: Any = pipeline.run(own(config, pets, skip_damaged=1), Heard())
    assert left["dataset"]["left_out"] == {"images": 1, "names": ["training/dogs/3.jpg"]}
    assert left["dataset"]["splits"]["training"]["images"] == 17
    with pytest.raises(EtlError, match="damaged"):  # not silently the next time either
        pipeline.run(own(config, pets), Heard())
    victim.write_bytes(whole)
    mended: Any = pipeline.run(own(config, pets), Heard())
    assert mended["dataset"]["splits"]["training"]["images"] == 18
    assert "left_out" not in mended["dataset"]


def test_a_killed_build_goes_on_behind_the_last_whole_split(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = dataclasses.replace(config, formats=("webdataset",))
    build = WebDataset.build
    built: list[str] = []

    def killed(self: WebDataset, tree: Path, images: Any, split: str, target: Path, advance: Any) -> None:
        if split == "evaluation" and not built[3:]:
            built.append("killed")
            raise KeyboardInterrupt
        built.append(split)
        build(self, tree, images, split, target, advance)

    monkeypatch.setattr(WebDataset, "build", killed)
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(config, Heard())
    built.append("again")
    pipeline.run(config, Heard())
    assert built == ["training", "validation", "killed", "again", "evaluation"]
    assert not list((tmp_path / "food11-synthetic").glob("*.part"))


def test_a_key_revoked_while_objects_go_up_ends_in_a_sentence_and_goes_on_with_another(
    config: Config, s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = S3Config(endpoint=s3_server.url, bucket=bucket, access=s3_server.access, secret=s3_server.secret)
    config = dataclasses.replace(config, s3=s3, options=dataclasses.replace(SMALL, threads=1))
    sent = 0
    put = Upload._put

    def revoked(self: Upload, name: str, file: manifest.File, body: Any) -> None:
        nonlocal sent
        sent += 1
        if sent == 20:  # the same client from now on signs with what the server does not know
            self._client._request_signer._credentials.secret_key = "revoked"
        put(self, name, file, body)

    with monkeypatch.context() as patch:
        patch.setattr(Upload, "_put", revoked)
        with pytest.raises(EtlError, match=r"refuses the S3 key for bucket .*") as caught:
            pipeline.run(config, Heard())
    assert caught.value.kind == "auth"
    result: Any = pipeline.run(config, Heard())
    assert (result["formats"]["imagefolder"]["uploaded"], result["formats"]["imagefolder"]["skipped"]) == (47, 19)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk, for which root is needed")
def test_a_disk_that_fills_up_keeps_what_is_done(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    monkeypatch.setattr(stages, "_SPARE_BYTES", -(2**40))  # as if the room had looked enough
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], check=True)
    try:
        full = dataclasses.replace(config, staging=disk)
        with pytest.raises(OSError, match="No space left") as caught:
            pipeline.run(full, Heard())
        told = errors.from_os_error(caught.value)
        assert (told.what, told.kind) == ("the staging disk is full", "capacity")
        kept = len(list(disk.rglob("*.jpg")))
        assert kept > 10
        subprocess.run(["mount", "-o", "remount,size=30m", str(disk)], check=True)
        heard = Heard()
        result: Any = pipeline.run(full, heard)
        assert result["formats"]["imagefolder"]["objects"] == 66
        assert heard.all("progress")[0]["done"] > kept - 16
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
