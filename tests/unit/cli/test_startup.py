"""What the command line must not import before it knows which command runs: the guard of a start without a wait."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "ansible",
    "ansible_runner",
    "asyncio",
    "boto3",
    "botocore",
    "chi",
    "docker",
    "jinja2",
    "keystoneauth1",
    "numpy",
    "openstack",
    "pydantic",
    "requests",
    "sqlite3",
    "swiftclient",
    "torch",
    "urllib3",
    "yaml",
}


def imported(program: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after ``program``."""
    report = (
        f"{program}\nimport json, sys\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    )
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("module", ["chiops.cli.main", "chiops.cloud.base", "chiops.errors", "chiops.progress"])
def test_importing_stays_light(module: str) -> None:
    assert imported(f"import {module}") & HEAVY == set()


def test_help_stays_light() -> None:
    show_help = """
import contextlib, io, sys
from chiops.cli.main import main
sys.argv = ["chiops", "--help"]
with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.suppress(SystemExit):
    main()
assert "Usage" in shown.getvalue(), shown.getvalue()
"""
    assert imported(show_help) & HEAVY == set()


def test_the_guard_sees_a_heavy_import() -> None:
    assert "yaml" in imported("import yaml")
