"""What Jupyter's container is given of the buckets, as Docker is told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chiops import assets

BIND = "--mount=type=bind,source={0},target={0},bind-propagation=rslave"


def binds(mounts: dict[str, bool]) -> list[str]:
    """As Ansible makes them out of paths and whether they are read-only."""
    role = assets.playbooks() / "roles/jupyter/vars/main.yml"
    given = json.dumps({"jupyter_mounts": [{"path": path, "read_only": ro} for path, ro in mounts.items()]})
    ansible = Path(sys.executable).with_name("ansible")
    command = [ansible, "localhost", "-m", "debug", "-a", "var=jupyter_binds", "-e", f"@{role}", "-e", given]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    found: list[str] = json.loads(said.partition("=>")[2])["jupyter_binds"]
    return found


@pytest.mark.parametrize(
    ("mounts", "wanted"),
    [
        pytest.param({}, [], id="none"),
        pytest.param({"/mnt/raw": True, "/mnt/out": False}, [BIND.format("/mnt")], id="one of two may be written"),
        pytest.param({"/mnt/raw": True, "/mnt/old": True}, [BIND.format("/mnt") + ",readonly"], id="both read-only"),
        pytest.param(
            {"/raw": True, "/mnt/out": False},
            [BIND.format("/mnt"), BIND.format("/raw") + ",readonly"],
            id="in two folders, one directly below /",
        ),
    ],
)
def test_each_folder_is_passed_in_once(mounts: dict[str, bool], wanted: list[str]) -> None:
    assert binds(mounts) == wanted
