"""Commands on a node, through the OpenSSH client."""

from __future__ import annotations

import logging
import secrets
import shlex
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import IO

from chiops.cloud.base import Node
from chiops.errors import PrerequisiteMissing, RemoteFailed
from chiops.remote.connection import (
    ConnectionFailed,
    Fault,
    TimeUp,
    batch_options,
    classify,
    host_id,
    identity_options,
    target,
)
from chiops.remote.master import close, share
from chiops.remote.ready import wait_ready

log = logging.getLogger(__name__)

_SSH_FAILED = 255
_TAIL_CHARS = 2000


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended. ``stdout`` and ``stderr`` are text, undecodable bytes replaced."""

    stdout: str
    stderr: str
    returncode: int


class CommandFailed(RemoteFailed):
    """A command on the node ended with a non-zero ``returncode``; ``why`` is the tail of its stderr."""

    def __init__(self, node: Node, program: str, returncode: int, stderr: str) -> None:
        # Only the program is named: arguments may be long or private, and the person did not write them.
        what = f"`{program}` on {node.name} failed with exit {returncode}"
        super().__init__(what, why=stderr.strip()[-_TAIL_CHARS:])
        self.returncode = returncode


class Ssh:
    """One node's shell. Cheap to make; the first command logs in, the others share its connection until we exit."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def argv(self, *command: str, tty: bool = False) -> list[str]:
        """The ssh command line that a person may run: asks where ssh would ask, shares nothing.

        Args:
            command: program and arguments to run there, each taken literally; none for a login shell.
            tty: whether to allocate a terminal for ``command``.
        """
        words = ["ssh", *identity_options(self.node), *(["-t"] if tty else []), *target(self.node)]
        return [*words, shlex.join(command)] if command else words

    def command_line(self, *command: str) -> str:
        """`argv` quoted for a shell, to print."""
        return shlex.join(self.argv(*command))

    def run(
        self,
        *command: str,
        input: bytes | str | None = None,  # noqa: A002 - subprocess's word
        timeout: float | None = 60,
        check: bool = True,
    ) -> Completed:
        """Run a command and wait for it.

        Args:
            command: program and arguments, each taken literally; for a pipeline, ``"sh", "-c", "…"``.
            input: what it reads on stdin; nothing if None.
            timeout: seconds until it is given up, None for never.
            check: whether a non-zero exit raises.

        Raises:
            ConnectionFailed: the node is not reached.
            CommandFailed: the command failed, and ``check`` is set.
            RemoteFailed: the time is up.
        """
        done = self._spawn(command, input, timeout)
        self._raise_for(command, done.returncode, done.stderr, check=check)
        return Completed(_text(done.stdout), _text(done.stderr), done.returncode)

    def stream(
        self,
        *command: str,
        input: bytes | str | Iterable[bytes] | None = None,  # noqa: A002 - subprocess's word
        timeout: float | None = None,
        stderr: IO[bytes] | None = None,
    ) -> Iterator[str]:
        """Run a command and give its stdout line by line, without line ends, as they come.

        Leaving the loop early, also by an exception, ends the ssh client at once. What the command writes to stderr goes
        to the file ``stderr`` as it comes, if one is given. ``input`` may come in pieces, which are asked for in a thread of
        their own while the lines are read.

        Raises:
            RemoteFailed: as `run`.
            Exception: whatever ``input`` raised while it was asked for pieces.
        """
        with nullcontext(stderr) if stderr else tempfile.TemporaryFile() as complaints:
            process = self._start(command, stdout=subprocess.PIPE, stderr=complaints)
            faults: list[Exception] = []
            feeder = threading.Thread(target=_feed, args=(process, input, faults), daemon=True)
            feeder.start()
            late = threading.Event()
            timer = threading.Timer(timeout or 0, _give_up, (process, late))
            if timeout is not None:
                timer.start()
            try:
                for line in process.stdout or ():
                    yield _text(line).rstrip("\r\n")
                code = process.wait()
            finally:
                timer.cancel()
                process.kill()
                process.wait()
            if faults:
                raise faults[0]
            if late.is_set():
                raise self._late(command, timeout)
            complaints.seek(0)
            self._raise_for(command, code, complaints.read(), check=True)

    def download(self, file: IO[bytes], *command: str, timeout: float | None = None) -> None:
        """Run a command and write its stdout to ``file`` as it comes.

        Raises:
            RemoteFailed: as `run`.
        """
        done = self._spawn(command, None, timeout, file)
        self._raise_for(command, done.returncode, done.stderr, check=True)

    def put(self, data: bytes, path: str, *, mode: int = 0o644) -> None:
        """Write ``data`` to ``path`` on the node, whole or not at all; missing folders are made.

        The content goes over stdin and the file is born private, so that it may be a secret.
        """
        part = f"{path}.{secrets.token_hex(4)}.part"
        script = (
            'set -e; mkdir -p -- "$(dirname -- "$1")"; umask 077; trap \'rm -f -- "$2"\' EXIT; '
            'cat >"$2"; chmod "$3" -- "$2"; mv -f -- "$2" "$1"'
        )
        self.run("sh", "-c", script, "sh", path, part, f"{mode:o}", input=data, timeout=600)

    def fetch(self, path: str) -> bytes:
        """The content of a file on the node."""
        command = ("cat", "--", path)
        done = self._spawn(command, None, 600)
        self._raise_for(command, done.returncode, done.stderr, check=True)
        return done.stdout

    def wait_ready(self, timeout_s: float, sleep: Callable[[float], None] | None = None) -> None:
        """Wait until a command runs on the node; ``sleep`` ends the wait by what it raises.

        Raises:
            ConnectionFailed: not within ``timeout_s`` seconds; at once where waiting cannot help.
        """
        wait_ready(self.node, self._login, timeout_s, sleep)

    def forget_host_key(self) -> None:
        """Drop what known_hosts holds of this node's address; for a node made anew at an old one's address."""
        if self.node.known_hosts.exists():
            command = ["ssh-keygen", "-f", str(self.node.known_hosts), "-R", host_id(self.node)]
            subprocess.run(command, capture_output=True, check=False, timeout=30)

    def close(self) -> None:
        """End the shared connection, if there is one; commands that run finish first."""
        close(self.node)

    def _login(self, timeout_s: float) -> Fault | None:
        try:
            done = self._spawn(("true",), None, timeout_s)
        except RemoteFailed:
            return Fault.TIMEOUT
        return None if done.returncode == 0 else classify(_text(done.stderr)) or Fault.DROPPED

    def _spawn(
        self, command: tuple[str, ...], data: bytes | str | None, timeout: float | None, file: IO[bytes] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        started = time.monotonic()
        # Files, not pipes: the master that ssh leaves behind could keep a pipe open, and we would wait for its end.
        with nullcontext(file) if file else tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = self._start(command, stdout=out, stderr=err)
            try:
                process.communicate(_bytes(data), timeout)
            except subprocess.TimeoutExpired:
                raise self._late(command, timeout) from None
            finally:
                process.kill()
                process.wait()
            err.seek(0)
            code = process.returncode
            log.debug("%s: %s: exit %d after %.2f s", self.node.name, command[0], code, time.monotonic() - started)
            if not file:
                out.seek(0)
            return subprocess.CompletedProcess([], code, b"" if file else out.read(), err.read())

    def _start(
        self, command: tuple[str, ...], *, stdout: IO[bytes] | int, stderr: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        options = [*identity_options(self.node), *batch_options(), "-o", f"ControlPath={share(self.node)}"]
        argv = ["ssh", *options, *target(self.node), shlex.join(command)]
        try:
            return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=stdout, stderr=stderr)
        except FileNotFoundError:
            raise PrerequisiteMissing("there is no ssh on this machine", todo="install the OpenSSH client") from None

    def _raise_for(self, command: tuple[str, ...], code: int, stderr: bytes, *, check: bool) -> None:
        complaint = _text(stderr)
        if code == _SSH_FAILED and (fault := classify(complaint)):
            raise ConnectionFailed(self.node, fault)
        if check and code:
            raise CommandFailed(self.node, command[0], code, complaint)

    def _late(self, command: tuple[str, ...], timeout: float | None) -> TimeUp:
        what = f"`{command[0]}` on {self.node.name} did not end within {timeout:g} s"
        return TimeUp(what, todo=f"look at the node: {self.command_line()}")


def _feed(
    process: subprocess.Popen[bytes], data: bytes | str | Iterable[bytes] | None, faults: list[Exception]
) -> None:
    pieces = [_bytes(data) or b""] if data is None or isinstance(data, bytes | str) else data
    try:
        # A command may end without reading everything; its exit code says what that means.
        with suppress(BrokenPipeError), process.stdin or nullcontext() as stdin:
            for piece in pieces:
                if stdin:
                    stdin.write(piece)
                    stdin.flush()
    except Exception as error:  # noqa: BLE001 - it is raised where the lines are read
        faults.append(error)
        process.kill()


def _give_up(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    process.kill()


def _bytes(data: bytes | str | None) -> bytes | None:
    return data.encode() if isinstance(data, str) else data


def _text(data: bytes) -> str:
    return data.decode(errors="replace")
