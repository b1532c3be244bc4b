"""The inventory script, as Ansible runs it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chiops import assets
from chiops.lab.status import LabStatus, Part
from chiops.output import plain

SCRIPT = assets.root() / "inventories" / "chiops.py"


def server(name: str, address: str) -> Part:
    extra: dict[str, object] = {
        "address": address,
        "user": "cc",
        "key_file": Path("/k/id"),
        "known_hosts": Path("/k/a b"),
    }
    return Part("server", name, "ACTIVE", extra=extra)


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the script against a chiops that reports the given labs."""

    def run(*labs: LabStatus) -> dict[str, Any]:
        (tmp_path / "status.json").write_text(json.dumps(plain(list(labs))))
        fake = tmp_path / "chiops"
        fake.write_text(f'#!/bin/sh\n[ "$*" = "status --output json" ] && exec cat "{tmp_path}/status.json"\nexit 9\n')
        fake.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        done = subprocess.run([SCRIPT, "--list"], capture_output=True, text=True, check=True)
        return dict(json.loads(done.stdout))

    return run


def test_servers_are_hosts_and_labs_are_groups(listed: Any) -> None:
    lab = LabStatus("object-lab", "local", "up", parts=(server("node-1", "192.0.2.7"), Part("bucket", "b", "ready")))
    got = listed(lab)
    assert got["object_lab"] == {"hosts": ["node-1"]}
    host = got["_meta"]["hostvars"]["node-1"]
    assert host["ansible_host"] == "192.0.2.7"
    assert host["ansible_ssh_private_key_file"] == "/k/id"
    assert 'UserKnownHostsFile="/k/a b"' in shlex.split(host["ansible_ssh_common_args"])


def test_servers_that_are_not_up_and_labs_that_do_not_answer_are_left_out(listed: Any) -> None:
    got = listed(
        LabStatus("a", "local", "up", parts=(server("node-1", ""),)), LabStatus("b", "CHI@TACC", "up", problem="no")
    )
    assert got == {"_meta": {"hostvars": {}}}


def test_servers_of_one_name_are_told_apart(listed: Any) -> None:
    got = listed(
        LabStatus("a", "local", "up", parts=(server("node", "192.0.2.7"),)),
        LabStatus("2b", "local", "up", parts=(server("node", "192.0.2.8"),)),
    )
    assert got["a"]["hosts"] == ["a.node"]
    assert got["_2b"]["hosts"] == ["2b.node"]


def test_without_chiops_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "python3").symlink_to(sys.executable)
    done = subprocess.run([SCRIPT, "--list"], capture_output=True, text=True, check=False, env={"PATH": str(tmp_path)})
    assert done.returncode == 1
    assert "not on PATH" in done.stderr
