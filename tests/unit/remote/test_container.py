"""Modules in containers, with a docker that runs them here."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chiops.cloud.base import Node
from chiops.errors import Auth, Capacity, ChiopsError, RemoteFailed
from chiops.remote.connection import ConnectionFailed, Fault, TimeUp
from chiops.remote.container import Advice, Limits, run_module
from chiops.remote.ssh import Ssh
from tests.unit.remote.conftest import program

_MODULE = """
import json, os, sys, time
config = json.load(sys.stdin)
for line in config["say"]:
    print(line if isinstance(line, str) else json.dumps(line), flush=True)
print(config.get("complain", ""), file=sys.stderr, flush=True)
sys.exit(config.get("exit", 0))
"""


@pytest.fixture
def docker_log(tmp_path: Path, bin_dir: Path) -> Path:
    """docker, replaced by one that runs a module which says what its configuration asks for."""
    log = tmp_path / "docker.log"
    log.touch()
    (tmp_path / "module.py").write_text(_MODULE)
    program(
        bin_dir / "docker",
        f'#!/bin/sh\necho "$*" >> "{log}"\n'
        f'case "$1" in ps) cat "{tmp_path}/left" 2>/dev/null; exit 0 ;; rm) exit 0 ;; esac\n'
        f'exec "{sys.executable}" "{tmp_path}/module.py"\n',
    )
    return log


@pytest.fixture
def ssh(node: Node, ssh_log: Path, docker_log: Path) -> Ssh:
    return Ssh(node)


RESULT = {"event": "result", "result": {"answer": 42}}


def run(ssh: Ssh, *say: Any, **config: Any) -> dict[str, Any]:
    return run_module(ssh, "img:1", "loaders", {"say": say, **config})


def test_the_result_comes_back_and_events_on_the_way(ssh: Ssh) -> None:
    events: list[dict[str, Any]] = []
    progress = {"event": "progress", "task": "t", "done": 1, "total": 2, "unit": "files"}
    say = [progress, "a library prints", {"event": "note", "text": "hi"}, {"other": 1}, "[1]", RESULT]
    got = run_module(ssh, "img:1", "loaders", {"say": say}, on_event=events.append)
    assert got == {"answer": 42}
    assert [each["event"] for each in events] == ["progress", "note"]


def test_secrets_are_in_no_argument_and_no_log(ssh: Ssh, ssh_log: Path, docker_log: Path, tmp_path: Path) -> None:
    run(ssh, RESULT, key="SEKRET")
    kept = [path.read_text() for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert "SEKRET" not in "".join([ssh_log.read_text(), docker_log.read_text(), *kept])


def test_the_container_is_named_limited_and_mounted(ssh: Ssh, docker_log: Path) -> None:
    limits = Limits(memory="512m", cpus=1.5, shm_size="1g")
    run_module(ssh, "img:1", "loaders", {"say": [RESULT]}, mounts=["/a:/b:ro"], limits=limits)
    line = next(line for line in docker_log.read_text().splitlines() if line.startswith("run "))
    for option in (
        *("--rm", "--interactive", "--name=chiops-loaders", "--label=chiops=module", "--network=host"),
        *("--memory=512m", "--memory-swap=512m", "--cpus=1.5", "--shm-size=1g", "--volume=/a:/b:ro"),
    ):
        assert option in line.split()
    assert line.endswith("img:1 python -m loaders")


def test_a_killed_runs_container_goes_first(ssh: Ssh, docker_log: Path, tmp_path: Path) -> None:
    (tmp_path / "left").write_text("abc123\n")
    run(ssh, RESULT)
    verbs = [line.split()[0] for line in docker_log.read_text().splitlines()]
    assert verbs == ["ps", "rm", "run"]
    assert "rm --force abc123" in docker_log.read_text()
    assert "label=chiops=module" in docker_log.read_text()


@pytest.mark.parametrize("code", [0, 1])
def test_a_reported_error_is_raised_as_its_kind(ssh: Ssh, code: int) -> None:
    said = {"event": "error", "what": "the key is refused", "why": "403", "todo": "make a new one", "kind": "auth"}
    with pytest.raises(Auth) as caught:
        run(ssh, said, exit=code)
    assert caught.value.sentence() == "the key is refused: 403. Make a new one."


def test_an_error_without_a_kind_is_a_remote_failure(ssh: Ssh) -> None:
    with pytest.raises(RemoteFailed, match="it broke"):
        run(ssh, {"event": "error", "what": "it broke"})


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "ended without a result: last words"),
        (1, "failed with exit 1: last words"),
        (137, "killed, as happens when memory runs out"),
        (125, "did not start: last words"),
    ],
)
def test_a_death_without_a_word_is_explained(ssh: Ssh, code: int, words: str) -> None:
    with pytest.raises(RemoteFailed, match=words):
        run(ssh, "printed by a library", complain="first\nlast words", exit=code)


def test_what_can_be_done_is_said_in_the_options_of_the_command(ssh: Ssh) -> None:
    advice = Advice(killed="take fewer --threads", late="allow more with --arm-timeout")
    with pytest.raises(RemoteFailed) as caught:
        run_module(ssh, "img:1", "etl", {"say": [], "exit": 137}, advice=advice)
    assert caught.value.todo.startswith("take fewer --threads; ")


def test_a_module_that_takes_too_long_is_removed_and_says_how_to_allow_more(
    ssh: Ssh, docker_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stream(*_command: str, **_how: Any) -> Iterator[str]:
        (tmp_path / "left").write_text("abc123\n")
        raise TimeUp("`sh` on node-1 did not end within 1800 s")

    monkeypatch.setattr(Ssh, "stream", stream)
    advice = Advice(late="allow more with --arm-timeout")
    with pytest.raises(TimeUp, match=r"loaders on node-1 did not end within 30 min\. Allow more with --arm-timeout"):
        run_module(ssh, "img:1", "loaders", {}, timeout_s=1800, advice=advice)
    assert docker_log.read_text().splitlines()[-1] == "rm --force abc123"


def test_a_node_whose_disk_is_full_is_said_to_have_one(ssh: Ssh) -> None:
    said = "docker: Error response from daemon: mkdir /var/lib/docker/x: no space left on device."
    with pytest.raises(Capacity, match="the disk of node-1 is full"):
        run(ssh, complain=said, exit=125)


def test_a_result_does_not_excuse_a_crash(ssh: Ssh) -> None:
    with pytest.raises(RemoteFailed, match="exit 3"):
        run(ssh, RESULT, exit=3)


def test_stderr_is_kept(ssh: Ssh, tmp_path: Path) -> None:
    run(ssh, RESULT, complain="a warning")
    (log,) = (tmp_path / "state/chiops/logs").iterdir()
    assert "a warning" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ChiopsError])
def test_whatever_stops_us_the_container_goes(
    ssh: Ssh, docker_log: Path, tmp_path: Path, interruption: type[BaseException]
) -> None:
    def stop(_event: dict[str, Any]) -> None:
        (tmp_path / "left").write_text("abc123\n")
        raise interruption("stop")

    with pytest.raises(interruption):
        run_module(ssh, "img:1", "loaders", {"say": [{"event": "note", "text": "hi"}, RESULT]}, on_event=stop)
    assert docker_log.read_text().splitlines()[-1] == "rm --force abc123"


def test_a_lost_connection_is_told_as_such(node: Node, bin_dir: Path) -> None:
    said = json.dumps({"event": "note", "text": "hi"})
    program(
        bin_dir / "ssh", f"#!/bin/sh\necho '{said}'\necho 'client_loop: send disconnect: Broken pipe' >&2\nexit 255\n"
    )
    with pytest.raises(RemoteFailed, match="connection to node-1 was lost while loaders ran") as caught:
        run(Ssh(node), RESULT)
    assert isinstance(caught.value.__cause__, ConnectionFailed)
    assert caught.value.__cause__.fault is Fault.DROPPED
