"""The program as the container runs it: alone, JSON lines out, a sentence for every failure."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from chiops import assets
from chiops.etl import __main__ as program
from tests.unit.etl.trees import samples


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """The package as the image has it: top-level, with nothing of chiops beside it."""
    shutil.copytree(assets.package("etl"), tmp_path / "app" / "etl", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "app"


def start(shipped: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "etl"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, start_new_session=True, cwd=shipped,
    )  # fmt: skip


def run(shipped: Path, document: object) -> tuple[int, list[dict[str, Any]], str]:
    text = document if isinstance(document, str) else json.dumps(document)
    done = subprocess.run(
        [sys.executable, "-m", "etl"], input=text, capture_output=True, text=True, check=False, cwd=shipped
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def config(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    options = {"images": 66, "workers": 1}
    whole = {
        "dataset": "food11-synthetic",
        "formats": ["imagefolder"],
        "staging": str(tmp_path / "data"),
        "options": options,
    }
    return whole | changes


def test_a_run_ends_with_a_result(shipped: Path, tmp_path: Path) -> None:
    code, events, _ = run(shipped, config(tmp_path))
    assert code == 0
    assert [event["event"] for event in events].count("result") == 1
    assert events[-1]["result"]["formats"]["imagefolder"]["objects"] == 66


@pytest.mark.parametrize(
    ("document", "what"),
    [
        ("not json", "not JSON"),
        ("", "not JSON"),
        ({"dataset": "food12", "formats": ["imagefolder"], "staging": "/nonexistent"}, "no dataset 'food12'"),
        (
            {"dataset": "food11-synthetic", "formats": ["imagefolder"], "staging": "/dev/null/data"},
            "cannot use /dev/null",
        ),
    ],
)
def test_a_failure_is_an_event_and_a_status(shipped: Path, document: object, what: str) -> None:
    code, events, _ = run(shipped, document)
    assert code == 1
    assert [event["event"] for event in events] == ["error"]
    assert what in events[0]["what"]
    assert set(events[0]) == {"event", "what", "why", "todo", "kind"}


def test_a_wrong_key_never_shows_the_secret(shipped: Path, tmp_path: Path, s3_server: Any, bucket: str) -> None:
    s3 = {"endpoint": s3_server.url, "region": "us-east-1", "bucket": bucket, "access": "nobody", "secret": "hush-hush"}
    code, events, errors = run(shipped, config(tmp_path, s3=s3))
    assert code == 1
    assert events[-1]["event"] == "error"
    assert events[-1]["kind"] == "auth"
    assert "hush-hush" not in json.dumps(events) + errors


def test_libraries_cannot_disturb_the_events(capfd: pytest.CaptureFixture[str]) -> None:
    kept = os.dup(1)
    before = sys.stdout
    try:
        stream = program._take_stdout()
        print("a library's chatter")  # noqa: T201
        os.write(1, b"from C code\n")
        stream.write("event\n")
        stream.close()
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        sys.stdout = before
    out, errors = capfd.readouterr()
    assert out == "event\n"
    assert "from C code" in errors


def test_kill_minus_nine_and_again(shipped: Path, tmp_path: Path) -> None:
    document = config(tmp_path, options={"images": 300, "workers": 2})
    whole = dict(document, staging=str(tmp_path / "whole"))
    process = start(shipped)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(document))
    process.stdin.close()
    for line in process.stdout:  # until some images are made
        if json.loads(line).get("task") == "Make images":
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    partial = tmp_path / "data/food11-synthetic/.Food-11.part"
    there = sum(1 for _ in partial.rglob("*.jpg"))
    assert 0 < there < 300
    begun = time.monotonic()
    code, events, _ = run(shipped, document)
    assert code == 0, events
    assert time.monotonic() - begun < 60
    assert run(shipped, whole)[1][-1]["result"] == events[-1]["result"]
    assert len(samples(tmp_path / "data/food11-synthetic/Food-11")) == 300
