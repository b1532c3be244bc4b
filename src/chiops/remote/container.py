"""Our node-side code, run in a container on a node: configuration on stdin, JSON lines back on stdout."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import IO, Any

from chiops.errors import (
    Auth,
    Capacity,
    ChiopsError,
    DataError,
    NotFound,
    NotOurs,
    RemoteFailed,
    Transient,
    UsageError,
)
from chiops.names import format_duration
from chiops.remote.connection import ConnectionFailed, TimeUp
from chiops.remote.logs import new_log
from chiops.remote.ssh import CommandFailed, Ssh

LABEL = "chiops=module"
"""What tells our containers from anybody else's."""

_TAIL_BYTES = 2000
_PRINTED = "stdout: "
_KILLED, _DOCKER_FAILED = 137, 125
_NO_SPACE = "no space left on device"
# One login does both: a run that was killed has left its container, and that goes before a new one takes its name.
_LAUNCH = (
    'old=$(docker ps --all --quiet --filter "name=^/?$1\\$" --filter "label=$2"); '
    '[ -z "$old" ] || docker rm --force $old >/dev/null; shift 2; exec docker run "$@"'
)
_KINDS: dict[str, type[ChiopsError]] = {
    "auth": Auth,
    "capacity": Capacity,
    "data": DataError,
    "foreign": NotOurs,
    "not-found": NotFound,
    "transient": Transient,
    "usage": UsageError,
}

Event = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the container may use; sizes as Docker writes them (``512m``, ``2g``), None for all that the node has.

    ``shm_size`` bounds the shared memory that loader workers hand tensors over in; it is taken only as it is used.
    """

    memory: str | None = None
    cpus: float | None = None
    shm_size: str = "2g"

    def arguments(self) -> list[str]:
        """Options of ``docker run``."""
        words = [f"--shm-size={self.shm_size}"]
        if self.memory:
            # The same bound for memory and swap together: what swaps is not measured.
            words += [f"--memory={self.memory}", f"--memory-swap={self.memory}"]
        if self.cpus:
            words.append(f"--cpus={self.cpus:g}")
        return words


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What a person can do, in options of the command that runs the module.

    Args:
        killed: when memory ran out.
        late: when its time was up.
    """

    killed: str = "take a node with more memory"
    late: str = "run it again"


