"""The real command line, run as a person runs it, in a state folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Stdout, which must be one JSON document and nothing else."""
        return json.loads(self.out)

    def __str__(self) -> str:
        return f"$ {' '.join(self.argv)}\nexit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


@dataclass(frozen=True)
class Chiops:
    """``chiops`` with its own ``XDG_STATE_HOME``; ``folder`` is where it runs, and where ``results/`` appears."""

    state_home: Path
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        return {**os.environ, "XDG_STATE_HOME": str(self.state_home), **self.environment}

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "chiops", *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Run it in the background, in a process group of its own."""
        return subprocess.Popen(
            self.argv(*arguments),
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, timeout: float = 900) -> Done:
        """Run it to its end, whatever that is."""
        done = subprocess.run(
            self.argv(*arguments),
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Done(("chiops", *arguments), done.returncode, done.stdout, done.stderr)

    def ok(self, *arguments: str, timeout: float = 900) -> Done:
        """Run it; it must succeed, without a traceback."""
        done = self.run(*arguments, timeout=timeout)
        assert done.code == 0, str(done)
        assert "Traceback" not in done.err, str(done)
        return done

    def refused(self, *arguments: str, timeout: float = 300) -> str:
        """Run it; it must fail with one clear sentence, which is returned."""
        done = self.run(*arguments, timeout=timeout)
        assert done.code not in (0, 70), str(done)
        assert "Traceback" not in done.err + done.out, str(done)
        errors = [line for line in done.err.splitlines() if line.startswith("Error: ")]
        assert len(errors) == 1, str(done)
        return errors[0].removeprefix("Error: ")
