"""This machine as a node: the node-side modules in an environment of their own, fed on stdin as in their container.

Run as a program, it prints where the packages of that environment are.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chiops import assets, paths

_RECIPE = ("requirements.txt", "constraints.txt", "no-deps.txt")


class Failed(Exception):
    """A module reported an error, or died."""


def python() -> Path:
    """A Python with what the bench image has, made at first use (minutes, gigabytes) and kept in the cache."""
    recipe = assets.templates() / "docker" / "bench"
    texts = [(recipe / name).read_bytes() for name in _RECIPE]
    folder = paths.cache_dir() / f"loaders-{hashlib.sha256(b''.join(texts)).hexdigest()[:12]}"
    if not (folder / "ready").exists():
        print(f"installing torch and the loaders' libraries into {folder}, once", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        wanted, pins, alone = (str(recipe / name) for name in _RECIPE)
        subprocess.run([folder / "bin/pip", "install", "-q", "-r", wanted, "-c", pins], check=True)
        subprocess.run([folder / "bin/pip", "install", "-q", "--no-deps", "-r", alone], check=True)
        (folder / "ready").touch()
    return folder / "bin" / "python"


def run_module(interpreter: Path, module: str, config: Mapping[str, Any], log: Path) -> dict[str, Any]:
    """Run ``python -m MODULE`` and give its result; what it says else goes to ``log``."""
    environment = {**os.environ, "PYTHONPATH": str(assets.package("etl").parent), "NO_PROXY": "127.0.0.1"}
    with log.open("ab") as said:
        done = subprocess.run(
            [interpreter, "-m", module],
            input=json.dumps(config).encode(),
            stdout=subprocess.PIPE,
            stderr=said,
            env=environment,
            check=False,
        )
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]
    last = next((event for event in reversed(events) if event["event"] in ("result", "error")), None)
    if last is None or last["event"] == "error":
        raise Failed(f"{module}: {last or f'exit {done.returncode}'}; see {log}")
    return dict(last["result"])


if __name__ == "__main__":
    where = [python(), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    print(subprocess.run(where, check=True, capture_output=True, text=True).stdout.strip())
