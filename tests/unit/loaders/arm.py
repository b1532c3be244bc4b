"""An arm on its own, in a process that is forked from this one, which has imported what is slow."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

from chiops.loaders.samples import as_text, canonical_order, combine, digest

SAMPLES, BATCH, SHARD = 96, 8, 100_000
BUCKET = "bench"
SPLIT = "ds/Food-11/training"
Place = dict[str, Any]


def keys_of(data: Path) -> list[str]:
    return canonical_order(path.relative_to(data / SPLIT).as_posix() for path in (data / SPLIT).glob("*/*.jpg"))


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
