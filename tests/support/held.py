"""``chiops`` at the fast cloud as a process of its own, held at a request until the test lets it go on.

usage: python -m tests.support.held NOTE held|stuck REQUEST ARGUMENTS…
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from chiops.errors import Transient
from tests.support import fast_chiops
from tests.support.cli import Done
from tests.support.poll import wait_for

LONGEST_S = 120.0
"""For whatever is waited for here; most takes a second."""
_ROOT = Path(__file__).parents[2]
_numbers = itertools.count()


class Held:
    """A command that runs in ``folder`` and comes to ``request`` (``service.method``); use as a context manager.

    Args:
        folder: as in `tests.support.runs`; several may run in one.
        request: where it is held until `go`.
        argv: the command.
        stuck: whether it isn't held there but told to try again, each time, for ever.
    """

    def __init__(self, folder: Path, request: str, *argv: str, stuck: bool = False) -> None:
        self._folder, self._argv = folder, argv
        self._note = folder / f"held-{next(_numbers)}"
        self._program = [str(self._note), "stuck" if stuck else "held", request, *argv]

    def __enter__(self) -> Self:
        homes = {f"XDG_{name}_HOME": str(self._folder / name.lower()) for name in ("STATE", "CONFIG")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.held", *self._program],
            cwd=self._folder,
            env={**os.environ, **homes, "PYTHONPATH": str(_ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def pid(self) -> int:
        return self._process.pid

    def reached(self) -> Self:
        """Wait until it is there."""
        wait_for(f"{self._argv} at {self._program[2]}", lambda: self._note.exists() or self._over(), within=LONGEST_S)
        assert self._note.exists(), str(self.end())
        return self

    def _over(self) -> bool:
        return self._process.poll() is not None

    def press(self) -> None:
        """What Ctrl-C does: the whole group gets the signal."""
        os.killpg(self.pid, signal.SIGINT)

    def go(self) -> Self:
        """Let it go on."""
        self._note.unlink()
        return self

    def end(self, within: float = LONGEST_S) -> Done:
        """How it ended; fails the test if it does not."""
        out, err = self._process.communicate(timeout=within)
        done = Done(("chiops", *self._argv), self._process.returncode, out, err)
        assert "Traceback" not in out + err, str(done)
        return done


def _hold(note: Path, way: str, request: str) -> None:
    @contextmanager
    def watch(name: str) -> Iterator[None]:
        if name == request:
            note.touch()
            if way == "stuck":
                raise Transient("the service is busy")
            end = time.monotonic() + LONGEST_S
            while note.exists() and time.monotonic() < end:
                time.sleep(0.005)
        yield

    fast_chiops.install(Path("cloud.db").absolute(), watch)


if __name__ == "__main__":
    from chiops.cli.main import main

    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by what a shell has run in the background
    _hold(Path(sys.argv[1]), *sys.argv[2:4])
    sys.argv[1:] = sys.argv[4:]
    main()
