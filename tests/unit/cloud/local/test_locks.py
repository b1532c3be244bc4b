"""Locks between processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from chiops.cloud.local.locks import FileLock, locked

HOLD = """
import sys
from pathlib import Path
from chiops.cloud.local.locks import FileLock
lock = FileLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_only_one_holds_it(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.acquire(wait=False)
    assert not second.acquire(wait=False)
    first.release()
    assert second.acquire(wait=False)


def test_shared_locks_share_but_keep_an_exclusive_one_out(tmp_path: Path) -> None:
    first, second, alone = (FileLock(tmp_path / "lock") for _ in range(3))
    assert first.acquire(shared=True, wait=False)
    assert second.acquire(shared=True, wait=False)
    assert not alone.acquire(wait=False)
    first.release()
    second.release()
    assert alone.acquire(wait=False)


def test_it_goes_with_the_process_that_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert not FileLock(path).acquire(wait=False)
        holder.kill()
        holder.wait()
    assert FileLock(path).acquire(wait=False)


def test_a_removed_lock_file_is_not_locked_by_mistake(tmp_path: Path) -> None:
    """Who waited for a file that was removed meanwhile must lock the new one, or two would hold "the" lock."""
    path = tmp_path / "lock"
    with locked(path):
        path.unlink()
        other = FileLock(path)
        assert other.acquire(wait=False), "a new file, a new lock"
        assert not FileLock(path).acquire(wait=False)


def test_the_holder_may_say_who_it_is(tmp_path: Path) -> None:
    with FileLock(tmp_path / "lock") as lock:
        lock.write("a longer text")
        lock.write("12")
    assert (tmp_path / "lock").read_text() == "12"
