"""Runs of ``chiops`` in processes that are forked from one which has imported everything: some 50 ms each.

The parent (`Forge`, in the test) talks to a process without threads, which this file is the program of: a line of JSON in for
each job, and out the process's number when it begins and how it ended.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.support.cli import Done

TIMEOUT_S = 180.0
"""Most runs take a tenth of a second; a machine with much to do takes its time."""


class Hung(AssertionError):
    """The process did not end in time."""


@dataclass
class Forge:
    """A process that forks; use as a context manager. One job at a time: make one for each core."""

    timeout_s: float = TIMEOUT_S

    def __enter__(self) -> Self:
        # Without a buffer: a line in it would be waited for in vain, since `select` looks at the pipe
        command = [sys.executable, "-m", "tests.support.forge"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(30)

    def run(self, folder: Path, setup: str, options: Mapping[str, Any], *argv: str) -> Done:
        """Run ``chiops argv`` in ``folder``, which has its state, after ``setup`` (``module:function``) with ``options``."""
        assert self._process.stdin
        assert self._process.stdout
        job = {"folder": str(folder), "setup": setup, "options": dict(options), "argv": argv}
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        pid = int(self._process.stdout.readline())
        ready, _, _ = select.select([self._process.stdout], [], [], self.timeout_s)
        if not ready:
            os.kill(pid, signal.SIGKILL)
        code = int(self._process.stdout.readline())
        done = Done(("chiops", *argv), code, (folder / "out").read_text(), (folder / "err").read_text())
        if not ready:
            raise Hung(f"not within {self.timeout_s:g} s\n{done}")
        return done


def _child(job: dict[str, Any]) -> int:
    folder = Path(job["folder"])
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    os.environ["XDG_CONFIG_HOME"] = str(folder / "config")
    os.chdir(folder)
    for name, number in (("out", 1), ("err", 2)):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    module, _, function = job["setup"].partition(":")
    getattr(importlib.import_module(module), function)(folder, **job["options"])
    sys.argv = ["chiops", *job["argv"]]
    from chiops.cli.main import main

    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    return 0


def _preload() -> None:
    """What a run imports sooner or later; none of it starts a thread. What can't be imported fails where it is needed."""
    from chiops import cli, lab, ops, remote, resources, s3

    for package in (cli, lab, ops, remote, resources, s3):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            with suppress(ImportError):
                importlib.import_module(module.name)
    for name in (
        "chiops.console", "chiops.logs", "jinja2.sandbox", "pydantic", "rich.console", "rich.live", "rich.table", "yaml",
        "botocore.handlers", "botocore.httpsession", "botocore.retries.standard", "botocore.session", "botocore.signers",
        "tests.support.cuts", "tests.support.faulty_cloud",
    ):  # fmt: skip
        importlib.import_module(name)


def _serve() -> None:
    _preload()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            code = 99
            try:
                code = _child(json.loads(line))
                sys.stdout.flush()
                sys.stderr.flush()
            except BaseException:  # noqa: BLE001 - a process that forks must never go back to its parent's loop
                traceback.print_exc()
            finally:
                os._exit(code)
        print(pid, flush=True)  # noqa: T201 - its answer
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)  # noqa: T201 - its answer


if __name__ == "__main__":
    _serve()
