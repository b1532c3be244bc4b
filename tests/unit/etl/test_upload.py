"""Uploads to a real S3 server: whole, continued, verified, and never over what is somebody else's."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chiops.etl import manifest
from chiops.etl.config import S3Config
from chiops.etl.errors import EtlError
from chiops.etl.listing import Listed, list_prefix
from chiops.etl.parallel import each
from chiops.etl.tree import files
from chiops.etl.upload import MARK, Upload, Uploaded
from tests.support.weed import S3Server
from tests.unit.etl.events import Heard

ABOUT = {"name": "food11-synthetic", "parameters": {"images": 66, "seed": 3}, "splits": {}}
NAME = "Food-11"
Load = Callable[..., Uploaded]


@pytest.fixture
def tree(small_tree: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_tree, tmp_path / NAME))


@pytest.fixture
def load(s3_server: S3Server, bucket: str, tree: Path, tmp_path: Path) -> Load:
    def run(**changes: Any) -> Uploaded:
        s3 = {"endpoint": s3_server.url, "bucket": bucket, "access": s3_server.access, "secret": s3_server.secret}
        heard = changes.pop("heard", Heard())
        upload = Upload(S3Config(**s3 | changes), tree, NAME, "imagefolder", ABOUT, threads=4)
        return upload.run(files(tree), tmp_path / "scratch", heard)

    return run


def kept_manifest(server: S3Server, bucket: str) -> dict[str, Any]:
    return dict(json.loads(server.client().get_object(Bucket=bucket, Key="manifests/Food-11.json")["Body"].read()))


def kept_files(server: S3Server, bucket: str) -> dict[str, manifest.File]:
    return dict(manifest.load_files(server.client(), bucket, NAME))


def listed(server: S3Server, bucket: str) -> dict[str, Listed]:
    return dict(list_prefix(server.client(), bucket, NAME))


def test_everything_arrives_and_the_manifest_tells_of_it(
    load: Load, tree: Path, s3_server: S3Server, bucket: str
) -> None:
    heard = Heard()
    done = load(heard=heard)
    assert (done.uploaded, done.skipped, done.removed) == (66, 0, 0)
    client = s3_server.client()
    for path in tree.rglob("*.jpg"):
        name = path.relative_to(tree).as_posix()
        got = client.get_object(Bucket=bucket, Key=f"Food-11/{name}")
        assert got["Body"].read() == path.read_bytes()
        assert got["Metadata"][MARK] == hashlib.sha256(path.read_bytes()).hexdigest()
    kept = kept_manifest(s3_server, bucket)
    assert (kept["version"], kept["complete"], kept["objects"], kept["format"]) == (2, True, 66, "imagefolder")
    assert kept["bytes"] == done.bytes == sum(path.stat().st_size for path in tree.rglob("*.jpg"))
    assert kept["files"] == "manifests/Food-11.files.jsonl"
    lines = kept_files(s3_server, bucket)
    assert list(lines) == sorted(files(tree))
    covered = "".join(f"{file.sha256}  {name}\n" for name, file in lines.items())
    assert kept["sha256"] == done.sha256 == hashlib.sha256(covered.encode()).hexdigest()
    assert not any((tree.parent / "scratch").iterdir())
    assert kept["dataset"] == ABOUT
    last = heard.all("progress")[-1]
    assert (last["task"], last["done"], last["total"], last["unit"]) == ("Upload Food-11", 66, 66, "objects")
    assert last["text"].endswith("MiB")


def test_a_second_upload_sends_nothing(load: Load, s3_server: S3Server, bucket: str) -> None:
    load()
    before = kept_manifest(s3_server, bucket)
    done = load()
    assert (done.uploaded, done.skipped) == (0, 66)
    assert kept_manifest(s3_server, bucket) == before


def test_a_killed_upload_continues(load: Load, s3_server: S3Server, bucket: str) -> None:
    class Killed(Heard):
        def progress(self, task: str, done: int, total: int, unit: str, text: str = "") -> None:
            if done == 33:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(heard=Killed())
    there = listed(s3_server, bucket)
    assert 33 <= len(there) < 66
    assert manifest.load(s3_server.client(), bucket, NAME) is None
    done = load()
    assert (done.uploaded, done.skipped) == (66 - len(there), len(there))


def test_a_damaged_object_is_sent_again_and_the_manifest_is_not_complete_meanwhile(
    load: Load, s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load()
    client = s3_server.client()
    name, file = next(iter(kept_files(s3_server, bucket).items()))
    client.put_object(Bucket=bucket, Key=f"{NAME}/{name}", Body=b"x" * file.size)  # same size, other content

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Upload, "_verify", killed)
        with pytest.raises(KeyboardInterrupt):
            load()
    assert kept_manifest(s3_server, bucket)["complete"] is False
    assert load().uploaded == 0
    assert kept_manifest(s3_server, bucket)["complete"] is True
    assert listed(s3_server, bucket)[name].md5 == file.md5


def test_what_an_earlier_dataset_left_is_removed(load: Load, tree: Path, s3_server: S3Server, bucket: str) -> None:
    load()
    gone = sorted(tree.rglob("0_*.jpg"))[:3]
    for path in gone:
        path.unlink()
    done = load()
    assert (done.uploaded, done.removed) == (0, 3)
    assert len(listed(s3_server, bucket)) == 63
    assert kept_manifest(s3_server, bucket)["objects"] == 63 == len(kept_files(s3_server, bucket))


@pytest.mark.parametrize("name", ["training/class_00/0_0.jpg", "training/class_00/notes.txt"])
def test_foreign_objects_are_left_alone(load: Load, s3_server: S3Server, bucket: str, name: str) -> None:
    client = s3_server.client()
    client.put_object(Bucket=bucket, Key=f"{NAME}/{name}", Body=b"precious")
    with pytest.raises(EtlError, match=f"1 objects that chiops did not put there, such as {name}") as caught:
        load()
    assert caught.value.kind == "foreign"
    assert client.get_object(Bucket=bucket, Key=f"{NAME}/{name}")["Body"].read() == b"precious"
    assert manifest.load(client, bucket, NAME) is None


def test_other_prefixes_and_folder_markers_are_none_of_its_business(
    load: Load, s3_server: S3Server, bucket: str
) -> None:
    client = s3_server.client()
    for key in ("Food-11/", "Food-11-litdata/training/index.json", "Food-110/x", "notes.txt"):
        client.put_object(Bucket=bucket, Key=key, Body=b"")
    load()
    assert client.head_object(Bucket=bucket, Key="notes.txt")
    assert client.head_object(Bucket=bucket, Key="Food-110/x")


def test_an_object_that_changes_behind_the_upload_is_noticed(
    load: Load, s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = Upload._put

    def put(self: Upload, name: str, file: manifest.File, body: Any) -> None:
        sent(self, name, file, body)
        if name.endswith("/4_0.jpg"):
            s3_server.client().put_object(Bucket=bucket, Key=f"{NAME}/{name}", Body=b"x" * file.size)

    monkeypatch.setattr(Upload, "_put", put)
    with pytest.raises(EtlError, match=r"3 objects under Food-11/ are not what was uploaded, such as .*4_0.jpg"):
        load()
    assert manifest.load(s3_server.client(), bucket, NAME) is None


def test_large_files_go_without_being_held_in_memory(s3_server: S3Server, bucket: str, tmp_path: Path) -> None:
    data = random.Random(0).randbytes(20_000_000)
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "chunk-0-0.bin").write_bytes(data)
    s3 = S3Config(endpoint=s3_server.url, bucket=bucket, access=s3_server.access, secret=s3_server.secret)

    def again() -> Uploaded:
        upload = Upload(s3, tmp_path / "shards", "Food-11-litdata", "litdata", ABOUT, threads=2)
        return upload.run(["chunk-0-0.bin"], tmp_path / "scratch", Heard())

    assert again().uploaded == 1
    assert again().skipped == 1
    assert s3_server.client().get_object(Bucket=bucket, Key="Food-11-litdata/chunk-0-0.bin")["Body"].read() == data


@pytest.mark.parametrize(("change", "value"), [("access", "nobody"), ("secret", "not-the-secret")])
def test_a_wrong_key_is_refused_in_one_sentence(load: Load, change: str, value: str) -> None:
    with pytest.raises(EtlError, match="refuses the S3 key") as caught:
        load(**{change: value})
    assert caught.value.kind == "auth"
    assert "not-the-secret" not in f"{caught.value} {caught.value.todo}"


def test_a_missing_bucket_and_a_silent_server_are_told_apart(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EtlError, match="no bucket test-absent") as caught:
        load(bucket="test-absent")
    assert caught.value.kind == "not-found"
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    with pytest.raises(EtlError, match="does not answer") as caught:
        load(endpoint="http://127.0.0.1:1")
    assert caught.value.kind == "transient"


def test_each_gives_all_results_and_stops_at_the_first_error() -> None:
    assert sorted(each(3, lambda number: number * 2, range(100))) == list(range(0, 200, 2))
    begun: list[int] = []

    def fail(number: int) -> None:
        begun.append(number)
        raise ValueError(number)

    with pytest.raises(ValueError):  # noqa: PT011
        list(each(2, fail, range(1000)))
    assert len(begun) <= 8
