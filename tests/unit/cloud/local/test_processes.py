"""Processes: found by their command line, and ended."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from chiops.cloud.local import processes

WORD = f"chiops-test-of-processes-{os.getpid()}"
DEAF = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
EASY = "import signal; print('there', flush=True); signal.pause()"


@pytest.mark.parametrize(("program", "ended_by"), [(EASY, 15), (DEAF, 9)])
def test_what_is_found_by_its_words_is_ended(program: str, ended_by: int) -> None:
    with subprocess.Popen([sys.executable, "-c", program, WORD], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert processes.naming(WORD) == [process.pid]
        assert processes.alive(process.pid)
        assert processes.end(process.pid, 0.2)
        assert not processes.alive(process.pid), "nobody has reaped it yet, and it counts as gone"
    assert process.returncode == -ended_by
    assert processes.end(process.pid, 0), "gone already"
