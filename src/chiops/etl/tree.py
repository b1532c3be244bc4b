"""The tree that every dataset becomes and every format is made from: ``<split>/class_XX/<class>_<n>.jpg``.

It is what `torchvision.datasets.ImageFolder` reads; XX is the label in two digits.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .errors import EtlError
from .protocol import Events

NAME = "Food-11"
"""The folder's name, and the prefix in a bucket."""

SPLITS = ("training", "validation", "evaluation")
CLASSES = (
    "Bread", "Dairy product", "Dessert", "Egg", "Fried food", "Meat",
    "Noodles/Pasta", "Rice", "Seafood", "Soup", "Vegetable/Fruit",
)  # fmt: skip
"""Food-11's classes; the index is the label."""

_CLASS_FOLDER = re.compile(r"class_(\d{2})\Z")
_START, _END = b"\xff\xd8\xff", b"\xff\xd9"
_THREADS = 4


@dataclass(frozen=True, slots=True, order=True)
class Sample:
    """One image of a tree; ``path`` is relative to the tree."""

    path: str
    split: str
    label: int


class DamagedImages(EtlError):
    """Images that are truncated or no JPEGs: ``paths`` within the tree."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        first, why = next(iter(faults.items()))
        others = f" and {len(faults) - 1} more are" if len(faults) > 1 else " is"
        super().__init__(f"the image {first}{others} damaged", why=why, todo="use another copy of the archive")
        self.paths = tuple(faults)


def place(split: str, label: int, number: int) -> str:
    """Where an image lies in the tree."""
    return f"{split}/class_{label:02d}/{label}_{number}.jpg"


def samples(root: Path) -> list[Sample]:
    """All images of the tree, in the order of their paths, without opening them.

    Raises:
        EtlError: a split is missing, has no class folders, or a class is empty.
    """
    found: list[Sample] = []
    for split in SPLITS:
        folder = root / split
        if not folder.is_dir():
            raise _unlike(root, f"it has no folder {split}")
        classes = sorted(child for child in folder.iterdir() if child.is_dir())
        if not classes:
            raise _unlike(root, f"{split} has no class folders")
        for child in classes:
            match = _CLASS_FOLDER.match(child.name)
            if match is None or int(match[1]) >= len(CLASSES):
                raise _unlike(root, f"{split}/{child.name} is not the folder of a class")
            names = sorted(item.name for item in child.iterdir() if item.suffix == ".jpg")
            if not names:
                raise _unlike(root, f"{split}/{child.name} is empty")
            found += [Sample(f"{split}/{child.name}/{name}", split, int(match[1])) for name in names]
    return found


def inspect(root: Path, events: Events) -> dict[str, dict[str, object]]:
    """Read every image once; per split: ``images``, ``bytes``, ``classes`` and ``sha256``.

    ``sha256`` tells whether two readers saw the same samples, in whatever order: the sum, modulo 2**256, of `sample_digest`
    over the split, in 64 hexadecimal digits. The benchmark's loaders report the same as their content hash.

    Raises:
        DamagedImages: images are truncated or no JPEGs.
        EtlError: the tree is not as `samples` wants it.
    """
    every = samples(root)
    counts = {split: {"images": 0, "bytes": 0, "sum": 0} for split in SPLITS}
    labels: dict[str, set[int]] = {split: set() for split in SPLITS}
    damaged: dict[str, str] = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        for done, (sample, (size, digest, fault)) in enumerate(
            zip(every, pool.map(lambda sample: _read(root, sample), every), strict=True), start=1
        ):
            if fault:
                damaged[sample.path] = fault
            count = counts[sample.split]
            count["images"] += 1
            count["bytes"] += size
            count["sum"] = (count["sum"] + digest) % 2**256
            labels[sample.split].add(sample.label)
            events.progress("Check images", done, len(every), "images")
    if damaged:
        raise DamagedImages(damaged)
    return {
        split: {
            "images": count["images"],
            "bytes": count["bytes"],
            "classes": len(labels[split]),
            "sha256": f"{count['sum']:064x}",
        }
        for split, count in counts.items()
    }


def measure(root: Path, every: Sequence[Sample]) -> int:
    """Bytes of all images, by their sizes alone."""
    return sum((root / sample.path).stat().st_size for sample in every)


def sample_digest(jpeg: bytes, label: int) -> int:
    """What stands for one sample: SHA-256 of the label's bytes (one, or as many more as it needs) and the encoded image."""
    hashed = hashlib.sha256(label.to_bytes(max(1, (label.bit_length() + 7) // 8), "big"))
    hashed.update(jpeg)
    return int.from_bytes(hashed.digest(), "big")


def jpeg_fault(data: bytes) -> str:
    """Why ``data`` is not a whole JPEG; empty if it is.

    An image that ends with the end marker is taken as whole; one with something behind it is decoded to see.
    """
    if not data:
        return "it is empty"
    if not data.startswith(_START):
        return "it is no JPEG"
    if data.rstrip(b"\0\r\n").endswith(_END):
        return ""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except (OSError, SyntaxError) as error:
        return f"it is truncated ({error})"
    return ""


def _read(root: Path, sample: Sample) -> tuple[int, int, str]:
    data = (root / sample.path).read_bytes()
    return len(data), sample_digest(data, sample.label), jpeg_fault(data)


def _unlike(root: Path, why: str) -> EtlError:
    return EtlError(
        f"{root} is not a tree of training, validation and evaluation images",
        why=why,
        todo="see that the archive is one of Food-11, or use food11-synthetic",
    )
