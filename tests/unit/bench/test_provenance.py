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


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository of chiops with one commit."""
    package = tmp_path / "src" / "chiops"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("1")
    (tmp_path / "notes").write_text("1")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_commit_is_the_checkout_s_and_says_when_what_runs_differs(checkout: Path) -> None:
    package, commit = checkout / "src" / "chiops", git(checkout, "rev-parse", "HEAD")
    assert git_commit(package) == commit
    (checkout / "notes").write_text("2")
    assert git_commit(package) == commit
    (package / "__init__.py").write_text("2")
    assert git_commit(package) == f"{commit}+changes"


@pytest.mark.parametrize("place", [".venv/lib/chiops", "src/chiops/copy", "src/chiops"])
def test_a_commit_of_somebody_else_s_repository_is_not_ours(checkout: Path, place: str) -> None:
    package = checkout / place
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("1")
    if place == "src/chiops":
        git(checkout, "rm", "-q", "--cached", "src/chiops/__init__.py")
    assert git_commit(package) == "unknown"


def test_outside_a_repository_the_commit_is_unknown(tmp_path: Path) -> None:
    assert git_commit(tmp_path) == "unknown"
    assert git_commit(tmp_path / "nowhere") == "unknown"
