"""A stand-in for ssh that runs the remote command here, so that everything but the network is real."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from chiops.cloud.base import Node

_HERE = """#!/bin/sh
printf '%s\\n' "$@" >> "{log}"
for last; do :; done
case "$*" in *"-O stop"*) exit 0 ;; esac
exec sh -c "exec $last"
"""


def program(path: Path, text: str) -> None:
    """Make an executable script."""
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def bin_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder at the front of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return folder


@pytest.fixture
def ssh_log(tmp_path: Path, bin_dir: Path) -> Path:
    """ssh, replaced by one that runs the command on this machine; the file has its arguments, one per line."""
    log = tmp_path / "ssh.log"
    log.touch()
    program(bin_dir / "ssh", _HERE.format(log=log))
    return log


@pytest.fixture
def broken_ssh(bin_dir: Path) -> Callable[[str], None]:
    """Make ssh fail with a message of its own."""

    def use(message: str) -> None:
        program(bin_dir / "ssh", f"#!/bin/sh\necho '{message}' >&2\nexit 255\n")

    return use


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node that only the stand-in reaches."""
    return Node(
        name="node-1", address="192.0.2.7", user="cc", key_file=tmp_path / "key", known_hosts=tmp_path / "known_hosts"
    )
