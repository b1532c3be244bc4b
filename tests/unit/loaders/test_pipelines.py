"""The pipelines themselves, on what `chiops.etl` makes and a real S3 server: where the benchmark container's packages are.

Elsewhere they are left out; on a node they run end to end with the journey.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from chiops import assets
from tests.unit.loaders.arm import SAMPLES, SPLIT, Place, expected, keys_of, result

torch = pytest.importorskip("torch", reason="the benchmark container's packages are not installed here")
for name in ("litdata", "webdataset", "obstore", "s3fs"):
    pytest.importorskip(name)
Image = pytest.importorskip("PIL.Image")


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
