"""Food-11 from an archive: names become class folders, faults become sentences, nothing is written outside."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from chiops.etl import stages
from chiops.etl.config import Options
from chiops.etl.datasets import food11, open_dataset, synthesis
from chiops.etl.datasets.food11 import Food11
from chiops.etl.errors import EtlError
from chiops.etl.tree import SPLITS
from tests.unit.etl.events import Heard
from tests.unit.etl.trees import samples
from tests.unit.etl.web import Served, serve

IMAGES = {f"{split}/{label}_{number}.jpg": synthesis.draw(0, split, label, number)
          for split in SPLITS for label in range(11) for number in (0, 12)}  # fmt: skip


def archive(entries: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name, data in entries.items():
            packed.writestr(name, data)
    return stream.getvalue()


def stage(dataset: Food11, work: Path) -> Path:
    tree = work / "tree"
    dataset.extract(work, Heard())
    dataset.transform(work, tree, Heard())
    return tree


@pytest.mark.parametrize("top", ["", "Food-11/"])
def test_images_are_sorted_into_class_folders(tmp_path: Path, top: str) -> None:
    entries = {f"{top}{name}": data for name, data in IMAGES.items()}
    entries |= {
        f"{top}training/.DS_Store": b"",
        "__MACOSX/training/._3_12.jpg": b"x",
        f"{top}training/11_0.jpg": b"no class",
    }
    with serve(Served(archive(entries))) as web:
        tree = stage(Food11(web.url), tmp_path)
    assert len(samples(tree)) == len(IMAGES) == sum(1 for item in tree.rglob("*") if item.is_file())
    assert (tree / "training/class_03/3_12.jpg").read_bytes() == IMAGES["training/3_12.jpg"]


def test_a_killed_unpacking_continues(tmp_path: Path) -> None:
    (tmp_path / "Food-11.zip").write_bytes(archive(IMAGES))
    kept = tmp_path / "tree/validation/class_10/10_0.jpg"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(IMAGES["validation/10_0.jpg"])
    torn = tmp_path / "tree/validation/class_10/10_12.jpg"
    torn.write_bytes(b"half")
    before = kept.stat().st_mtime_ns
    stage(Food11("http://127.0.0.1:1/never-asked"), tmp_path)
    assert kept.stat().st_mtime_ns == before
    assert torn.read_bytes() == IMAGES["validation/10_12.jpg"]


@pytest.mark.parametrize(
    "name", ["../../outside/training/1_1.jpg", "/training/1_1.jpg", "training\\..\\..\\1_1.jpg", "C:/training/1_1.jpg"]
)
def test_an_entry_that_points_outside_stops_everything(tmp_path: Path, name: str) -> None:
    work = tmp_path / "deep" / "work"
    work.mkdir(parents=True)
    (work / "Food-11.zip").write_bytes(archive(IMAGES | {name: b"evil"}))
    with pytest.raises(EtlError, match="points outside"):
        stage(Food11(), work)
    assert sorted(item.name for item in tmp_path.rglob("*") if item.is_file()) == ["Food-11.zip"]


def test_a_truncated_archive_is_refused_and_fetched_anew(tmp_path: Path) -> None:
    whole = archive(IMAGES)
    with serve(Served(whole[: len(whole) // 2])) as web:
        with pytest.raises(EtlError, match="no zip file") as caught:
            Food11(web.url).extract(tmp_path, Heard())
        assert "food11-synthetic" in caught.value.todo
        web.data, web.etag = whole, '"v2"'
        assert len(samples(stage(Food11(web.url), tmp_path))) == len(IMAGES)


def test_a_damaged_entry_is_noticed(tmp_path: Path) -> None:
    data = bytearray(archive(IMAGES))
    data[2000:2010] = b"\0" * 10
    (tmp_path / "Food-11.zip").write_bytes(data)
    with pytest.raises(EtlError, match=r"archive of Food-11 is damaged.*CRC"):
        stage(Food11(), tmp_path)


def test_the_checksum_is_kept_to_when_given(tmp_path: Path) -> None:
    data = archive(IMAGES)
    with serve(Served(data)) as web:
        with pytest.raises(EtlError, match="its SHA-256 is"):
            Food11(web.url, sha256="0" * 64).extract(tmp_path, Heard())
        assert not (tmp_path / "Food-11.zip").exists()
        Food11(web.url, sha256=hashlib.sha256(data).hexdigest()).extract(tmp_path, Heard())


def test_an_archive_without_images_is_no_dataset(tmp_path: Path) -> None:
    (tmp_path / "Food-11.zip").write_bytes(archive({"readme.txt": b"hello"}))
    with pytest.raises(EtlError, match="holds no images"):
        stage(Food11(), tmp_path)


def test_a_file_on_the_node_is_used_and_kept(tmp_path: Path) -> None:
    mine = tmp_path / "mine.zip"
    mine.write_bytes(archive(IMAGES))
    dataset = Food11(file=str(mine))
    assert len(samples(stage(dataset, tmp_path / "work"))) == len(IMAGES)
    dataset.clean(tmp_path / "work")
    assert mine.exists()
    before = dataset.look(tmp_path, Heard())
    mine.write_bytes(archive(IMAGES | {"training/0_99.jpg": IMAGES["training/0_0.jpg"]}))
    assert dataset.look(tmp_path, Heard()) != before
    with pytest.raises(EtlError, match=r"no file .*absent.zip on the node"):
        Food11(file=str(tmp_path / "absent.zip")).look(tmp_path, Heard())


def test_a_full_disk_is_foreseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Food-11.zip").write_bytes(archive(IMAGES))
    monkeypatch.setattr(stages.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 2**20})())
    with pytest.raises(EtlError, match=r"1.0 MiB left") as caught:
        stage(Food11(), tmp_path)
    assert caught.value.kind == "capacity"


def test_datasets_are_found_by_name() -> None:
    assert open_dataset("food11", Options()).parameters == {"url": food11.URL, "sha256": ""}
    with pytest.raises(EtlError, match="no dataset 'food12'"):
        open_dataset("food12", Options())
