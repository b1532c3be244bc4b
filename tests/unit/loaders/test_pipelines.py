"""The pipelines themselves, on real trees and chunks: where the benchmark container's packages are installed.

Elsewhere they are left out; on a node they run end to end with the journey.
"""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chiops import assets
from chiops.loaders.samples import as_text, canonical_order, combine, digest
from tests.support.weed import S3Server, serve

torch = pytest.importorskip("torch", reason="the benchmark container's packages are not installed here")
pytest.importorskip("litdata")
Image = pytest.importorskip("PIL.Image")

SAMPLES, BATCH = 96, 8
BUCKET = "bench"
Place = dict[str, Any]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one dataset of one split; class 4 is missing."""
    dice = random.Random(1)
    root = tmp_path_factory.mktemp("data")
    for number in range(SAMPLES):
        label = (0, 1, 2, 3, 5, 10)[number % 6]
        path = root / f"ds/Food-11/training/class_{label:02d}/{label}_{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.frombytes("RGB", (40, 30), dice.randbytes(3600)).resize((400, 300))
        picture.save(path, quality=85)
    return root


def keys_of(data: Path) -> list[str]:
    split = data / "ds/Food-11/training"
    return canonical_order(path.relative_to(split).as_posix() for path in split.glob("*/*.jpg"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[S3Server]:
    """A bucket with the same samples as litdata chunks, a dozen to a chunk."""
    os.environ["LITDATA_DISABLE_VERSION_CHECK"] = "1"
    from litdata.streaming.cache import Cache

    out = tmp_path_factory.mktemp("chunks")
    split = data / "ds/Food-11/training"
    cache = Cache(str(out), chunk_size=12)
    for index, key in enumerate(keys_of(data)):
        cache[index] = {"image": (split / key).read_bytes(), "label": int(key[6:8])}
    cache.done()
    cache.merge()
    with serve(tmp_path_factory.mktemp("s3")) as server:
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        for path in out.iterdir():
            client.upload_file(str(path), BUCKET, f"Food-11-litdata/training/{path.name}")
        yield server


@pytest.fixture
def place(tmp_path: Path, data: Path, server: S3Server) -> Place:
    """What every arm here is told."""
    s3 = {"url": server.url, "region": "us-east-1", "bucket": BUCKET, "access": server.access, "secret": server.secret}
    return {
        "dataset": "ds", "batch_size": BATCH, "warmup_batches": 1, "data_dir": str(data), "cache_dir": str(tmp_path),
        "mount_dir": str(data / "ds"), "s3": s3,
    }  # fmt: skip


def run(place: Place, **arm: Any) -> dict[str, Any]:
    """The arm's last event, from a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "loaders"],
        cwd=assets.package("loaders").parent,
        input=json.dumps({"action": "run", "arm": place | arm}),
        capture_output=True,
        text=True,
        check=False,
    )
    last: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return last


def result(place: Place, **arm: Any) -> dict[str, Any]:
    event = run(place, **arm)
    assert event["event"] == "result", event
    found: dict[str, Any] = event["result"]
    return found


@pytest.mark.parametrize("name", ["imagefolder-local", "imagefolder-mount", "litdata"])
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(("access", "samples"), [("random", 0), ("serial", 50)])
def test_every_pipeline_delivers_the_same_samples(
    place: Place, data: Path, name: str, workers: int, access: str, samples: int
) -> None:
    split = data / "ds/Food-11/training"
    chosen = keys_of(data)[: samples or None]
    expected = combine(digest((split / key).read_bytes(), int(key[6:8])) for key in chosen)
    found = result(place, format=name, workers=workers, access=access, samples=samples)["metrics"]
    assert found["content_hash"] == as_text(expected)
    assert found["samples"] == sum(found["batch_samples"]) == len(chosen)
    assert found["sample_bytes"] == sum((split / key).stat().st_size for key in chosen)
    assert found["cpu_s"] > 0


