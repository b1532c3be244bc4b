"""Draws one image of ``food11-synthetic``: a detail of the class's photograph, mixed, coloured, grained, as JPEG.

Only Pillow and Python's own generator are used, so the bytes depend on nothing but the arguments and the versions of these
two, which the container image pins.
"""

from __future__ import annotations

import hashlib
import io
import random
from functools import cache
from pathlib import Path
from typing import Any

VERSION = 1
"""To be raised with every change of what `draw` returns."""

SMALLEST, LARGEST = 20_000, 120_000
"""Limits of an image's size in bytes."""

LONG_SIDE = 512
"""Pixels of the longer side."""

_PHOTOGRAPHS = Path(__file__).parent / "photographs"
_GRAIN_SIDE = 1024

# The photograph and the cast (red, green, blue in per cent) by which a class can be learnt, by label.
_LOOKS = (
    ("brick", (115, 92, 62)),
    ("camera", (108, 104, 92)),
    ("coffee", (90, 76, 96)),
    ("retina", (108, 112, 84)),
    ("gravel", (120, 96, 58)),
    ("astronaut", (112, 84, 80)),
    ("chelsea", (106, 98, 70)),
    ("gravel", (106, 106, 102)),
    ("rocket", (90, 104, 112)),
    ("coffee", (104, 98, 84)),
    ("grass", (84, 112, 62)),
)
_OTHERS = ("astronaut", "brick", "chelsea", "coffee", "grass", "gravel", "hubble", "retina", "rocket")


def draw(seed: int, split: str, label: int, number: int) -> bytes:
    """The JPEG of one image, 20,000 to 120,000 bytes; equal arguments give equal bytes."""
    # Seeded with bytes of our own making: unlike a text's, their meaning is the same in every Python.
    identity = f"{VERSION}/{seed}/{split}/{label}/{number}".encode()
    rng = random.Random(hashlib.sha256(identity).digest())  # noqa: S311  (pictures, not secrets)
    size = _size(rng)
    name, cast = _LOOKS[label]
    image = _detail(rng, _photograph(name), size)
    other = _detail(rng, _photograph(rng.choice(_OTHERS)), size)
    image = _blend(image, other, rng.uniform(0.08, 0.3))
    image = image.point(_tones(rng, cast))
    if rng.random() < 0.25:
        from PIL import ImageFilter

        image = image.filter(ImageFilter.BoxBlur(rng.uniform(0.3, 1.0)))
    image = _blend(image, _grain(rng, size), rng.uniform(0.02, 0.16))
    return _encode(rng, image, size)


def _size(rng: random.Random) -> tuple[int, int]:
    short = rng.randint(LONG_SIDE * 5 // 8, LONG_SIDE)
    return (LONG_SIDE, short) if rng.random() < 0.7 else (short, LONG_SIDE)


def _detail(rng: random.Random, photograph: Any, size: tuple[int, int]) -> Any:
    """A part of the photograph with the proportions of ``size``, scaled to it and perhaps mirrored."""
    from PIL import Image

    width, height = photograph.size
    scale = min(width / size[0], height / size[1]) * rng.uniform(0.55, 1.0)
    part = (max(1, int(size[0] * scale)), max(1, int(size[1] * scale)))
    left, top = rng.randint(0, width - part[0]), rng.randint(0, height - part[1])
    box = (left, top, left + part[0], top + part[1])
    image = photograph.resize(size, Image.Resampling.BILINEAR, box=box)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else image


def _tones(rng: random.Random, cast: tuple[int, int, int]) -> list[int]:
    """A lookup table for red, green and blue: the class's cast with some brightness, contrast and colour of its own."""
    brightness, contrast = rng.randint(-18, 18), rng.randint(85, 120)
    gains = [part + rng.randint(-6, 6) for part in cast]
    return [
        min(255, max(0, ((value - 128) * contrast // 100 + 128 + brightness) * gain // 100))
        for gain in gains
        for value in range(256)
    ]


def _grain(rng: random.Random, size: tuple[int, int]) -> Any:
    from PIL import Image

    sheet = _grain_sheet()
    bands = []
    for _ in range(3):
        left, top = rng.randint(0, _GRAIN_SIDE - size[0]), rng.randint(0, _GRAIN_SIDE - size[1])
        bands.append(sheet.crop((left, top, left + size[0], top + size[1])))
    return Image.merge("RGB", bands)


def _encode(rng: random.Random, image: Any, size: tuple[int, int]) -> bytes:
    """As JPEG within the limits: coarser while it is too large, then with more grain while it is too small."""
    quality = rng.randint(78, 93)
    data = _jpeg(image, quality)
    while len(data) > LARGEST and quality > 10:
        quality = quality * 4 // 5
        data = _jpeg(image, quality)
    while len(data) < SMALLEST:
        image, quality = _blend(image, _grain(rng, size), 0.12), min(95, quality + 5)
        data = _jpeg(image, quality)
    return data


def _jpeg(image: Any, quality: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def _blend(image: Any, other: Any, share: float) -> Any:
    from PIL import Image

    return Image.blend(image, other, share)


@cache
def _photograph(name: str) -> Any:
    from PIL import Image

    with Image.open(_PHOTOGRAPHS / f"{name}.jpg") as image:
        return image.convert("RGB")


@cache
def _grain_sheet() -> Any:
    from PIL import Image

    noise = random.Random(1).randbytes(_GRAIN_SIDE * _GRAIN_SIDE)  # noqa: S311
    return Image.frombytes("L", (_GRAIN_SIDE, _GRAIN_SIDE), noise)
