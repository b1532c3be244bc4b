"""Stand-ins for programs, put on the PATH: a reader that hangs as one of a dead FUSE mount does, and a hurried `timeout`."""

from __future__ import annotations

from pathlib import Path

ENDLESS = "trap '' TERM; exec sleep 5"
"""No signal of `timeout` ends it, which waits for what it started."""
SOON = 'shift; exec /usr/bin/timeout 0.2 "$@"'


def write_program(path: Path, script: str) -> None:
    """A shell script as a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
