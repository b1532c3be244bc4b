"""What is kept of built images, and that it is whole."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from chiops.cloud.base import Node
from chiops.remote import image_store
from chiops.remote.image_store import archive, keep
from tests.unit.remote.conftest import program

TAG = "chiops-bench:abc"


@pytest.fixture
def settings(tmp_path: Path, ssh_log: Path) -> dict[str, object]:
    return {"image_store": "/opt/images", "image_store_here": str(tmp_path / "store" / "images")}


@pytest.fixture
def folder(settings: dict[str, object]) -> Path:
    return Path(str(settings["image_store_here"]))


def docker(bin_dir: Path, save: str) -> None:
    program(bin_dir / "docker", f'#!/bin/sh\ncase "$1" in image) echo 1000 ;; save) {save} ;; esac\n')


def test_an_image_is_kept_as_docker_saves_it(
    node: Node, bin_dir: Path, settings: dict[str, object], folder: Path
) -> None:
    docker(bin_dir, r"printf '\0\377%s' $2")
    keep(node, [TAG, "chiops-jupyter:1"], settings)
    assert archive(folder, TAG).read_bytes() == b"\0\xff" + TAG.encode()
    assert archive(folder, TAG).name == "chiops-bench-abc.tar"
    docker(bin_dir, "echo never asked again; exit 1")
    keep(node, [TAG], settings)
    assert sorted(path.name for path in folder.glob("*.tar")) == ["chiops-bench-abc.tar", "chiops-jupyter-1.tar"]


@pytest.mark.parametrize("save", ["echo half; exit 1", "echo half; kill -9 $$"])
def test_half_an_image_is_none(
    node: Node, bin_dir: Path, settings: dict[str, object], folder: Path, save: str, caplog: pytest.LogCaptureFixture
) -> None:
    docker(bin_dir, save)
    keep(node, [TAG], settings)
    assert not archive(folder, TAG).exists()
    assert f"the image {TAG} of node-1 is not kept: `docker` on node-1 failed" in caplog.text
    assert list(folder.glob("*.part")) == []
    (folder / "killed.part").touch()
    docker(bin_dir, "echo whole")
    keep(node, [TAG], settings)
    assert (archive(folder, TAG).read_text(), list(folder.glob("*.part"))) == ("whole\n", [])


def test_a_full_disk_here_is_left_as_it_is(
    node: Node, bin_dir: Path, settings: dict[str, object], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker(bin_dir, "echo whole")
    monkeypatch.setattr(image_store, "SPARE", 1 << 60)
    keep(node, [TAG], settings)
    assert list(folder.glob("chiops*")) == []


def test_old_versions_go_and_other_images_stay(
    node: Node, bin_dir: Path, settings: dict[str, object], folder: Path
) -> None:
    docker(bin_dir, "echo $2")
    tags = [f"chiops-bench:{number}" for number in range(4)]
    for age, tag in enumerate(["chiops-jupyter:1", *tags[:-1]]):
        keep(node, [tag], settings)
        os.utime(archive(folder, tag), (1000 + age, 1000 + age))
    keep(node, tags[-1:], settings)
    assert {path.name for path in folder.glob("*.tar")} == {
        "chiops-jupyter-1.tar",
        *(archive(folder, tag).name for tag in tags[-image_store.KEPT :]),
    }


def test_one_saves_at_a_time_and_nobody_waits(
    node: Node, bin_dir: Path, settings: dict[str, object], folder: Path
) -> None:
    docker(bin_dir, f"flock --nonblock {folder}/lock true && echo free || echo held")
    folder.mkdir(parents=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        keep(node, [TAG], settings)
        assert not archive(folder, TAG).exists()
    keep(node, [TAG], settings)
    assert archive(folder, TAG).read_text() == "held\n"


@pytest.mark.parametrize("missing", ["image_store", "image_store_here"])
def test_a_site_without_a_store_keeps_none(node: Node, settings: dict[str, object], folder: Path, missing: str) -> None:
    keep(node, [TAG], settings | {missing: ""})
    assert not folder.exists()
