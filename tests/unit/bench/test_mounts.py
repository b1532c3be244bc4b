"""The mounts of a run, on a node that is this machine: its root does as it is told by the programs of a folder."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chiops.bench.mounts import Mounts
from chiops.cloud.base import Node, S3Access, S3Endpoint
from chiops.errors import RemoteFailed
from chiops.remote import ansible
from chiops.remote.connection import ConnectionFailed, Fault
from tests.support.hanging import ENDLESS, SOON, write_program

S3 = S3Access(bucket="lab-bucket", endpoint=S3Endpoint("http://s3:8333"), access="AKIA", secret="hush-hush")
NODE = Node(name="n1", address="192.0.2.1", user="cc", key_file=Path("k"), known_hosts=Path("h"), server_id="1")


class Here:
    """Runs what should run on the node; of the programs that could change something there are stand-ins."""

    node = NODE

    def __init__(self, programs: Path, **found: str) -> None:
        programs.mkdir()
        answers = {"systemctl": "", "findmnt": "", "umount": "", "rmdir": "", "rm": "", "s3fs": "V1.90"} | found
        for name, answer in answers.items():
            (programs / name).write_text(f"#!/bin/sh\necho '{answer}'\n")
            (programs / name).chmod(0o755)
        self._path = f"{programs}:{os.environ['PATH']}"

    def run(self, *command: str, **_: Any) -> Any:
        assert command[0] == "sudo"
        done = subprocess.run(
            command[1:], capture_output=True, text=True, env={"PATH": self._path}, timeout=30, check=False
        )
        return SimpleNamespace(stdout=done.stdout, stderr=done.stderr, returncode=done.returncode)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The backends that each run of the playbook was to mount; of mountpoint-s3 nothing comes."""
    found: list[list[str]] = []

    def run_playbook(_name: str, _nodes: Any, *, variables: Mapping[str, Any], **_: Any) -> None:
        found.append([one["backend"] for one in variables["bench_mounts"]])
        if "mountpoint-s3" in found[-1]:
            raise RemoteFailed("“Need mount-s3” failed on n1", why="mountpoint-s3 is not on n1", todo="look")

    monkeypatch.setattr(ansible, "run_playbook", run_playbook)
    return found


def test_a_mount_that_does_not_come_up_is_told_and_the_others_stay(asked: list[list[str]], tmp_path: Path) -> None:
    with Mounts(Here(tmp_path / "bin"), S3, ["rclone", "mountpoint-s3", "s3fs"]) as mounts:  # type: ignore[arg-type]
        assert mounts.missing == {"mountpoint-s3": "mountpoint-s3 is not on n1"}
    assert asked == [["rclone", "mountpoint-s3", "s3fs"], ["rclone"], ["mountpoint-s3"], ["s3fs"]]


def test_a_single_mount_is_not_tried_twice(asked: list[list[str]], tmp_path: Path) -> None:
    with Mounts(Here(tmp_path / "bin"), S3, ["mountpoint-s3"]) as mounts:  # type: ignore[arg-type]
        assert list(mounts.missing) == ["mountpoint-s3"]
    assert len(asked) == 1


def test_a_node_that_is_lost_ends_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def run_playbook(*_: Any, **__: Any) -> None:
        raise ConnectionFailed(NODE, Fault.DROPPED)

    monkeypatch.setattr(ansible, "run_playbook", run_playbook)
    with pytest.raises(ConnectionFailed), Mounts(Here(tmp_path / "bin"), S3, ["rclone", "s3fs"]):  # type: ignore[arg-type]
        pass


def test_the_daemon_s_time_and_memory_are_read_from_the_kernel(asked: list[list[str]], tmp_path: Path) -> None:
    node = Here(tmp_path / "bin", systemctl=str(os.getpid()), findmnt="rw,relatime")
    with Mounts(node, S3, ["s3fs"]) as mounts:  # type: ignore[arg-type]
        state = mounts.state("s3fs")
    own = os.times()
    assert state.daemon_cpu_s == pytest.approx(own.user + own.system, abs=1)
    assert state.daemon_peak_rss_bytes is not None
    assert state.daemon_peak_rss_bytes > 1 << 20
    assert (state.version, state.flags) == ("V1.90", "rw,relatime")


def test_a_daemon_that_is_gone_has_neither(asked: list[list[str]], tmp_path: Path) -> None:
    with Mounts(Here(tmp_path / "bin", systemctl="0"), S3, ["s3fs"]) as mounts:  # type: ignore[arg-type]
        state = mounts.state("s3fs")
    assert (state.daemon_cpu_s, state.daemon_peak_rss_bytes) == (None, None)


def test_a_bucket_that_does_not_answer_is_told_although_its_reader_cannot_be_ended(
    asked: list[list[str]], tmp_path: Path
) -> None:
    node = Here(tmp_path / "bin", systemctl="0", mountpoint="", install="")
    write_program(tmp_path / "bin" / "timeout", SOON)
    write_program(tmp_path / "bin" / "ls", ENDLESS)
    with (
        Mounts(node, S3, ["s3fs"]) as mounts,  # type: ignore[arg-type]
        pytest.raises(RemoteFailed, match="the bucket did not answer within 60 s"),
    ):
        mounts.empty("s3fs")
