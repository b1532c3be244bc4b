"""The check that nothing is left finds what it should; otherwise its silence would mean nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.leftovers import interfaces, leftovers

WAITS = "import sys; print(flush=True); sys.stdin.read()"


@contextmanager
def waiting(*arguments: str, **environment: str) -> Iterator[int]:
    """A process that lives for the body; its id."""
    command = [sys.executable, "-c", WAITS, *arguments]
    everything = {**os.environ, **environment}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=everything) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid


def test_a_clean_machine_has_none(tmp_path: Path) -> None:
    assert leftovers(tmp_path, interfaces()) == []


def test_a_process_is_found_by_its_command_line(tmp_path: Path) -> None:
    with waiting(f"--config={tmp_path}/daemon.json") as pid:
        (found,) = leftovers(tmp_path, interfaces())
        assert found.startswith(f"process {pid}:")
    assert leftovers(tmp_path, interfaces()) == []


def test_a_process_is_found_by_its_environment(tmp_path: Path) -> None:
    with waiting(XDG_STATE_HOME=str(tmp_path)) as pid:
        (found,) = leftovers(tmp_path, interfaces())
        assert found.startswith(f"process {pid}:")


def test_a_network_interface_is_found(tmp_path: Path) -> None:
    assert leftovers(tmp_path, interfaces() - {"lo"}) == ["network interface lo"]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_mount_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "mnt"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
    try:
        assert leftovers(tmp_path, interfaces()) == [f"mount: {folder}"]
    finally:
        subprocess.run(["umount", folder], check=True)
    assert leftovers(tmp_path, interfaces()) == []
