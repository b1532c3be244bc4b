"""What Ansible reports while a playbook runs: shown as progress, and kept where it failed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from chiops import progress

_SHOWN_CHARS = 1500


@dataclass(frozen=True, slots=True)
class HostStats:
    """How many tasks of one node ended how."""

    ok: int = 0
    changed: int = 0
    failed: int = 0
    unreachable: int = 0


@dataclass(frozen=True, slots=True)
class TaskFailure:
    """A task that failed on a node; ``message`` is the module's own."""

    host: str
    task: str
    message: str
    unreachable: bool = False


class EventWatcher:
    """Receives ansible-runner's events: a task of `chiops.progress` per play, a note per task and node."""

    def __init__(self, parent: progress.Task | None = None) -> None:
        self.failures: dict[str, TaskFailure] = {}
        self.stats: dict[str, HostStats] = {}
        self.told: dict[str, Any] = {}
        self.pid = 0
        """Ansible's process, as soon as it has reported anything."""
        self._parent = parent
        self._play = ExitStack()
        self._shown: progress.Task | None = None

    def handle(self, event: Mapping[str, Any]) -> bool:
        """Take one event. Always False: ansible-runner then writes no copy of it to disk."""
        data = event.get("event_data") or {}
        self.pid = self.pid or int(event.get("pid") or 0)
        match event.get("event"):
            case "playbook_on_play_start":
                self._open(str(data.get("name") or "play"))
            case "runner_on_start":
                self._note(data)
            case "runner_on_failed" if not data.get("ignore_errors"):
                self._failed(data, unreachable=False)
            case "runner_on_unreachable":
                self._failed(data, unreachable=True)
            case "playbook_on_stats":
                self.stats = stats(data)
                self.told = dict(data.get("artifact_data") or {})
        return False

    def close(self) -> None:
        """End the last play's progress task."""
        self._play.close()
        self._shown = None

    def _open(self, name: str) -> None:
        self.close()
        self._shown = self._play.enter_context(progress.task(name, parent=self._parent))

    def _note(self, data: Mapping[str, Any]) -> None:
        # Ansible adds a task that checks each role's arguments: nothing that a person waits for.
        if self._shown and not str(data.get("task")).startswith("Validating arguments"):
            self._shown.note(f"{title(data)} ({data.get('host')})")

    def _failed(self, data: Mapping[str, Any], *, unreachable: bool) -> None:
        # The last failure of a node is kept: a rescue explains what the task before it could not.
        host = str(data.get("host", ""))
        self.failures[host] = TaskFailure(host, title(data), message(data.get("res") or {}), unreachable)


def title(data: Mapping[str, Any]) -> str:
    """A task's name with its role's, each once."""
    role, task = str(data.get("role") or ""), str(data.get("task") or "")
    task = task.removeprefix(f"{role} : ")
    return f"{role}: {task}" if role else task


def stats(data: Mapping[str, Any]) -> dict[str, HostStats]:
    """The final counts by node."""
    kinds = {kind: data.get(key) or {} for kind, key in _STATS_KEYS.items()}
    hosts = sorted({host for counts in kinds.values() for host in counts})
    return {host: HostStats(**{kind: int(counts.get(host, 0)) for kind, counts in kinds.items()}) for host in hosts}


_STATS_KEYS = {"ok": "ok", "changed": "changed", "failed": "failures", "unreachable": "dark"}


def message(result: Mapping[str, Any]) -> str:
    """Why a task failed, from its result: the failed items' messages, else its own, with what a command complained."""
    if "censored" in result:
        return "its output holds secrets and is not shown"
    items = [item for item in result.get("results") or () if isinstance(item, Mapping) and item.get("failed")]
    if items:
        return "; ".join(dict.fromkeys(filter(None, map(message, items))))
    own = str(result.get("msg") or "").strip()
    said = next((str(result[key]).strip() for key in ("stderr", "module_stderr", "stdout") if result.get(key)), "")
    # For commands Ansible's own words say no more than that the exit code was not zero.
    words = said if said and (not own or own.startswith("non-zero return code")) else own
    return words[-_SHOWN_CHARS:]
