from __future__ import annotations

import pytest

from chiops.loaders.config import ArmConfig
from chiops.loaders.failures import broken, last_line, short

ARM = ArmConfig(format="imagefolder-local", dataset="x", timeout_s=30)


def test_a_signal_is_named_wherever_torch_tells_it() -> None:
    outer = RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly")
    outer.__cause__ = RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")
    for error in (outer, outer.__cause__):
        assert isinstance(error, Exception)
        found = broken(error, ARM, 64)
        assert (found.what, found.why) == ("a worker process ended after 64 samples", "killed by signal Killed")
        assert "memory" in found.todo


def test_a_worker_that_left_by_itself_was_not_killed() -> None:
    assert broken(RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly"), ARM, 0).why == "it exited by itself"


def test_a_late_batch_says_how_long_was_waited() -> None:
    found = broken(RuntimeError("DataLoader timed out after 30 seconds"), ARM, 8)
    assert found.what.startswith("no batch came within 30 s")
    assert "--batch-timeout" in found.todo


def test_a_pass_that_ends_early_is_an_error() -> None:
    found = short(ARM, 31, 96)
    assert found.what == "the pipeline delivered 31 samples of 96"
    assert found.todo


@pytest.mark.parametrize(
    ("text", "line"), [("Traceback\n  File\nOSError: gone\n", "OSError: gone"), ("", "ValueError")]
)
def test_the_last_line_of_a_traceback_is_what_it_says(text: str, line: str) -> None:
    assert last_line(ValueError(text)) == line
