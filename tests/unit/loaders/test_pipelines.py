"""The pipelines themselves, on what `chiops.etl` makes and a real S3 server: where the benchmark container's packages are.

Elsewhere they are left out; on a node they run end to end with the journey. Each arm runs in a process of its own, forked
from this one, which has imported what is slow.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chiops import assets
from chiops.etl.inventory import Inventory, Sample
from chiops.loaders.samples import as_text, canonical_order, combine, digest
from tests.support.weed import S3Server, serve
from tests.unit.loaders.gate import gate

torch = pytest.importorskip("torch", reason="the benchmark container's packages are not installed here")
for name in ("litdata", "webdataset", "obstore", "s3fs"):
    pytest.importorskip(name)
Image = pytest.importorskip("PIL.Image")

SAMPLES, BATCH, SHARD = 96, 8, 100_000
BUCKET = "bench"
SPLIT = "ds/Food-11/training"
Place = dict[str, Any]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one dataset of one split in all formats; class 4 is missing."""
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


def keys_of(data: Path) -> list[str]:
    return canonical_order(path.relative_to(data / SPLIT).as_posix() for path in (data / SPLIT).glob("*/*.jpg"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[S3Server]:
    """A bucket with all of it, and a litdata set of decoded pictures under another split."""
    from litdata.streaming.cache import Cache

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


def _perform(document: Place, pipe: Any, on_progress: Any = None) -> None:
    from chiops.loaders import __main__, protocol

    os.setpgid(0, 0)
    stream = io.StringIO()
    channel = protocol.Channel(stream)
    try:
        pipe.send({"event": "result", "result": __main__.perform(document, channel)})
    except protocol.ArmError as failure:
        pipe.send({"event": "error", "what": failure.what, "why": failure.why, "todo": failure.todo})
    finally:
        pipe.close()


def run(place: Place, **arm: Any) -> dict[str, Any]:
    """The arm's last event, from a process of its own."""
    ours, theirs = (context := multiprocessing.get_context("fork")).Pipe()
    process = context.Process(target=_perform, args=({"action": "run", "arm": place | arm}, theirs))
    process.start()
    theirs.close()
    try:
        assert ours.poll(120), "the arm hangs"
        event: dict[str, Any] = ours.recv()
    finally:
        process.join(10)
        if process.is_alive():
            os.killpg(process.pid or 0, signal.SIGKILL)
            process.join()
    return event


def result(place: Place, **arm: Any) -> dict[str, Any]:
    event = run(place, **arm)
    assert event["event"] == "result", event
    found: dict[str, Any] = event["result"]
    return found


def expected(data: Path, samples: int = 0) -> str:
    chosen = keys_of(data)[: samples or None]
    return as_text(combine(digest((data / SPLIT / key).read_bytes(), int(key[6:8])) for key in chosen))


ALL = ("imagefolder-local", "imagefolder-mount", "object", "webdataset", "litdata", "mds", "decode-ceiling")


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("workers", "access", "samples", "epochs"), [(0, "serial", 50, 1), (2, "random", 0, 2)])
def test_every_pipeline_delivers_the_same_samples(
    place: Place, data: Path, name: str, workers: int, access: str, samples: int, epochs: int
) -> None:
    if name == "mds":
        pytest.importorskip("streaming.base.world" if "streaming" in sys.modules else "zstd")
    whole = result(place, format=name, workers=workers, access=access, samples=samples, epochs=epochs)
    found = whole["metrics"]
    assert found["content_hash"] == expected(data, samples)
    assert found["samples"] == sum(found["batch_samples"]) == epochs * (samples or SAMPLES)
    assert found["sample_bytes"] == epochs * sum(
        (data / SPLIT / key).stat().st_size for key in keys_of(data)[: samples or None]
    )
    layers = {layer: numbers["calls"] for layer, numbers in found["layers"].items()}
    assert layers["getitem"] == layers["decode"] == found["samples"]
    assert layers["fetch"] == found["batches"]
    assert (layers["worker_loop"], layers["epoch"]) == (epochs * max(1, workers), epochs)
    assert found["cpu_s"] > 0
    assert found["peak_memory_bytes"] > 10**7
    assert whole["method"]["order"]


CHOICES = [
    (client, fetcher)
    for client in ("obstore", "boto3", "s3fs")
    for fetcher in ("vanilla", "threaded", "asyncio", "stream")
    if (client, fetcher) != ("boto3", "asyncio")
]


@pytest.mark.parametrize(("client", "fetcher"), CHOICES)
def test_every_client_and_fetcher_delivers_the_same_and_counts_its_requests(
    place: Place, data: Path, client: str, fetcher: str
) -> None:
    whole = result(place, format="object", client=client, fetcher=fetcher, samples=60)
    found = whole["metrics"]
    assert found["content_hash"] == expected(data, 60)
    each = 2 if client == "s3fs" and fetcher != "asyncio" else 1  # its open asks for the size first
    assert found["client_requests"] == 60 * each
    assert found["client_received_bytes"] == found["sample_bytes"]
    assert found["client_ratio"] == 1
    assert found["net_received_bytes"] >= found["sample_bytes"]
    assert whole["method"]["client"] == client
    assert whole["method"]["client_version"] != "unknown"
    assert whole["cache"]["measured"] == "cold"


@pytest.mark.parametrize("fetcher", ["threaded", "stream"])
def test_files_can_be_fetched_at_once_too(place: Place, data: Path, fetcher: str) -> None:
    assert result(place, format="imagefolder-local", fetcher=fetcher)["metrics"]["content_hash"] == expected(data)


@pytest.mark.parametrize("client", ["obstore", "boto3", "s3fs"])
def test_shards_are_streamed_by_every_client(place: Place, data: Path, client: str) -> None:
    found = result(place, format="webdataset", client=client)["metrics"]
    assert found["content_hash"] == expected(data)
    shards = len(list((data / "ds/Food-11-webdataset/training").glob("*.tar")))
    assert shards <= found["client_requests"] <= 2 * shards
    assert found["sample_bytes"] < found["client_received_bytes"] < 1.3 * found["sample_bytes"]


@pytest.mark.parametrize("name", ["litdata", "mds"])
def test_chunks_are_cold_then_warm_and_warm_fetches_no_more(place: Place, name: str) -> None:
    cold, warm = (result(place, format=name, cache=cache) for cache in ("cold", "warm"))
    assert (cold["cache"]["measured"], cold["cache"]["chunk_files"]) == ("cold", 0)
    assert (warm["cache"]["measured"], warm["cache"]["verified"]) == ("warm", True)
    assert cold["metrics"]["client_received_bytes"] >= cold["metrics"]["sample_bytes"]
    assert cold["metrics"]["client_requests"] >= warm["cache"]["chunk_files"] > 4
    assert warm["metrics"]["client_received_bytes"] < 0.05 * warm["metrics"]["sample_bytes"]
    assert result(place, format=name, cache="cold")["cache"]["measured"] == "cold", "emptied again"


def test_a_warm_arm_without_its_cold_partner_is_not_called_warm(place: Place) -> None:
    assert result(place, format="litdata", cache="warm")["cache"]["verified"] is False


def test_emulated_compute_gives_a_utilisation(place: Place) -> None:
    found = result(place, format="decode-ceiling", emulate_s=0.2, samples=48)["metrics"]
    assert found["emulated_s"] >= 1.2
    assert found["timed_s"] >= 1.0
    assert 0 < found["accelerator_utilisation"] <= 1


def test_a_truncated_image_fails_the_arm_and_is_named(place: Place, tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "ds/Food-11/training/class_00"
    folder.mkdir(parents=True)
    whole = next((data / SPLIT / "class_00").iterdir()).read_bytes()
    for number in range(20):
        (folder / f"0_{number}.jpg").write_bytes(whole[: len(whole) // 2] if number == 13 else whole)
    event = run(place | {"data_dir": str(tmp_path)}, format="imagefolder-local")
    assert event["event"] == "error"
    assert "0_13.jpg cannot be decoded" in event["what"]
    assert "truncated" in event["why"]
    assert "chiops data verify" in event["todo"]


def test_a_torn_shard_fails_the_arm_and_is_named(place: Place, server: S3Server, data: Path) -> None:
    shards = data / "ds/Food-11-webdataset/training"
    client = server.client()
    for path in shards.iterdir():
        body = path.read_bytes()
        if path.name == "shard-000001.tar":
            body = body[: len(body) // 2 // 512 * 512]
        client.put_object(Bucket=BUCKET, Key=f"Food-11-webdataset/torn/{path.name}", Body=body)
    event = run(place, format="webdataset", split="torn")
    assert event["event"] == "error"
    assert "shard" in event["what"] + event["why"]


def test_decoded_images_in_chunks_are_refused(place: Place) -> None:
    event = run(place, format="litdata", split="validation")
    assert event["event"] == "error"
    assert "not as JPEG bytes" in event["what"]


REVOKED = [
    ("object", "obstore", "stream", 20), ("object", "boto3", "threaded", 20), ("object", "s3fs", "asyncio", 20),
    ("object", "s3fs", "vanilla", 20), ("webdataset", "obstore", "vanilla", 3), ("litdata", "obstore", "vanilla", 3),
    ("mds", "obstore", "vanilla", 3), ("mds", "obstore", "vanilla", 1),
]  # fmt: skip
"""The last is how many requests are answered before: of MDS's one, which is for its index, so that no batch comes."""


@pytest.mark.parametrize(("name", "client", "fetcher", "passes"), REVOKED)
def test_a_key_revoked_in_mid_run_is_said_in_words(
    place: Place, name: str, client: str, fetcher: str, passes: int
) -> None:
    folder = "Food-11" if name == "object" else f"Food-11-{name}"
    with gate(place["s3"]["url"], f"/{BUCKET}/{folder}/training/", passes, "refuse") as shut:
        s3 = place["s3"] | {"url": shut.url}
        event = run(place | {"s3": s3, "timeout_s": 8}, format=name, client=client, fetcher=fetcher)
    assert event["event"] == "error"
    assert event["what"] == f"the bucket {BUCKET} cannot be read", event
    assert "chiops up" in event["todo"]


@pytest.mark.parametrize("client", ["obstore", "boto3", "s3fs"])
def test_a_store_that_falls_silent_is_said_in_words(place: Place, client: str) -> None:
    with gate(place["s3"]["url"], f"/{BUCKET}/Food-11/training/", 20, "hang") as shut:
        s3 = place["s3"] | {"url": shut.url}
        event = run(place | {"s3": s3, "timeout_s": 4}, format="object", client=client)
    assert event["event"] == "error"
    assert "within 4 s" in event["what"] or "does not answer" in event["what"], event
    assert "chiops doctor" in event["todo"]


@pytest.mark.parametrize("handler", ["torch's", "lost"])
def test_a_killed_worker_is_said_in_words(place: Place, monkeypatch: pytest.MonkeyPatch, handler: str) -> None:
    """Torch's handler of the signal raises wherever the main thread is, and in an import that catches all it is lost."""
    from torch.utils.data import dataloader

    from chiops.loaders.pipelines import object as objects

    class Doomed(objects.Objects):
        def open(self) -> Any:
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(objects, "Objects", Doomed)
    if handler == "lost":
        monkeypatch.setattr(dataloader._utils.signal_handling, "_error_if_any_worker_fails", lambda: None)
    event = run(place | {"timeout_s": 8}, format="object")
    assert event["event"] == "error"
    assert (event["what"], event["why"]) == ("a worker process ended after 0 samples", "killed by signal Killed")
    assert "memory" in event["todo"]


@pytest.mark.parametrize(
    ("arm", "says"),
    [
        ({"format": "litdata", "split": "evaluation"}, "there is no litdata set"),
        ({"format": "mds", "split": "evaluation"}, "there is no MDS set"),
        ({"format": "webdataset", "split": "evaluation"}, "there are no tar shards"),
        ({"format": "object", "split": "evaluation"}, "there is no evaluation split of Food-11 in the bucket"),
        ({"format": "imagefolder-local", "split": "evaluation"}, "is not on the node"),
        ({"format": "imagefolder-local", "dataset": "other"}, "is not on the node"),
        ({"format": "imagefolder-mount", "split": "evaluation"}, "in the mounted bucket"),
        ({"format": "imagefolder-local", "batch_size": 5000, "workers": 0}, "no batch is left to time"),
        ({"format": "imagefolder-local", "batch_size": 10**6}, "to hand them over in"),
        ({"format": "imagefolder-local", "fetcher": "asyncio"}, "imagefolder-local is none"),
        ({"format": "object", "fetcher": "asyncio", "client": "boto3"}, "boto3 is none"),
        ({"format": "webdataset", "fetcher": "stream"}, "webdataset has no fetcher stream"),
    ],
)
def test_what_is_missing_is_said_in_words(place: Place, arm: Place, says: str) -> None:
    event = run(place, **arm)
    assert event["event"] == "error"
    assert says in event["what"]


@pytest.mark.parametrize("name", ["object", "litdata", "mds", "webdataset", "decode-ceiling"])
def test_an_empty_bucket_and_a_wrong_key_are_said_in_words(place: Place, name: str) -> None:
    empty = run(place | {"s3": place["s3"] | {"bucket": "empty"}}, format=name)
    assert empty["event"] == "error"
    assert "chiops data prepare" in empty["todo"]
    wrong = run(place | {"s3": place["s3"] | {"secret": "wrong"}}, format=name)
    assert wrong["what"] == f"the bucket {BUCKET} cannot be read"
    assert "SignatureDoesNotMatch" in wrong["why"]


def test_it_runs_as_the_container_runs_it(place: Place, data: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loaders"],
        cwd=assets.package("loaders").parent,
        input=json.dumps({"action": "run", "arm": place | {"format": "object", "fetcher": "stream"}}),
        capture_output=True,
        text=True,
        check=True,
    )
    event = json.loads(done.stdout.splitlines()[-1])
    assert event["result"]["metrics"]["content_hash"] == expected(data)
    assert place["s3"]["secret"] not in done.stdout + done.stderr


def test_the_decoder_gives_what_a_model_eats() -> None:
    from chiops.loaders.vision import decoder

    stream = io.BytesIO()
    Image.new("L", (300, 500), 255).save(stream, "JPEG")
    tensor = decoder()(stream.getvalue())
    assert (tuple(tensor.shape), tensor.dtype) == ((3, 224, 224), torch.float32)
    assert tensor[0].max().item() == pytest.approx((1 - 0.485) / 0.229, abs=1e-3)
