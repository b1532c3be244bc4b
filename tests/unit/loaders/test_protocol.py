"""The conversation over stdin and stdout, as a process of its own, since it takes over the process's stdout."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chiops import assets
from chiops.loaders import pipelines
from chiops.loaders.config import ArmConfig
from chiops.loaders.protocol import ArmError, Channel

PACKAGE_PARENT = assets.package("loaders").parent


def converse(document: object) -> tuple[int, list[dict[str, Any]], str]:
    done = subprocess.run(
        [sys.executable, "-m", "loaders"],
        cwd=PACKAGE_PARENT,
        input=json.dumps(document),
        capture_output=True,
        text=True,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_an_unknown_action_is_an_error_event() -> None:
    code, events, _ = converse({"action": "dance"})
    assert code == 1
    assert [event["event"] for event in events] == ["error"]
    assert "dance" in events[0]["what"]


def test_an_unknown_key_of_an_arm_is_named() -> None:
    _, events, _ = converse({"action": "run", "arm": {"format": "litdata", "dataset": "x", "colour": "red"}})
    assert events[-1]["what"].endswith("colour")


def test_a_bug_is_an_event_too_and_its_traceback_is_on_stderr() -> None:
    code, events, stderr = converse([])
    assert code == 1
    assert events[-1]["event"] == "error"
    assert "Traceback" in stderr


def test_what_libraries_print_does_not_get_between_the_events() -> None:
    program = (
        "import os\nfrom loaders.protocol import Channel\nchannel = Channel.on_stdout()\n"
        "print('from python')\nos.write(1, b'from below\\n')\nchannel.note('event')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PACKAGE_PARENT, capture_output=True, text=True, check=True
    )
    assert [json.loads(line) for line in done.stdout.splitlines()] == [{"event": "note", "text": "event"}]
    assert "from python" in done.stderr
    assert "from below" in done.stderr


def test_progress_is_sparse_but_its_end_is_always_told() -> None:
    stream = io.StringIO()
    channel = Channel(stream)
    for done in range(1, 1001):
        channel.progress("samples", done, 1000, "img")
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(events) < 100
    assert events[-1]["done"] == 1000


def test_the_formats_are_the_files_of_the_pipelines() -> None:
    files = {path.stem.replace("_", "-") for path in Path(pipelines.__path__[0]).glob("[a-z]*.py")}
    assert set(pipelines.names()) == files
    assert {"imagefolder-local", "litdata"} <= files


def test_the_control_side_knows_every_format_of_the_node_side() -> None:
    from chiops.bench.formats import FORMATS

    assert sorted(FORMATS) == pipelines.names()


def test_an_unknown_format_is_told_what_there_is() -> None:
    with pytest.raises(ArmError) as caught:
        pipelines.load(ArmConfig(format="floppy", dataset="x"))
    assert "litdata" in caught.value.todo


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"workers": -1},
        {"cache": "hot"},
        {"access": "zigzag"},
        {"client": "curl"},
        {"fetcher": "fast"},
        {"epochs": 0},
        {"emulate_s": -1},
        {"s3": {"url": "x"}},
    ],
)
def test_a_configuration_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ArmError):
        ArmConfig.from_json({"format": "litdata", "dataset": "x"} | wrong)


def test_the_secret_is_in_no_repr() -> None:
    s3 = {"url": "http://x", "region": "r", "bucket": "b", "access": "AKIA", "secret": "hush-hush"}
    assert "hush" not in repr(ArmConfig.from_json({"format": "litdata", "dataset": "x", "s3": s3}))
