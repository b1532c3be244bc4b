"""What counts as a dataset's tree, and what is refused with a reason."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from chiops.etl import tree
from chiops.etl.errors import EtlError
from chiops.loaders import samples as loaders
from tests.unit.etl.events import Heard


@pytest.fixture
def copy(small_tree: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_tree, tmp_path / "Food-11"))


def test_the_hash_is_the_one_that_the_loaders_report(copy: Path, heard: Heard) -> None:
    report = tree.inspect(copy, heard)
    for split in tree.SPLITS:
        mine = [sample for sample in tree.samples(copy) if sample.split == split]
        digests = [loaders.digest((copy / sample.path).read_bytes(), sample.label) for sample in reversed(mine)]
        assert report[split]["sha256"] == loaders.as_text(loaders.combine(digests))
        assert report[split]["images"] == len(mine)
        assert report[split]["bytes"] == sum((copy / sample.path).stat().st_size for sample in mine)


def test_truncated_images_are_all_named(copy: Path, heard: Heard) -> None:
    for name in ("training/class_03/3_1.jpg", "validation/class_10/10_0.jpg"):
        data = (copy / name).read_bytes()
        (copy / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(tree.DamagedImages, match=r"class_03/3_1.jpg and 1 more are damaged.*truncated") as caught:
        tree.inspect(copy, heard)
    assert caught.value.paths == ("training/class_03/3_1.jpg", "validation/class_10/10_0.jpg")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda root: shutil.rmtree(root / "evaluation"), "no folder evaluation"),
        (lambda root: [shutil.rmtree(one) for one in (root / "training").iterdir()], "training has no class folders"),
        (lambda root: [one.unlink() for one in (root / "training/class_05").iterdir()], "training/class_05 is empty"),
        (lambda root: (root / "training/class_11").mkdir(), "training/class_11 is not the folder of a class"),
        (lambda root: (root / "training/bread").mkdir(), "training/bread is not the folder of a class"),
    ],
)
def test_what_is_no_tree_is_refused(copy: Path, change: object, why: str) -> None:
    assert callable(change)
    change(copy)
    with pytest.raises(EtlError, match=why):
        tree.samples(copy)


def test_a_jpeg_with_something_behind_it_is_whole(small_tree: Path) -> None:
    data = (small_tree / "training/class_00/0_0.jpg").read_bytes()
    assert tree.jpeg_fault(data) == ""
    assert tree.jpeg_fault(data + b"\0\0") == ""
    assert tree.jpeg_fault(data + b"a camera's own notes") == ""
    assert "truncated" in tree.jpeg_fault(data[:-500])
    assert tree.jpeg_fault(b"") == "it is empty"
    assert tree.jpeg_fault(b"<html>not found</html>") == "it is no JPEG"
