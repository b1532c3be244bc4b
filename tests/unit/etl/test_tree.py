"""What counts as a dataset's tree, what is refused with a reason, and what its inventory knows."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from chiops.etl import jpeg, tree
from chiops.etl.errors import EtlError
from chiops.etl.inventory import Inventory, storage_rank
from chiops.loaders import samples as loaders
from tests.unit.etl.events import Heard
from tests.unit.etl.trees import jpeg as small
from tests.unit.etl.trees import plant, samples, take_stock


@pytest.fixture
def copy(small_tree: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_tree, tmp_path / "Food-11"))


def test_the_hash_is_the_one_that_the_loaders_report(copy: Path, tmp_path: Path) -> None:
    report = take_stock(copy, tmp_path / "tree.sqlite")
    for split in tree.SPLITS:
        mine = [sample for sample in samples(copy) if sample.split == split]
        digests = [loaders.digest((copy / sample.path).read_bytes(), sample.label) for sample in reversed(mine)]
        assert report["splits"][split] == {
            "images": len(mine),
            "bytes": sum((copy / sample.path).stat().st_size for sample in mine),
            "classes": 11,
            "sha256": loaders.as_text(loaders.combine(digests)),
        }
    assert report["classes"] == [f"class_{label:02d}" for label in range(11)]


@given(st.binary(max_size=100), st.integers(0, 100_000))
def test_a_digest_is_the_loaders_digest_for_labels_of_any_size(data: bytes, label: int) -> None:
    assert jpeg.sample_digest(data, label) == loaders.digest(data, label)


def test_labels_go_by_the_sorted_classes_of_all_splits(tmp_path: Path) -> None:
    root = plant(tmp_path / "Pets", ["training/dogs/1.jpg", "training/Cats/1.jpg", "evaluation/birds/deep/er/1.JPEG"])
    report = take_stock(root, tmp_path / "tree.sqlite")
    assert report["classes"] == ["Cats", "birds", "dogs"]
    assert {name: split["classes"] for name, split in report["splits"].items()} == {"training": 2, "evaluation": 1}
    assert [(one.path, one.label) for one in samples(root)] == [
        ("evaluation/birds/deep/er/1.JPEG", 1), ("training/Cats/1.jpg", 0), ("training/dogs/1.jpg", 2)
    ]  # fmt: skip


def test_the_inventory_is_read_in_the_order_that_the_loaders_read(copy: Path, tmp_path: Path) -> None:
    take_stock(copy, tmp_path / "tree.sqlite")
    with Inventory(tmp_path / "tree.sqlite") as images:
        assert images.splits() == list(tree.SPLITS)
        assert images.count() == 66 == sum(images.count(split) for split in tree.SPLITS)
        order = [sample.key for sample in images.in_order("training")]
        assert order == loaders.canonical_order(order[::-1])
        labels = [key[6:8] for key in order]
        assert labels != sorted(labels)
        middle = storage_rank(order[10])
        assert [one.key for one in images.in_order("training", up_to=middle)] == order[:11]
        assert [one.key for one in images.in_order("training", after=middle)] == order[11:]
        assert list(images.paths()) == sorted(path.relative_to(copy).as_posix() for path in copy.rglob("*.jpg"))


def test_truncated_images_are_all_named(copy: Path, tmp_path: Path) -> None:
    names = ("training/class_03/3_1.jpg", "validation/class_10/10_0.jpg")
    for name in names:
        data = (copy / name).read_bytes()
        (copy / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(tree.DamagedImages, match=r"class_03/3_1.jpg and 1 more are damaged.*truncated") as caught:
        take_stock(copy, tmp_path / "tree.sqlite")
    assert "--skip-damaged" in caught.value.todo
    with Inventory(tmp_path / "tree.sqlite") as images:
        assert tuple(path for path, _ in images.faults()) == names


def test_damaged_images_are_left_out_if_that_is_asked_for(copy: Path, tmp_path: Path) -> None:
    (copy / "training/class_03/3_1.jpg").write_bytes(b"")
    with Inventory.create(tmp_path / "tree.sqlite") as images:
        report = tree.inspect(copy, images, Heard(), leave_out=True)
    assert report["left_out"] == {"images": 1, "names": ["training/class_03/3_1.jpg"]}
    assert report["splits"]["training"]["images"] == 38
    assert "left_out" not in take_stock(copy, tmp_path / "tree.sqlite")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda root: [shutil.rmtree(root / split) for split in tree.SPLITS], "no folder training, validation or"),
        (lambda root: [shutil.rmtree(one) for one in (root / "training").iterdir()], "training has no class folders"),
        (lambda root: [one.unlink() for one in (root / "training/class_05").iterdir()], "training/class_05 has no im"),
        (lambda root: (root / "training/notes.txt").touch(), "training/notes.txt is no image of a class"),
        (lambda root: (root / "training/class_05/cat.png").touch(), "training/class_05/cat.png is no image of a"),
    ],
)
def test_what_is_no_tree_is_refused(copy: Path, change: object, why: str) -> None:
    assert callable(change)
    change(copy)
    with pytest.raises(EtlError, match=why):
        samples(copy)


def test_what_a_killed_run_left_half_written_goes(tmp_path: Path) -> None:
    root = plant(tmp_path / "Pets", ["training/cats/1.jpg", "training/cats/.17-7f0.part"])
    assert len(samples(root)) == 1
    assert [path.name for path in (root / "training/cats").iterdir()] == ["1.jpg"]


def test_a_tree_is_intact_as_long_as_names_and_sizes_are(copy: Path, tmp_path: Path) -> None:
    file = tmp_path / "tree.sqlite"
    assert not tree.intact(copy, file)
    take_stock(copy, file)
    assert tree.intact(copy, file)
    (copy / "training/class_00/0_0.jpg").write_bytes(b"short")
    assert not tree.intact(copy, file)
    (copy / "training/class_00/0_0.jpg").unlink()
    assert not tree.intact(copy, file)
    shutil.rmtree(copy)
    assert not tree.intact(copy, file)


def test_links_are_followed_and_not_round_in_circles(tmp_path: Path) -> None:
    root = plant(tmp_path / "pets", ["cats/1.jpg"])
    plant(tmp_path / "elsewhere", ["2.jpg"])
    (root / "dogs").symlink_to(tmp_path / "elsewhere")
    (root / "cats/3.jpg").symlink_to(tmp_path / "elsewhere/2.jpg")
    assert sorted(tree.files(root)) == ["cats/1.jpg", "cats/3.jpg", "dogs/2.jpg"]
    (root / "cats/back").symlink_to(root)
    with pytest.raises(EtlError, match="leads in a circle"):
        list(tree.files(root))
    (root / "cats/back").unlink()
    (root / "cats/4.jpg").symlink_to(tmp_path / "nowhere")
    with pytest.raises(EtlError, match=r"link cats/4.jpg .* leads nowhere"):
        list(tree.files(root))


def test_a_jpeg_with_something_behind_it_is_whole(small_tree: Path) -> None:
    data = (small_tree / "training/class_00/0_0.jpg").read_bytes()
    assert jpeg.jpeg_fault(data) == ""
    assert jpeg.jpeg_fault(data + b"\0\0") == ""
    assert jpeg.jpeg_fault(data + b"a camera's own notes") == ""
    assert jpeg.jpeg_fault(small(7)) == ""
    assert "truncated" in jpeg.jpeg_fault(data[:-500])
    assert jpeg.jpeg_fault(b"") == "it is empty"
    assert jpeg.jpeg_fault(b"<html>not found</html>") == "it is no JPEG"


@given(place=st.integers(4, 2000), junk=st.binary(min_size=1, max_size=600))
def test_damaged_is_what_the_pipelines_could_not_decode(small_tree: Path, place: int, junk: bytes) -> None:
    data = (small_tree / "training/class_00/0_0.jpg").read_bytes()
    broken = data[:place] + junk + data[place + len(junk) :]
    assert broken.endswith(b"\xff\xd9")
    try:
        with Image.open(io.BytesIO(broken)) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        assert jpeg.jpeg_fault(broken)
    else:
        assert jpeg.jpeg_fault(broken) == ""


def test_a_jpeg_that_ends_as_one_may_be_damaged_all_the_same(small_tree: Path) -> None:
    data = (small_tree / "training/class_00/0_0.jpg").read_bytes()
    half = len(data) // 2
    assert "it does not decode" in jpeg.jpeg_fault(data[:half] + b"\xff" * 400 + data[half + 400 :])
    assert "it does not decode" in jpeg.jpeg_fault(b"\xff\xd8\xff\xd9")
