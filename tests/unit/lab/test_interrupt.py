"""Ctrl-C and a second command at once: each ends in a sentence that tells what to do. Cuts at every point are in tests/faults."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from chiops.errors import Conflict, Interrupted, Timeout
from chiops.lab import release, session, up
from chiops.lab.configure import configure
from chiops.remote.ssh import Ssh
from chiops.resources import waiting
from tests.support.memory import Memory, nothing
from tests.unit.lab.labs import ALL, LAB, agree, bring_up, nobody, write


@pytest.fixture
def path(memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(release, "_answering", lambda _: [])
    return write(tmp_path)


def test_ctrl_c_lets_the_request_end_and_names_the_command_that_goes_on(
    path: str, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(request: str) -> None:
        if request == "compute.create":
            raise KeyboardInterrupt

    memory.after = press
    with pytest.raises(Interrupted, match="`chiops up lab --no-configure` goes on, `chiops down lab` takes it back"):
        bring_up(path)
    assert len(memory.of("server")) >= 1  # made, marked, and found again
    assert waiting.cancel.is_set()
    memory.after = nothing
    monkeypatch.setattr(waiting, "cancel", threading.Event())
    up.up("lab", {}, None, agree, nobody, configured=False)
    assert memory.count() == ALL


def test_ctrl_c_ends_the_wait_for_nodes_that_boot(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = LAB.replace("flavor: m1.tiny", "flavor: m1.tiny, configure: [docker]").replace(", mount: /mnt/block", "")
    bring_up(write(tmp_path, text))
    at_it = threading.Event()
    ended: list[str] = []

    def boot(self: Ssh, _: float, pause: Callable[[float], None]) -> None:
        if self.node.name == "node-1":
            assert at_it.wait(10)
            raise KeyboardInterrupt
        at_it.set()
        try:
            pause(10)
        except Timeout:
            ended.append(self.node.name)
            raise

    monkeypatch.setattr(Ssh, "wait_ready", boot)
    with pytest.raises(KeyboardInterrupt), session.opened("lab") as lab:
        configure(lab.lab.spec, lab.nodes(), {}, {}, {})
    assert ended == ["node-2"]


def test_a_second_command_meanwhile_is_told_who_works(path: str, memory: Memory) -> None:
    told: list[str] = []

    def meanwhile(request: str) -> None:
        if request == "compute.create" and not told:
            with pytest.raises(Conflict) as caught:
                bring_up(path)
            told.append(caught.value.what)

    memory.hook = meanwhile
    bring_up(path)
    assert f"`chiops up {path}` (process {os.getpid()} on " in told[0]
    assert memory.count() == ALL
