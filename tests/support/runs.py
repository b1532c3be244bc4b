"""Runs of the command line at the fast cloud, many at once, each in a folder of its own."""

from __future__ import annotations

import os
import queue
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.support.cli import Done
from tests.support.fast_lab import NAME, assert_down, assert_up, furnish, in_memory, others, ours, put_objects
from tests.support.forge import Forge

PLAN = ("plan", "lab.yaml", "--site", "fast")
UP = ("up", "lab.yaml", "--site", "fast", "--no-configure", "--yes", "-o", "json")
KEEP = ("down", NAME, "--yes")
PURGE = (*KEEP, "--purge-bucket", "--purge-volume")
KILLED = -9
UNKNOWN_LAB = 2
"""The exit code of `down` for a lab of which nothing is left."""
OBJECTS = 5


class Runs:
    """Folders with a lab in some state, and processes to run commands in them.

    Attributes:
        root: for folders of the caller's own.
        fresh: a folder with the lab's file and a cloud where only others are at home.
        before: all that is theirs.
        width: how many commands run at once.
    """

    def __init__(self, root: Path, forges: Sequence[Forge]) -> None:
        self.root, self.width = root, len(forges)
        self._forges: queue.SimpleQueue[Forge] = queue.SimpleQueue()
        for forge in forges:
            self._forges.put(forge)
        self.fresh = root / "fresh"
        self.fresh.mkdir()
        furnish(self.fresh)
        self.run(self.fresh, *PLAN)  # makes this machine's ssh key
        self.before = others(self.fresh)

    def brought_up(self) -> Path:
        """A folder in which the lab is up, with objects in its bucket."""
        folder = self.root / "up"
        if not folder.exists():
            shutil.copytree(self.fresh, folder)
            self.run(folder, *UP)
            put_objects(folder, OBJECTS)
            assert_up(folder)
        return folder

    def run(self, folder: Path, *argv: str, cut: str = "", press: str = "", codes: Sequence[int] = (0,)) -> Done:
        """Run a command there, cut or interrupted at a point (see `tests.support.cuts`); it must end with one of these codes."""
        done = self._run(folder, "tests.support.cuts:install", {"cut": cut, "press": press}, *argv)
        assert done.code in codes, str(done)
        return done

    def faulty(self, folder: Path, options: Mapping[str, Any], *argv: str) -> int:
        """Run a command there while the cloud fails (see `tests.support.faulty_cloud`); it may fail, with one sentence."""
        done = self._run(folder, "tests.support.faulty_cloud:install", options, *argv)
        assert done.code in (0, 1, UNKNOWN_LAB), str(done)
        errors = [line for line in done.err.splitlines() if line.startswith("Error: ")]
        assert len(errors) == bool(done.code), str(done)
        return done.code

    def points(self, origin: Path, *argv: str) -> list[str]:
        """All points that a command comes by which is left alone."""
        folder = self.root / f"dry-{len(argv)}-{argv[0]}"
        shutil.copytree(origin, folder)
        (folder / "points").unlink(missing_ok=True)
        self.run(folder, *argv)
        found = (folder / "points").read_text().splitlines()
        assert len(set(found)) == len(found)
        return found

    def comes_right(self, folder: Path, down: Sequence[str]) -> None:
        """After an `up` that was ended: another completes the lab and, in a copy of the folder, ``down`` takes all of it."""
        second = folder.with_name(f"{folder.name}-down")
        shutil.copytree(folder, second)
        try:
            self.run(folder, *UP)
            assert_up(folder)
            made = bool(ours(second))
            self.run(second, *down, codes=(0,) if made else (0, UNKNOWN_LAB))
            assert_down(second)
            assert others(second) == self.before
        finally:
            shutil.rmtree(second)

    def at_each(self, points: Sequence[str], origin: Path, trial: Callable[[Path, str], None]) -> None:
        """Make a trial of each point, in a folder of its own that is like ``origin``; what is not ours may not change."""

        def one(point: str) -> str:
            folder = self.root / point.replace(" ", "-")
            shutil.copytree(origin, folder)
            try:
                trial(folder, point)
                assert others(folder) == self.before, "what is not ours has changed"
            except AssertionError as error:
                return f"{point}: {error}"
            finally:
                shutil.rmtree(folder)
            return ""

        with ThreadPoolExecutor(self.width) as pool:
            failed = [told for told in pool.map(one, points) if told]
        assert not failed, f"{len(failed)} of {len(points)} points\n" + "\n\n".join(failed[:3])

    def _run(self, folder: Path, setup: str, options: Mapping[str, Any], *argv: str) -> Done:
        forge = self._forges.get()
        try:
            done = forge.run(folder, setup, options, *argv)
        finally:
            self._forges.put(forge)
        assert "Traceback" not in done.out + done.err, str(done)
        return done


@contextmanager
def started() -> Iterator[Runs]:
    """As many processes as this machine has cores, and room in memory."""
    with ExitStack() as stack:
        root = stack.enter_context(in_memory())
        yield Runs(root, [stack.enter_context(Forge()) for _ in range(os.cpu_count() or 1)])
