"""Playbooks, run by Ansible through ansible-runner: one run for all nodes, whatever the person's own ansible.cfg says."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sysconfig
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chiops import assets
from chiops.cloud.base import Node
from chiops.errors import PrerequisiteMissing, RemoteFailed, UsageError
from chiops.progress import Task
from chiops.remote.connection import ConnectionFailed, batch_options, classify
from chiops.remote.inventory import inventory
from chiops.remote.logs import new_log
from chiops.remote.master import close_all, share
from chiops.remote.playbook_events import EventWatcher, HostStats, TaskFailure
from chiops.remote.private_run import literal_yaml, private_run_dir

_IDENT = "run"
_POLL_S, _GRACE_S = 0.2, 15.0


@dataclass(frozen=True, slots=True)
class PlaybookRun:
    """A run that succeeded on every node.

    Args:
        playbooks: their names, in order.
        hosts: what happened, by node.
        seconds: how long it took.
        log: Ansible's whole output; tasks that handle secrets show none of theirs.
        told: what the playbooks told by ``set_stats``.
    """

    playbooks: tuple[str, ...]
    hosts: Mapping[str, HostStats]
    seconds: float
    log: Path
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def changed(self) -> int:
        """How many tasks changed something, over all nodes."""
        return sum(host.changed for host in self.hosts.values())


def run_playbook(
    name: str | Sequence[str],
    nodes: Sequence[Node],
    *,
    variables: Mapping[str, object] | None = None,
    secrets: Mapping[str, object] | None = None,
    parent_task: Task | None = None,
    timeout_s: int = 3600,
) -> PlaybookRun:
    """Run one or more of our playbooks on all ``nodes`` at once.

    Args:
        name: the playbook's name without ``.yml``; several run in order, for the price of one start.
        nodes: the hosts; none is no work.
        variables: extra variables, taken literally: braces in them are no templates.
        secrets: like ``variables``; kept apart only for the reader, both live in a private file while the run lasts.
        parent_task: the progress task that the plays appear under.
        timeout_s: seconds until the run is stopped.

    Raises:
        RemoteFailed: a task failed, a node was not reached, or the time was up.
    """
    names = (name,) if isinstance(name, str) else tuple(name)
    files = [_playbook(each) for each in names]
    if not nodes:
        return PlaybookRun(names, {}, 0.0, Path(os.devnull))
    started = time.monotonic()
    for node in nodes:
        share(node)
    with private_run_dir() as folder:
        (folder / "inventory.yml").write_text(literal_yaml(inventory(nodes)))
        (folder / "env").mkdir()
        (folder / "env" / "extravars").write_text(literal_yaml({**(variables or {}), **(secrets or {})}))
        watcher = EventWatcher(parent_task)
        try:
            code, late = _run(folder, files, watcher, forks=max(5, len(nodes)), timeout_s=timeout_s)
        finally:
            watcher.close()
            log = _keep_log(folder, names)
    if late:
        raise RemoteFailed(f"{', '.join(names)} did not end within {timeout_s} s", todo=f"look at {log}")
    if code:
        raise _failed(names, nodes, watcher, log)
    run = PlaybookRun(names, watcher.stats, time.monotonic() - started, log, watcher.told)
    if run.changed:
        # A login keeps the groups that it began with; the next one has those that the run added.
        close_all(nodes)
    return run


def _playbook(name: str) -> Path:
    path = assets.playbooks() / f"{name}.yml"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in assets.playbooks().glob("*.yml")))
        raise UsageError(f"there is no playbook {name}", todo=f"choose one of {known}")
    return path


def _run(
    folder: Path, playbooks: Sequence[Path], watcher: EventWatcher, *, forks: int, timeout_s: int
) -> tuple[int, bool]:
    """Exit code, and whether the time was up. Ansible runs in a thread, so that Ctrl-C reaches us and stops it."""
    from ansible_runner import Runner, RunnerConfig

    config = RunnerConfig(
        private_data_dir=str(folder),
        playbook=str(playbooks[0]),
        inventory=str(folder / "inventory.yml"),
        ident=_IDENT,
        quiet=True,
        settings={"pexpect_timeout": _POLL_S},
    )
    config.prepare()
    config.command.extend(map(str, playbooks[1:]))
    if setpriv := shutil.which("setpriv"):
        # Killed outright, we can't end it, and what goes on on the node would meet what the next command does there
        config.command[:0] = [setpriv, "--pdeathsig", "TERM"]
    runner_set = {"ANSIBLE_CALLBACK_PLUGINS", "ANSIBLE_STDOUT_CALLBACK", "ANSIBLE_RETRY_FILES_ENABLED"}
    inherited = {key: value for key, value in config.env.items() if not key.startswith("ANSIBLE_") or key in runner_set}
    config.env = {**inherited, **_settings(folder, forks)}

    kill = threading.Event()
    trouble: list[BaseException] = []

    def work() -> None:
        try:
            runner.run()
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            trouble.append(error)

    runner = Runner(config=config, event_handler=watcher.handle, cancel_callback=kill.is_set)
    thread = threading.Thread(target=work, name="ansible", daemon=True)
    end, late = time.monotonic() + timeout_s, False
    thread.start()
    try:
        while thread.is_alive() and not late:
            thread.join(_POLL_S)
            late = time.monotonic() > end
    finally:
        _stop(thread, watcher.pid, kill)
    if trouble:
        raise trouble[0]
    # A process that a signal ended has no exit code.
    return (-1 if runner.rc is None else int(runner.rc)), late


def _stop(thread: threading.Thread, pid: int, kill: threading.Event) -> None:
    """End a run that has not ended. Asked first: only Ansible itself ends its workers, each of which leads a session."""
    if thread.is_alive() and pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        thread.join(_GRACE_S)
    kill.set()
    thread.join(_GRACE_S)


def _settings(folder: Path, forks: int) -> dict[str, str]:
    scripts = Path(sysconfig.get_path("scripts"))
    if not (scripts / "ansible-playbook").exists():
        raise PrerequisiteMissing(
            f"ansible-playbook is not in {scripts}", todo="install chiops anew, with its dependencies"
        )
    (folder / "ansible.cfg").touch()
    return {
        "PATH": os.pathsep.join([str(scripts), os.environ.get("PATH", os.defpath)]),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_FORKS": str(forks),
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_SSH_ARGS": shlex.join(batch_options()),
        "ANSIBLE_SSH_RETRIES": "2",
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_INVENTORY_ENABLED": "yaml",
        "ANSIBLE_NOCOLOR": "True",
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
    }


def _failed(names: Sequence[str], nodes: Sequence[Node], watcher: EventWatcher, log: Path) -> RemoteFailed:
    if not watcher.failures:
        lines = log.read_text(errors="replace").strip().splitlines()
        return RemoteFailed(f"{', '.join(names)} did not run", why=" ".join(lines[-3:]), todo=f"look at {log}")
    failure: TaskFailure = next(iter(watcher.failures.values()))
    others = len(watcher.failures) - 1
    if failure.unreachable and (fault := classify(failure.message)):
        return ConnectionFailed(next(node for node in nodes if node.name == failure.host), fault)
    where = failure.host + (f" and {others} more" if others else "")
    return RemoteFailed(
        f"“{failure.task}” failed on {where}", why=failure.message, todo=f"the whole output is in {log}"
    )


def _keep_log(folder: Path, names: Sequence[str]) -> Path:
    kept = new_log("+".join(names))
    written = folder / "artifacts" / _IDENT / "stdout"
    if written.exists():
        # Copied into the file that is there, since that one is private.
        kept.write_bytes(written.read_bytes())
    return kept
