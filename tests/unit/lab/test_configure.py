"""Whether a node is as it should be, asked on one that is this machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chiops.cloud.base import Node
from chiops.lab.configure import _healthy
from chiops.lab.loader import parse
from chiops.remote.connection import TimeUp
from tests.support.hanging import ENDLESS, SOON, write_program

NODE = Node(name="node", address="192.0.2.1", user="cc", key_file=Path("k"), known_hosts=Path("h"))
SPEC = parse(
    """\
version: 1
name: lab
servers: [{name: node, flavor: m1.tiny}]
buckets: [{name: bucket}]
mounts: [{bucket: bucket, server: node, path: /mnt/object}]
volumes: [{name: data, size_gib: 2, server: node, mount: /mnt/block}]
""",
    "lab.yaml",
    {},
).spec


class Here:
    """Runs what should run on the node, where all is well but for what a test puts in its place."""

    node = NODE

    def __init__(self, programs: Path, **scripts: str) -> None:
        well = {"cat": "echo print", "mountpoint": "", "ls": "", "findmnt": "echo rw", "sudo": 'exec "$@"'}
        for name, script in {**well, "timeout": SOON, **scripts}.items():
            write_program(programs / name, script)
        self._env = {"PATH": f"{programs}:{os.environ['PATH']}"}

    def run(self, *command: str, **_: Any) -> Any:
        # a stream that is kept open is waited for, as ssh does
        done = subprocess.run(command, capture_output=True, env=self._env, timeout=3, check=False)
        return SimpleNamespace(returncode=done.returncode)


def healthy(ssh: Any) -> bool:
    return _healthy(ssh, "print", SPEC)


@pytest.mark.parametrize(
    ("scripts", "well"),
    [
        ({}, True),
        ({"cat": "echo other"}, False),
        ({"mountpoint": "exit 1"}, False),
        ({"ls": "exit 2"}, False),
        ({"findmnt": "echo ro"}, False),
        ({"ls": ENDLESS}, False),
        ({"mountpoint": ENDLESS}, False),
    ],
)
def test_a_node_is_well_if_all_of_it_answers(tmp_path: Path, scripts: dict[str, str], well: bool) -> None:
    assert healthy(Here(tmp_path, **scripts)) is well


def test_a_node_that_does_not_answer_in_time_is_not_well() -> None:
    def run(*_: str, **__: Any) -> None:
        raise TimeUp("it did not end", todo="look")

    assert not healthy(SimpleNamespace(node=NODE, run=run))
