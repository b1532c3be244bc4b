"""Commands, streams and files over ssh."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chiops.cloud.base import Node
from chiops.errors import PrerequisiteMissing, RemoteFailed
from chiops.remote.connection import ConnectionFailed, Fault
from chiops.remote.ssh import CommandFailed, Ssh

ARGUMENT = st.text(st.characters(exclude_characters="\0\x01", exclude_categories=("Cs",)), max_size=40)


@pytest.fixture
def ssh(node: Node, ssh_log: Path) -> Ssh:
    return Ssh(node)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arguments=st.lists(ARGUMENT, min_size=1, max_size=3))
def test_arguments_arrive_as_they_are(ssh: Ssh, arguments: list[str]) -> None:
    printed = ssh.run("printf", r"%s\001", *arguments).stdout
    assert printed.split("\x01")[:-1] == arguments


def test_run_feeds_input_and_tells_both_outputs_apart(ssh: Ssh) -> None:
    big = "x" * 300_000
    done = ssh.run("sh", "-c", "cat; echo oops >&2; exit 3", input=big, check=False)
    assert (done.stdout, done.stderr, done.returncode) == (big, "oops\n", 3)


def test_a_failed_command_tells_its_own_words_but_not_its_arguments(ssh: Ssh) -> None:
    with pytest.raises(CommandFailed) as caught:
        ssh.run("sh", "-c", "echo 'no space left' >&2; exit 4", "sh", "private")
    assert caught.value.returncode == 4
    assert caught.value.sentence() == "`sh` on node-1 failed with exit 4: no space left."


@pytest.mark.parametrize("check", [True, False])
def test_a_node_that_is_not_reached_is_an_error_even_unchecked(
    node: Node, broken_ssh: Callable[[str], None], check: bool
) -> None:
    broken_ssh("ssh: connect to host 192.0.2.7 port 22: Connection refused")
    with pytest.raises(ConnectionFailed) as caught:
        Ssh(node).run("true", check=check)
    assert caught.value.fault is Fault.REFUSED


def test_exit_255_of_a_command_is_the_commands(ssh: Ssh) -> None:
    with pytest.raises(CommandFailed):
        ssh.run("sh", "-c", "echo my own trouble >&2; exit 255")


def test_a_command_that_takes_too_long_is_given_up(ssh: Ssh) -> None:
    with pytest.raises(RemoteFailed, match=r"did not end within 0\.1 s"):
        ssh.run("sleep", "30", timeout=0.1)
    with pytest.raises(RemoteFailed, match=r"did not end within 0\.1 s"):
        list(ssh.stream("sleep", "30", timeout=0.1))


def test_stream_gives_lines_while_the_command_runs(ssh: Ssh, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    lines = ssh.stream(
        "sh", "-c", 'echo one; until [ -e "$1" ]; do sleep 0.01; done; cat', "sh", str(gate), input="two\r\n"
    )
    assert next(lines) == "one"
    gate.touch()
    assert list(lines) == ["two"]


def test_a_stream_that_fails_gives_its_lines_first(ssh: Ssh) -> None:
    lines = ssh.stream("sh", "-c", "echo one; echo why >&2; exit 2")
    assert next(lines) == "one"
    with pytest.raises(CommandFailed, match="why"):
        next(lines)


def test_stderr_of_a_stream_can_be_kept(ssh: Ssh, tmp_path: Path) -> None:
    with (tmp_path / "log").open("a+b") as log:
        assert list(ssh.stream("sh", "-c", "echo out; echo err >&2", stderr=log)) == ["out"]
    assert (tmp_path / "log").read_text() == "err\n"


def test_leaving_a_stream_ends_the_client(ssh: Ssh, tmp_path: Path) -> None:
    own = tmp_path / "pid"
    lines = ssh.stream("sh", "-c", 'echo $$ >"$1"; echo on; exec sleep 60', "sh", str(own))
    next(lines)
    lines.close()
    assert not Path(f"/proc/{own.read_text().strip()}").exists()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=2000))
def test_files_come_back_as_they_went(ssh: Ssh, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "new folder" / "it's a file"
    ssh.put(data, str(path), mode=0o600)
    assert ssh.fetch(str(path)) == data
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_file_that_cannot_be_written_leaves_the_old_one(ssh: Ssh, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(CommandFailed):
        ssh.put(b"new", str(tmp_path / "taken" / "x" / ".." / ".." / "taken" / ("n" * 300)))
    assert list((tmp_path / "taken").glob("*.part")) == []


def test_fetching_what_is_not_there_says_so(ssh: Ssh) -> None:
    with pytest.raises(CommandFailed, match="No such file"):
        ssh.fetch("/nowhere/to/be/found")


def test_the_printed_command_is_what_a_shell_would_run(ssh: Ssh, ssh_log: Path) -> None:
    assert shlex.split(ssh.command_line("ls", "a b")) == ssh.argv("ls", "a b")
    assert ssh.argv()[-1] == "cc@192.0.2.7"
    assert "-t" in ssh.argv("top", tty=True)
    assert not any("BatchMode" in word or "Control" in word for word in ssh.argv())


def test_commands_share_one_connection(ssh: Ssh, ssh_log: Path) -> None:
    ssh.run("true")
    ssh.run("true")
    sockets = [line for line in ssh_log.read_text().splitlines() if line.startswith("ControlPath=")]
    assert len(sockets) == 2
    assert len(set(sockets)) == 1


def test_without_ssh_one_sentence_says_so(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PrerequisiteMissing, match="there is no ssh"):
        Ssh(node).run("true")
