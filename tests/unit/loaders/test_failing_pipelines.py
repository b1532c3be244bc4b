"""Pipelines that fail, each for its own reason: said in words, whatever the library says. Left out where its packages are not."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.weed import S3Server
from tests.unit.loaders.arm import BUCKET, SPLIT, Place, run
from tests.unit.loaders.gate import gate

for name in ("torch", "litdata", "webdataset", "obstore", "s3fs", "PIL.Image"):
    pytest.importorskip(name, reason="the benchmark container's packages are not installed here")


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
