from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from chiops.loaders.config import ArmConfig
from chiops.loaders.failures import broken, full, last_line, short

ARM = ArmConfig(format="imagefolder-local", dataset="x", timeout_s=30)


@pytest.mark.parametrize(
    "says",
    ["DataLoader worker (pid(s) 1, {}) exited unexpectedly", "DataLoader worker (pid {}) is killed by signal: x. "],
)
@pytest.mark.parametrize(
    ("code", "why"), [(-signal.SIGKILL, "killed by signal Killed"), (3, "it exited by itself, with code 3")]
)
def test_the_end_of_a_worker_is_asked_of_the_process(says: str, code: int, why: str) -> None:
    fork = multiprocessing.get_context("fork")
    others, lost = fork.Process(target=os.kill, args=(os.getpid(), 0)), fork.Process(target=_leave, args=(code,))
    for worker in (others, lost):
        worker.start()
        worker.join()
    found = broken(RuntimeError(says.format(lost.pid)), ARM, 64, [others, lost])
    assert (found.what, found.why) == ("a worker process ended after 64 samples", why)
    assert "memory" in found.todo


def _leave(code: int) -> None:
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)


def test_a_worker_that_nobody_knows_is_not_said_to_be_killed() -> None:
    assert broken(RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly"), ARM, 0).why == "it exited by itself"


def test_a_late_batch_says_how_long_was_waited() -> None:
    found = broken(RuntimeError("DataLoader timed out after 30 seconds"), ARM, 8)
    assert found.what.startswith("no batch came within 30 s")
    assert "--batch-timeout" in found.todo


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "/cache/litdata/b/chunk-0-1.bin"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("Caught OSError in DataLoader worker process 0.\nOSError: [Errno 28] No space left on device\n"),
    ],
)
def test_a_full_disk_is_named_also_by_what_it_came_of(error: Exception) -> None:
    outer = RuntimeError("the library failed")
    outer.__cause__ = error
    for one in (error, outer):
        found = broken(one, ARM, 64)
        assert found.what == "the node's disk is full"
        assert "/var/lib/chiops" in found.todo
    assert full(ValueError("no")) is None


def test_full_shared_memory_is_no_full_disk() -> None:
    error = RuntimeError("unable to write to file </torch_7_1_0>: No space left on device (28)")
    found = broken(error, ARM, 64)
    assert (found.what, "--batch-size" in found.todo) == ("the container's shared memory is full", True)


@pytest.mark.parametrize(
    ("free", "keeps", "is_full"), [(1 << 20, True, True), (1 << 20, False, False), (1 << 40, True, False)]
)
def test_a_library_that_waits_for_a_chunk_that_no_disk_has_room_for(
    free: int, keeps: bool, is_full: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arm = ArmConfig(format="litdata", dataset="x", cache_dir=tmp_path)
    if keeps:
        (tmp_path / "litdata").mkdir()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    for found in (broken(RuntimeError("DataLoader timed out after 120 seconds"), arm, 8), short(arm, 8, 96)):
        assert (found.what == "the node's disk is full") is is_full


def test_a_pass_that_ends_early_is_an_error() -> None:
    found = short(ARM, 31, 96)
    assert found.what == "the pipeline delivered 31 samples of 96"
    assert found.todo


@pytest.mark.parametrize(
    ("text", "line"), [("Traceback\n  File\nOSError: gone\n", "OSError: gone"), ("", "ValueError")]
)
def test_the_last_line_of_a_traceback_is_what_it_says(text: str, line: str) -> None:
    assert last_line(ValueError(text)) == line
