"""The synthetic dataset: shaped like Food-11, the same for the same seed, whoever draws it and however often it is killed."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from chiops.etl.config import Options
from chiops.etl.datasets import synthesis
from chiops.etl.datasets.food import CLASSES
from chiops.etl.datasets.food11_synthetic import FEWEST, RATIO, Food11Synthetic, split_sizes
from chiops.etl.errors import EtlError
from chiops.etl.tree import SPLITS
from tests.unit.etl.events import Heard
from tests.unit.etl.trees import samples


def contents(tree: Path) -> dict[str, str]:
    return {sample.path: hashlib.sha256((tree / sample.path).read_bytes()).hexdigest() for sample in samples(tree)}


@given(st.integers(min_value=FEWEST, max_value=200_000))
def test_splits_add_up_and_keep_the_ratio(images: int) -> None:
    sizes = split_sizes(images)
    assert sum(sizes.values()) == images
    for split, size in sizes.items():
        assert abs(size - images * RATIO[split] / sum(RATIO.values())) < 1
        assert size >= len(CLASSES)


def test_the_whole_of_food11_has_its_numbers() -> None:
    assert split_sizes(16643) == {"training": 9866, "validation": 3430, "evaluation": 3347}


def test_classes_are_balanced_in_every_split(small_tree: Path) -> None:
    for split in SPLITS:
        counts = Counter(sample.label for sample in samples(small_tree) if sample.split == split)
        assert set(counts) == set(range(len(CLASSES)))
        assert max(counts.values()) - min(counts.values()) <= 1


def test_images_are_photo_sized_jpegs_and_no_two_alike(small_tree: Path) -> None:
    every = samples(small_tree)
    for sample in every:
        data = (small_tree / sample.path).read_bytes()
        assert 20_000 <= len(data) <= 120_000
        with Image.open(io.BytesIO(data)) as image:
            assert (image.format, image.mode, max(image.size)) == ("JPEG", "RGB", 512)
            assert min(image.size) >= 320
    assert len(set(contents(small_tree).values())) == len(every)


@given(st.integers(0, 2**64), st.sampled_from(SPLITS), st.integers(0, 10), st.integers(0, 10**6))
def test_every_seed_gives_an_image_within_the_limits(seed: int, split: str, label: int, number: int) -> None:
    assert synthesis.SMALLEST <= len(synthesis.draw(seed, split, label, number)) <= synthesis.LARGEST


def test_the_seed_decides_the_bytes() -> None:
    first = synthesis.draw(1, "training", 4, 7)
    assert synthesis.draw(1, "training", 4, 7) == first
    others = [
        synthesis.draw(2, "training", 4, 7),
        synthesis.draw(1, "evaluation", 4, 7),
        synthesis.draw(1, "training", 4, 8),
    ]
    assert first not in others


def test_a_class_can_be_told_by_its_colours() -> None:
    """Nearest mean colour finds the class far more often than chance, so that labels are worth learning."""

    def colour(label: int, number: int) -> tuple[float, ...]:
        with Image.open(io.BytesIO(synthesis.draw(0, "training", label, number))) as image:
            pixel = image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
        assert isinstance(pixel, tuple)
        return tuple(float(band) for band in pixel)

    seen = {label: [colour(label, number) for number in range(6)] for label in range(11)}
    means = {label: tuple(sum(band) / 6 for band in zip(*colours, strict=True)) for label, colours in seen.items()}
    right = 0
    for label in range(11):
        found = colour(label, 99)
        nearest = min(means, key=lambda other: sum((a - b) ** 2 for a, b in zip(found, means[other], strict=True)))
        right += nearest == label
    assert right >= 4, f"only {right} of 11 classes were recognised"


def test_any_number_of_processes_makes_the_same_and_a_killed_run_continues(small_tree: Path, tmp_path: Path) -> None:
    dataset = Food11Synthetic(images=66, seed=3, workers=2)
    tree = tmp_path / "Food-11"
    kept = tree / "training" / "class_00" / "0_0.jpg"
    kept.parent.mkdir(parents=True)
    kept.write_bytes((small_tree / "training/class_00/0_0.jpg").read_bytes())
    (kept.parent / "0_1.part").write_bytes(b"half an image")  # what a killed run leaves
    before = kept.stat().st_mtime_ns
    heard = Heard()
    dataset.transform(tmp_path, tree, heard)
    assert contents(tree) == contents(small_tree)
    assert kept.stat().st_mtime_ns == before
    assert heard.all("progress")[-1]["done"] == 66


def test_too_few_images_is_said_so() -> None:
    with pytest.raises(EtlError, match="59 images") as caught:
        Food11Synthetic.from_options(Options(images=FEWEST - 1))
    assert caught.value.kind == "usage"
    assert str(FEWEST) in caught.value.todo
