"""Fixtures of the pipelines' own tests: what `chiops.etl` makes, and a real S3 server with it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from chiops.etl.inventory import Inventory, Sample
from tests.support.weed import S3Server, serve
from tests.unit.loaders.arm import BATCH, BUCKET, SAMPLES, SHARD, Place


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one dataset of one split in all formats; class 4 is missing."""
    from PIL import Image

    from chiops.etl.formats.litdata import LitData
    from chiops.etl.formats.mds import Mds
    from chiops.etl.formats.webdataset import WebDataset

    dice = random.Random(1)
    root = tmp_path_factory.mktemp("data")
    tree = root / "ds/Food-11"
    with Inventory.create(root / "tree.sqlite") as images:
        for number in range(SAMPLES):
            label = (0, 1, 2, 3, 5, 10)[number % 6]
            path = tree / f"training/class_{label:02d}/{label}_{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = Image.frombytes("RGB", (40, 30), dice.randbytes(3600)).resize((400, 300))
            picture.save(path, quality=85)
            images.add(Sample(path.relative_to(tree).as_posix(), "training", label, path.stat().st_size))
        images.finish()
    with Inventory(root / "tree.sqlite") as images:
        for format_ in (WebDataset(SHARD), LitData(SHARD), Mds(SHARD)):
            target = root / f"ds/Food-11{format_.suffix}/training"
            target.mkdir(parents=True)
            format_.build(tree, images, "training", target, lambda _: None)
    return root


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[S3Server]:
    """A bucket with all of it, and a litdata set of decoded pictures under another split."""
    from litdata.streaming.cache import Cache
    from PIL import Image

    pictures = tmp_path_factory.mktemp("pictures")
    cache = Cache(str(pictures), chunk_size=12)
    for index in range(24):
        cache[index] = {"image": Image.new("RGB", (64, 64)), "label": 1}
    cache.done()
    cache.merge()
    with serve(tmp_path_factory.mktemp("s3")) as server:
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.create_bucket(Bucket="empty")
        for path in (path for path in (data / "ds").rglob("*") if path.is_file()):
            client.put_object(Bucket=BUCKET, Key=path.relative_to(data / "ds").as_posix(), Body=path.read_bytes())
        for path in pictures.iterdir():
            client.upload_file(str(path), BUCKET, f"Food-11-litdata/validation/{path.name}")
        yield server


@pytest.fixture
def place(tmp_path: Path, data: Path, server: S3Server) -> Place:
    """What every arm here is told."""
    s3 = {"url": server.url, "region": "us-east-1", "bucket": BUCKET, "access": server.access, "secret": server.secret}
    return {
        "dataset": "ds", "batch_size": BATCH, "warmup_batches": 1, "data_dir": str(data), "cache_dir": str(tmp_path),
        "mount_dir": str(data / "ds"), "timeout_s": 30, "s3": s3,
    }  # fmt: skip
