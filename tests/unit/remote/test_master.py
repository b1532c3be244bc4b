"""Where the shared connection's socket lies."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from chiops.cloud.base import Node
from chiops.remote.master import close, control_path


def test_a_new_server_at_an_old_address_has_its_own_socket(node: Node) -> None:
    assert control_path(node) == control_path(replace(node, name="renamed"))
    others = [replace(node, server_id="2"), replace(node, port=23), replace(node, user="root")]
    assert len({control_path(each) for each in (node, *others)}) == 4


def test_the_socket_fits_into_its_address(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    assert len(os.fsencode(control_path(node))) + 17 <= 107


def test_only_we_can_enter_its_folder(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as base:
        monkeypatch.setattr(tempfile, "tempdir", base)
        assert control_path(node).parent.stat().st_mode & 0o777 == 0o700
        control_path(node).parent.chmod(0o755)
        assert control_path(node).parent.parent != Path(base)


def test_closing_takes_the_socket_away(node: Node, ssh_log: Path) -> None:
    control_path(node).touch()
    close(node)
    assert not control_path(node).exists()
    assert "stop" in ssh_log.read_text().splitlines()
    ssh_log.write_text("")
    close(node)
    assert ssh_log.read_text() == ""