def run_module(
    ssh: Ssh,
    image: str,
    module: str,
    config: Mapping[str, Any],
    *,
    mounts: Sequence[str] = (),
    limits: Limits | None = None,
    on_event: Callable[[Event], None] | None = None,
    timeout_s: float | None = None,
    feed: Iterable[bytes] = (),
    advice: Advice | None = None,
) -> dict[str, Any]:
    """Run ``python -m MODULE`` in a fresh container and return its result.

    Args:
        ssh: the node; Docker and the image must be there.
        image: the image's name.
        module: the module to run. One run per module and node at a time: a container left by an earlier run is removed.
        config: what the module reads on stdin, as JSON. Secrets are safe in it: it is in no argument, environment or log.
        mounts: volumes as ``docker run --volume`` has them.
        limits: what the container may use.
        on_event: called for each event but the last, in the caller's thread.
        timeout_s: seconds until it is stopped, None for never.
        feed: what follows the configuration's line on stdin, asked for piece by piece in another thread.
        advice: what can be done where the container's end is all that is known.

    Returns:
        The ``result`` that the module reported.

    Raises:
        ChiopsError: the failure that the module reported, by the class that its ``kind`` names.
        Capacity: the node's disk is too full for a container.
        RemoteFailed: the module died without a word, its time was up, or the connection broke.
    """
    advice = advice or Advice()
    name = f"chiops-{module}"
    arguments = [
        *("--rm", "--interactive", f"--name={name}", f"--label={LABEL}"),
        # The node's own network: what is measured is the way to the bucket, without a bridge in it.
        "--network=host",
        # Events are read here as they come; no second copy on the node's disk.
        "--log-driver=none",
        *(limits or Limits()).arguments(),
        *(f"--volume={mount}" for mount in mounts),
        *(image, "python", "-m", module),
    ]
    command = ("sh", "-c", _LAUNCH, "sh", name, LABEL, *arguments)
    log = new_log(f"{module}-{ssh.node.name}")
    outcome: dict[str, Any] | None = None
    try:
        # Appending, since ssh and we write to it in turn.
        with log.open("a+b") as stderr:
            document = chain([f"{json.dumps(config)}\n".encode()], feed)
            for line in ssh.stream(*command, input=document, timeout=timeout_s, stderr=stderr):
                event = _event(line, stderr)
                if event["event"] in ("result", "error"):
                    outcome = event
                elif event["event"] and on_event:
                    on_event(event)
    except ConnectionFailed as error:
        raise _lost(ssh, module, error) from error
    except CommandFailed as error:
        if outcome is None or outcome["event"] == "result":
            raise _died(ssh, module, error.returncode, log, advice) from error
    except TimeUp as error:
        _remove(ssh, name)
        given = format_duration(timedelta(seconds=timeout_s or 0))
        raise TimeUp(f"{module} on {ssh.node.name} did not end within {given}", todo=advice.late) from error
    except BaseException:
        _remove(ssh, name)
        raise
    if outcome is None:
        raise RemoteFailed(f"{module} on {ssh.node.name} ended without a result", why=_tail(log), todo=f"look at {log}")
    if outcome["event"] == "error":
        kind = _KINDS.get(str(outcome.get("kind")), RemoteFailed)
        raise kind(str(outcome.get("what")), why=str(outcome.get("why") or ""), todo=str(outcome.get("todo") or ""))
    return dict(outcome["result"])


def _event(line: str, log: IO[bytes]) -> Event:
    """The event in a line; what is none (a library that prints) goes to the log."""
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    if isinstance(event, dict) and isinstance(event.get("event"), str):
        return event
    log.write(f"{_PRINTED}{line}\n".encode())
    log.flush()
    return {"event": ""}


def _lost(ssh: Ssh, module: str, error: ConnectionFailed) -> RemoteFailed:
    return RemoteFailed(
        f"the connection to {ssh.node.name} was lost while {module} ran",
        why=error.why,
        todo="check that the node is up, then run the command again; what is left of this run is removed then",
    )


def _died(ssh: Ssh, module: str, code: int, log: Path, advice: Advice) -> ChiopsError:
    where = f"{module} on {ssh.node.name}"
    if code == _KILLED:
        return RemoteFailed(
            f"{where} was killed, as happens when memory runs out",
            todo=f"{advice.killed}; {log} has its last words",
        )
    if code == _DOCKER_FAILED and _NO_SPACE in _tail(log).lower():
        why = f"the container of {where} did not start: {_tail(log)}"
        return Capacity(f"the disk of {ssh.node.name} is full", why=why, todo="make room on it, then run this again")
    if code == _DOCKER_FAILED:
        return RemoteFailed(f"the container of {where} did not start", why=_tail(log), todo="run `chiops up` again")
    return RemoteFailed(f"{where} failed with exit {code}", why=_tail(log), todo=f"look at {log}")


def _tail(log: Path) -> str:
    text = log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()
    lines = [line for line in text.splitlines() if not line.startswith((_PRINTED, "See 'docker"))]
    return lines[-1] if lines else "it said nothing"


def _remove(ssh: Ssh, name: str) -> None:
    """After Ctrl-C or a fault of ours: the container would run on by itself."""
    script = 'docker rm --force $(docker ps --all --quiet --filter "name=^/?$1\\$" --filter "label=$2")'
    with suppress(RemoteFailed):
        ssh.run("sh", "-c", script, "sh", name, LABEL, timeout=30, check=False)
