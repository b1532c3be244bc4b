"""A lab is changed by one command at a time; who waits is told for whom, and a dead holder holds nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from chiops.errors import Conflict, Interrupted
from chiops.lab.lock import interruptible, lab_lock, work_lock

TAKE = "from chiops.lab.lock import lab_lock\nwith lab_lock('l', 'up l'): print('held', flush=True); input()"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "chiops" / "locks" / "l.lock"


@pytest.fixture
def holder() -> subprocess.Popen[str]:
    """Another process that has the lock, until it reads a line or is killed."""
    process = subprocess.Popen([sys.executable, "-c", TAKE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_who_holds_it_is_told(holder: subprocess.Popen[str]) -> None:
    with pytest.raises(Conflict) as caught, lab_lock("l"):
        pass
    assert f"`chiops up l` (process {holder.pid} on {socket.gethostname()}, since " in caught.value.what
    holder.communicate("\n")
    with lab_lock("l"):
        pass


def test_a_killed_holder_holds_nothing(holder: subprocess.Popen[str], state: Path) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert json.loads(state.read_text())["pid"] == holder.pid  # it could not sign off
    with lab_lock("l"):
        assert json.loads(state.read_text())["pid"] == os.getpid()
    assert state.read_text() == ""


@pytest.mark.parametrize("written", ["", "12", "[]", '{"pid": 1}', "\x00"])
def test_a_holder_that_has_not_signed_yet_is_told_as_such(written: str, state: Path) -> None:
    with lab_lock("l"):
        state.write_text(written)
        with pytest.raises(Conflict, match="another chiops works on the lab l"), lab_lock("l"):
            pass


def test_two_labs_are_held_at_once() -> None:
    with lab_lock("one"), lab_lock("two"):
        pass


def test_work_on_the_nodes_excludes_all_but_what_leaves_them_alone() -> None:
    with work_lock("l", "bench run"):
        with pytest.raises(Conflict, match="`chiops bench run`"), work_lock("l", "data prepare"):
            pass
        with pytest.raises(Conflict, match="`chiops bench run`"), lab_lock("l", "down l"):
            pass
        with lab_lock("l", "extend l", beside_work=True):
            pass
    with lab_lock("l", "up l"), pytest.raises(Conflict, match="`chiops up l`"), work_lock("l", "bench run"):
        pass


def test_an_interrupt_says_which_command_goes_on() -> None:
    told = "`chiops up l` goes on, `chiops down l` takes it back"
    with pytest.raises(Interrupted, match=told) as caught, interruptible(told):
        raise KeyboardInterrupt
    assert caught.value.exit_code == 130
