"""The control side of preparing: options, what the container is told, progress, and the result, over the real node side."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from chiops import progress
from chiops.cloud.base import S3Access, S3Endpoint
from chiops.data.options import PrepareOptions
from chiops.data.prepare import DATA_ON_NODE, Event, perform
from chiops.errors import RemoteFailed, UsageError
from chiops.etl import config as etl_config
from chiops.etl import pipeline
from chiops.etl.protocol import Events
from tests.support.weed import S3Server


class Watched:
    """A reporter that keeps what it is told, as lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def open(self, title: str, *, parent: progress.Task | None = None) -> Line:
        return Line(self, f"{parent.path} > {title}" if isinstance(parent, Line) else title)

    def close(self, task: progress.Task, *, failed: str = "") -> None:
        assert isinstance(task, Line)
        self.lines.append(f"{task.path}: {failed or 'done'}")

    def say(self, text: str) -> None:
        self.lines.append(text)


@dataclasses.dataclass
class Line:
    """One task of `Watched`."""

    watched: Watched
    path: str

    def note(self, text: str) -> None:
        self.watched.lines.append(f"{self.path}: {text}")

    def advance(self, done: float, *, total: float | None = None, unit: str = "") -> None:
        self.watched.lines.append(f"{self.path}: {done}/{total} {unit}")

    def finish(self, text: str = "") -> None:
        self.watched.lines.append(f"{self.path}: {text}")


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    reporter = Watched()
    monkeypatch.setattr(progress, "_reporter", reporter)
    return reporter


@pytest.fixture
def s3(s3_server: S3Server, bucket: str) -> S3Access:
    endpoint = S3Endpoint(url=s3_server.url)
    return S3Access(bucket=bucket, endpoint=endpoint, access=s3_server.access, secret=s3_server.secret)


class _Live(io.StringIO):
    """Hands each event on as it is written, as the container's stdout does."""

    def __init__(self, on_event: Event) -> None:
        super().__init__()
        self._on_event = on_event

    def write(self, text: str) -> int:
        self._on_event(json.loads(text))
        return len(text)


def test_the_node_side_is_told_and_its_result_comes_back(s3: S3Access, tmp_path: Path, watched: Watched) -> None:
    seen: list[Sequence[str]] = []

    def launch(config: dict[str, Any], mounts: Sequence[str], on_event: Event, feed: Iterable[bytes]) -> dict[str, Any]:
        assert list(feed) == []
        seen.append(mounts)
        parsed = etl_config.parse(json.dumps(config))
        local = dataclasses.replace(parsed, staging=tmp_path, options=dataclasses.replace(parsed.options, workers=1))
        return json.loads(json.dumps(pipeline.run(local, Events(_Live(on_event)))))  # type: ignore[no-any-return]

    result = perform(launch, s3, PrepareOptions(images=66, seed=3))
    assert seen == [[f"{DATA_ON_NODE}:/data"]]
    assert result.dataset == "food11-synthetic"
    assert {name: split.images for name, split in result.splits.items()} == {
        "training": 39,
        "validation": 14,
        "evaluation": 13,
    }
    loaded = result.formats["imagefolder"]
    assert (loaded.prefix, loaded.objects, loaded.uploaded) == ("Food-11", 66, 66)
    ends = [line for line in watched.lines if line.endswith(": done")]
    assert ends == [
        "Prepare food11-synthetic > Make images: done",
        "Prepare food11-synthetic > Check images: done",
        "Prepare food11-synthetic > Upload Food-11: done",
        "Prepare food11-synthetic: done",
    ]
    assert "Prepare food11-synthetic > Upload Food-11: 66/66 objects" in watched.lines
    assert any(line.startswith("Prepare food11-synthetic: Verifying 66 objects") for line in watched.lines)


def test_a_failure_marks_the_stage_it_happened_in(watched: Watched) -> None:
    def launch(config: dict[str, Any], mounts: Sequence[str], on_event: Event, feed: Iterable[bytes]) -> dict[str, Any]:
        on_event({"event": "progress", "task": "Make images", "done": 1, "total": 9, "unit": "images"})
        raise RemoteFailed("etl on node-1 was killed")

    access = S3Access(bucket="b", endpoint=S3Endpoint(url="http://127.0.0.1:1"), access="a", secret="s")
    with pytest.raises(RemoteFailed):
        perform(launch, access, PrepareOptions())
    assert watched.lines[-2:] == [
        "Prepare food11-synthetic > Make images: etl on node-1 was killed",
        "Prepare food11-synthetic: etl on node-1 was killed",
    ]


def test_an_archive_on_the_node_is_mounted_read_only() -> None:
    told: list[tuple[dict[str, Any], Sequence[str]]] = []

    def launch(config: dict[str, Any], mounts: Sequence[str], on_event: Event, feed: Iterable[bytes]) -> dict[str, Any]:
        told.append((config, mounts))
        return {"dataset": {"splits": {}}, "formats": {}}

    access = S3Access(bucket="b", endpoint=S3Endpoint(url="http://127.0.0.1:1"), access="a", secret="s")
    perform(launch, access, PrepareOptions(dataset="food11", file="/home/cc/Food-11.zip"))
    config, mounts = told[0]
    assert mounts[1] == "/home/cc/Food-11.zip:/archive.zip:ro"
    assert etl_config.parse(json.dumps(config)).options.file == "/archive.zip"


@pytest.mark.parametrize(
    "wrong",
    [
        {"dataset": "food12"},
        {"formats": ("tfrecord",)},
        {"formats": ()},
        {"images": 59},
        {"seed": -1},
        {"threads": 0},
        {"shard_bytes": 1000},
        {"shard_bytes": 2**32},
        {"stages": ("unload",)},
        {"source": "/flowers"},
        {"name": "flowers"},
        {"dataset": "imagefolder"},
        {"dataset": "imagefolder", "source": "node:flowers"},
        {"dataset": "imagefolder", "source": "node:/flo:wers"},
        {"dataset": "imagefolder", "source": "/flowers", "name": "food11"},
        {"dataset": "imagefolder", "source": "/flowers", "name": "flowers-litdata"},
        {"dataset": "imagefolder", "source": "/flowers", "name": "a/b"},
        {"dataset": "imagefolder", "source": "/flowers", "split": "trainig"},
        {"dataset": "index", "source": "node:/index.json"},
        {"url": "https://example.org/x.zip"},
        {"dataset": "food11", "file": "Food-11.zip"},
        {"dataset": "food11", "file": "/a:b"},
    ],
)
def test_mistakes_are_found_before_anything_is_done(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        PrepareOptions(**wrong)