def test_litdata_is_cold_then_warm_and_warm_fetches_only_the_index(place: Place) -> None:
    cold, warm = (result(place, format="litdata", cache=cache) for cache in ("cold", "warm"))
    assert (cold["cache"]["measured"], cold["cache"]["chunk_files"]) == ("cold", 0)
    assert (warm["cache"]["measured"], warm["cache"]["chunk_files"]) == ("warm", SAMPLES // 12)
    assert cold["metrics"]["net_received_bytes"] >= cold["metrics"]["sample_bytes"]
    assert warm["metrics"]["net_received_bytes"] < 0.05 * warm["metrics"]["sample_bytes"]
    assert result(place, format="litdata", cache="cold")["cache"]["measured"] == "cold", "emptied again"


def test_a_warm_arm_without_its_cold_partner_is_not_called_warm(place: Place) -> None:
    assert result(place, format="litdata", cache="warm")["cache"]["verified"] is False


def test_a_truncated_image_fails_the_arm_and_is_named(place: Place, tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "ds/Food-11/training/class_00"
    folder.mkdir(parents=True)
    whole = next((data / "ds/Food-11/training/class_00").iterdir()).read_bytes()
    for number in range(20):
        (folder / f"0_{number}.jpg").write_bytes(whole[: len(whole) // 2] if number == 13 else whole)
    event = run(place | {"data_dir": str(tmp_path)}, format="imagefolder-local")
    assert event["event"] == "error"
    assert "0_13.jpg cannot be decoded" in event["what"]
    assert "truncated" in event["why"]


def test_decoded_images_in_chunks_are_refused(place: Place, server: S3Server, tmp_path: Path) -> None:
    from litdata.streaming.cache import Cache

    cache = Cache(str(tmp_path / "pictures"), chunk_size=12)
    for index in range(24):
        cache[index] = {"image": Image.new("RGB", (64, 64)), "label": 1}
    cache.done()
    cache.merge()
    for path in (tmp_path / "pictures").iterdir():
        server.client().upload_file(str(path), BUCKET, f"Food-11-litdata/validation/{path.name}")
    event = run(place, format="litdata", split="validation")
    assert event["event"] == "error"
    assert "not as JPEG bytes" in event["what"]


@pytest.mark.parametrize(
    ("arm", "says"),
    [
        ({"format": "litdata", "split": "evaluation"}, "there is no litdata set"),
        ({"format": "imagefolder-local", "split": "evaluation"}, "is not on the node"),
        ({"format": "imagefolder-local", "dataset": "other"}, "is not on the node"),
        ({"format": "imagefolder-mount", "split": "evaluation"}, "in the mounted bucket"),
        ({"format": "imagefolder-local", "batch_size": 5000}, "no batch is left to time"),
        ({"format": "imagefolder-local", "batch_size": 10**6}, "of shared memory"),
    ],
)
def test_what_is_missing_is_said_in_words(place: Place, arm: Place, says: str) -> None:
    event = run(place, **arm)
    assert event["event"] == "error"
    assert says in event["what"]


def test_a_wrong_key_is_said_in_words(place: Place) -> None:
    wrong = place["s3"] | {"secret": "wrong"}
    event = run(place | {"s3": wrong}, format="litdata")
    assert event["what"] == f"the bucket {BUCKET} cannot be read"
    assert "SignatureDoesNotMatch" in event["why"]


def test_the_decoder_gives_what_a_model_eats() -> None:
    from chiops.loaders.vision import decoder

    stream = io.BytesIO()
    Image.new("L", (300, 500), 255).save(stream, "JPEG")
    tensor = decoder()(stream.getvalue())
    assert (tuple(tensor.shape), tensor.dtype) == ((3, 224, 224), torch.float32)
    assert tensor[0].max().item() == pytest.approx((1 - 0.485) / 0.229, abs=1e-3)
