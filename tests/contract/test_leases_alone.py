"""A lease of the local site ends at its time also when no chiops runs any more, however the last one went."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chiops.cloud.base import State
from tests.support.leftovers import assert_clean, leftovers
from tests.support.nodes import ssh_greets
from tests.support.poll import is_gone, wait_for

pytestmark = pytest.mark.nodes
LASTS_S = 15


@pytest.fixture
def lonely_home(state_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder of its own, so that no connection of this session's site can do the work."""
    home = Path(tempfile.mkdtemp(prefix="cha-", dir="/tmp"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home))
    yield home
    if not leftovers(home):
        shutil.rmtree(home)


@pytest.mark.parametrize("ending", ["exit", "kill"])
def test_it_ends_when_nobody_looks(lonely_home: Path, key: tuple[Path, str], ending: str) -> None:
    from chiops.cloud.local.cloud import LocalCloud

    command = [sys.executable, "-m", "tests.support.book_and_go", str(LASTS_S), key[1], ending]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    assert done.stdout, f"nothing was booked, exit {done.returncode}"
    booked = json.loads(done.stdout)
    remaining = max(0.0, booked["end"] - time.time())
    wait_for("the server, while its lease runs", lambda: ssh_greets(booked["address"]), within=remaining)
    wait_for("silence", lambda: not ssh_greets(booked["address"], timeout=1), within=remaining + 20)
    assert time.time() >= booked["end"] - 1, "not before its time"

    with LocalCloud() as cloud:
        assert is_gone(lambda: cloud.compute.get(booked["server"]))
        assert all(lease.state is State.ENDED for lease in cloud.leases.list() if lease.id == booked["lease"])
    assert_clean(lonely_home)
