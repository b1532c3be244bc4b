"""How progress looks: a live tree on a terminal, plain lines off it. Both on stderr."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chiops.names import format_bytes
from chiops.progress import Reporter, Task

if TYPE_CHECKING:
    from rich.tree import Tree

LINE_EVERY_S = 5.0
"""Off a terminal, how often work that moves says how far it has come."""
SILENCE_S = 15.0
"""Off a terminal, how long a task may be silent."""


@dataclass(eq=False)
class _Line:
    """One task, as either reporter keeps it."""

    title: str
    depth: int
    began: float
    shown: _Lines
    children: list[_Line] = field(default_factory=list)
    now: str = ""
    outcome: str = ""
    state: str = "runs"
    spoke: float = 0.0

    def note(self, text: str) -> None:
        self.now = text
        self.shown.changed(self)

    def advance(self, done: float, *, total: float | None = None, unit: str = "") -> None:
        self.now = _amount(done, total, unit)
        self.shown.counted(self)

    def finish(self, text: str = "") -> None:
        self.outcome = text

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


def _amount(done: float, total: float | None, unit: str) -> str:
    if unit in ("B", "bytes"):
        return f"{format_bytes(done)} of {format_bytes(total)}" if total else format_bytes(done)
    words = f"{done:,.0f} of {total:,.0f} {unit}" if total else f"{done:,.0f} {unit}"
    return f"{words.strip()} ({done / total:.0%})" if total else words.strip()


class _Lines:
    """What both reporters share: opening and closing tasks."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def open(self, title: str, *, parent: Task | None = None) -> Task:
        above = parent if isinstance(parent, _Line) else None
        line = _Line(title, above.depth + 1 if above else 0, time.monotonic(), self)
        with self._lock:
            if above:
                above.children.append(line)
            self.opened(line)
        return line

    def close(self, task: Task, *, failed: str = "") -> None:
        if not isinstance(task, _Line):
            return
        with self._lock:
            task.state, task.outcome = ("failed", failed) if failed else ("done", task.outcome)
            self.closed(task)

    def opened(self, line: _Line) -> None: ...
    def changed(self, line: _Line) -> None: ...
    def counted(self, line: _Line) -> None: ...
    def closed(self, line: _Line) -> None: ...


class PlainLines(_Lines):
    """A line when a task has ended, and every few seconds while it goes on, so that a log shows that it lives."""

    def __init__(self) -> None:
        super().__init__()
        self._open: list[_Line] = []
        self._idle: threading.Event | None = None

    def opened(self, line: _Line) -> None:
        line.spoke = line.began
        self._open.append(line)
        if self._idle is None:
            self._idle = threading.Event()
            threading.Thread(target=self._beat, args=(self._idle,), name="pulse", daemon=True).start()

    def changed(self, line: _Line) -> None:
        self._speak(line, LINE_EVERY_S)

    counted = changed

    def _beat(self, idle: threading.Event) -> None:
        while not idle.wait(LINE_EVERY_S):
            with self._lock:
                # Only the innermost tasks speak: what is above them is told by its parts.
                for line in self._open:
                    if not any(child in self._open for child in line.children):
                        self._speak(line, SILENCE_S)

    def _speak(self, line: _Line, silence_s: float) -> None:
        with self._lock:
            now = time.monotonic()
            if now - line.spoke >= silence_s:
                line.spoke = now
                doing = f": {line.now}" if line.now else ""
                self.say(f"{'  ' * line.depth}… {line.title}{doing} ({line.seconds:.0f} s)")

    def closed(self, line: _Line) -> None:
        self._open.remove(line)
        if not self._open and self._idle:
            self._idle.set()
            self._idle = None
        sign = "✗" if line.state == "failed" else "✓"
        outcome = f": {line.outcome}" if line.outcome else ""
        took = f" ({line.seconds:.1f} s)" if line.seconds >= 1 else ""
        self.say(f"{'  ' * line.depth}{sign} {line.title}{outcome}{took}")

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)  # noqa: T201


class LiveTree(_Lines):
    """Tasks that run, as a tree that is redrawn in place; each is printed for good once it has ended."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True)
        self._roots: list[_Line] = []
        self._live = Live(console=self._console, refresh_per_second=8, transient=True, get_renderable=self._tree)
        self._started = False

    def opened(self, line: _Line) -> None:
        if line.depth == 0:
            self._roots.append(line)
        if not self._started:
            self._started = True
            self._live.start()

    def closed(self, line: _Line) -> None:
        if line.depth:
            return
        self._roots.remove(line)
        self._print(line)
        if not self._roots and self._started:
            self._live.stop()
            self._started = False

    def _print(self, line: _Line) -> None:
        from rich.text import Text

        colour, sign = ("red", "✗") if line.state == "failed" else ("green", "✓")
        text = Text("  " * line.depth).append(f"{sign} ", style=colour).append(line.title)
        if line.outcome:
            text.append(f": {line.outcome}", style="dim")
        if line.seconds >= 1 and line.depth == 0:
            text.append(f" ({line.seconds:.1f} s)", style="dim")
        self._console.print(text)

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

    def _tree(self) -> Tree:
        from rich.tree import Tree

        tree = Tree("", hide_root=True, guide_style="dim")
        with self._lock:
            for root in self._roots:
                self._grow(tree, root)
        return tree

    def _grow(self, tree: Tree, line: _Line) -> None:
        from rich.spinner import Spinner
        from rich.text import Text

        text = Text(line.title)
        if line.now and line.state == "runs":
            text.append(f"  {line.now}", style="dim")
        text.append(f"  {line.seconds:.0f} s", style="dim")
        # Only what runs is drawn, and the last few that ended, so that the tree fits on a screen.
        branch = tree.add(Spinner("dots", text) if line.state == "runs" else Text("✓ ", style="green").append(text))
        running = [child for child in line.children if child.state == "runs"]
        for child in running or line.children[-3:]:
            self._grow(branch, child)


def reporter() -> Reporter:
    """The reporter that fits where stderr goes."""
    return LiveTree() if sys.stderr.isatty() else PlainLines()
