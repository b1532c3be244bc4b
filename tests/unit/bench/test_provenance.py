from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from chiops.bench.provenance import git_commit, parse_bounds


@pytest.mark.parametrize(
    ("text", "memory", "cores"),
    [
        ("memory 4294967296\ncpu 200000 100000\n", 2**32, 2.0),  # either version of control groups
        ("memory max\ncpu max 100000\n", "none", "none"),  # version 2, unbounded
        ("memory 9223372036854771712\ncpu -1 100000\n", "none", "none"),  # version 1, unbounded
        ("", "none", "none"),  # a virtual machine: its root group has no such files
    ],
)
def test_a_node_s_bounds_are_read_from_its_control_group(text: str, memory: object, cores: object) -> None:
    assert parse_bounds(text) == {"node_memory_limit_bytes": memory, "node_cpu_quota_cores": cores}


def test_the_commit_is_the_repository_s_and_says_when_files_differ(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", "-C", tmp_path, *identity, *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    git("init", "-q")
    file = tmp_path / "file"
    file.write_text("1")
    git("add", "file")
    git("commit", "-q", "-m", "one")
    commit = git("rev-parse", "HEAD")
    assert git_commit(tmp_path) == commit
    file.write_text("2")
    assert git_commit(tmp_path) == f"{commit}+changes"


def test_outside_a_repository_the_commit_is_unknown(tmp_path: Path) -> None:
    assert git_commit(tmp_path) == "unknown"
    assert git_commit(tmp_path / "nowhere") == "unknown"
