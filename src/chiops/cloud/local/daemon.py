"""A Docker daemon of the site's own, for machines that have no Docker running and no service manager to run one.

It keeps its images below the site's state directory and what lives only as long as it runs (socket, pids) below ``/run``. It
touches nothing global but ``net.ipv4.ip_forward``, which the last site's daemon puts back; packet filtering is left to
`network`, so no Docker chains appear in the machine's firewall. Nodes outlive a daemon that dies (live restore).
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from chiops import progress
from chiops.cloud.local import packages, processes
from chiops.cloud.local.locks import locked
from chiops.errors import Capacity, CloudError, Timeout

_RUN = Path("/run/chiops")
_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
_SHIM_SOCKETS = Path("/run/containerd/s")
START_S = 60.0
"""How long the daemon may take until it answers, in seconds; half a second is usual."""
STOP_S = 30.0
"""How long the daemon may take to end before it is killed, in seconds; one is usual."""
LEFT_S = 5.0
"""The same for what a daemon left that died."""


class Daemon:
    """The daemon of the site whose state is in ``home``; ``site_id`` keeps the sites of one machine apart."""

    def __init__(self, home: Path, site_id: str) -> None:
        self._home = home / "docker"
        self._run = _RUN / site_id
        self.socket = self._run / "docker.sock"
        self.log = self._home / "dockerd.log"
        self._pid_file = self._run / "dockerd.pid"

    def pid(self) -> int:
        """The running daemon's process id, or 0. Its command line must name our pid file: ids are used again."""
        try:
            pid = int(self._pid_file.read_text(encoding="ascii"))
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return 0
        return pid if str(self._home).encode() in command else 0

    @property
    def in_use(self) -> bool:
        """Whether the daemon was started and not stopped since; it may have died."""
        return self._run.is_dir()

    @property
    def may_return(self) -> bool:
        """Whether it was ever in use, so that it may have servers, and we may start it."""
        return os.geteuid() == 0 and (self._home / "data").is_dir()

    def start(self) -> None:
        """Start the daemon and return when it answers; at once if it already does.

        Raises:
            PrerequisiteMissing: Docker is not installed and may not be.
            Capacity: the disk is full.
            CloudError, Timeout: it ended, or did not come up; the last line of its log says why.
        """
        packages.require({"dockerd": "docker.io", "nft": "nftables", "ip": "iproute2"}, purpose="The local site")
        with locked(_RUN / "lock"):
            if self.pid() and _answers(self.socket):
                return
            with progress.task("Start Docker for the local site"):
                fresh = not self.in_use
                self._run.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
                _enable_forwarding()
                try:
                    self._wait(None if self.pid() else self._launch())
                except BaseException:
                    # nodes that outlived a daemon are not to pay for one that does not start
                    if fresh and not self.pid():
                        self._clear()
                    raise

    def _launch(self) -> subprocess.Popen[bytes]:
        settings = self._home / "daemon.json"
        dockerd = packages.find("dockerd") or "dockerd"
        try:
            settings.write_text(json.dumps(self._settings(), indent=1), encoding="utf-8")
            self.socket.unlink(missing_ok=True)
            if not self.pid():
                # one that was killed may linger as a zombie, and its number be anybody's: Docker would refuse to start
                self._pid_file.unlink(missing_ok=True)
            self._end_containerd()
            with self.log.open("wb") as log:
                return subprocess.Popen(
                    [dockerd, "--config-file", str(settings)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    start_new_session=True,
                    env={
                        **os.environ,
                        "PATH": os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin",
                        "TMPDIR": str(self._home),
                    },
                )
        except OSError as error:
            raise CloudError("Docker did not start", why=str(error)) from error

    def _wait(self, process: subprocess.Popen[bytes] | None) -> None:
        deadline = time.monotonic() + START_S
        while not _answers(self.socket):
            if not self.pid() and (process is None or process.poll() is not None):
                raise self._ended()
            if time.monotonic() > deadline:
                if process:
                    process.terminate()
                what = f"Docker did not start within {START_S:.0f} s"
                raise Timeout(what, why=self._last_words(), todo=f"read {self.log}")
            time.sleep(0.03)

    def _end_containerd(self) -> None:
        """A containerd goes with its dockerd, but not at once; Docker would take one on its way out for a running one and wait."""
        file = self._run / "exec/containerd/containerd.pid"
        with suppress(OSError, ValueError):
            pid = int(file.read_text(encoding="ascii"))
            if pid in processes.naming(str(file.with_name("containerd.toml"))):
                self._end(pid, 0)
            file.unlink()

    def _settings(self) -> dict[str, object]:
        return {
            "hosts": [f"unix://{self.socket}"],
            "data-root": str(self._home / "data"),
            "exec-root": str(self._run / "exec"),
            "pidfile": str(self._pid_file),
            "bridge": "none",
            "iptables": False,
            "ip-forward": False,
            "userland-proxy": False,
            "live-restore": True,
            "log-level": "warn",
            "log-driver": "json-file",
            "log-opts": {"max-size": "2m", "max-file": "2"},
        }

    def stop(self) -> None:
        """End the daemon and remove what it leaves at run time; images stay. Nothing happens if it does not run.

        Raises:
            Timeout: it did not end.
        """
        with locked(_RUN / "lock"):
            if pid := self.pid():
                self._end(pid, STOP_S)
            if self._run.exists():
                self._clear()
            if not _others(self._run):
                _restore_forwarding()

    def _end(self, pid: int, patience_s: float) -> None:
        if not processes.end(pid, patience_s):
            raise Timeout(f"Docker's process {pid} does not end", todo=f"read {self.log}")

    def _clear(self) -> None:
        for pid in processes.naming(f"{self._run}/"):
            self._end(pid, LEFT_S)
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
        inside = [
            path
            for path in (line.split()[1] for line in mounts)
            if path.startswith((f"{self._run}/", f"{self._home}/"))
        ]
        for path in sorted(inside, reverse=True):
            subprocess.run(["umount", "-l", path], capture_output=True, check=False)
        shutil.rmtree(self._run, ignore_errors=True)
        for folder in (_SHIM_SOCKETS, _SHIM_SOCKETS.parent):
            with suppress(OSError):
                folder.rmdir()

    def _ended(self) -> CloudError:
        why = self._last_words()
        if "no space left" in why.lower():
            return Capacity("Docker did not start", why="the disk is full", todo="free some space and try again")
        return CloudError("Docker did not start", why=why, todo=f"read {self.log}")

    def _last_words(self) -> str:
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1][-300:] if lines else ""


def _enable_forwarding() -> None:
    """Nodes reach the world through this machine. What was set before is written down first, once for all sites."""
    before = _FORWARD.read_text(encoding="ascii").strip()
    if before == "1":
        return
    (_RUN / "ip_forward").write_text(before, encoding="ascii")
    _FORWARD.write_text("1", encoding="ascii")


def _restore_forwarding() -> None:
    saved = _RUN / "ip_forward"
    if saved.exists():
        _FORWARD.write_text(saved.read_text(encoding="ascii"), encoding="ascii")
        saved.unlink()
    (_RUN / "lock").unlink(missing_ok=True)
    with suppress(OSError):
        _RUN.rmdir()


def _others(own: Path) -> bool:
    """Whether another site's daemon has its runtime directory here."""
    return any(entry.is_dir() and entry != own for entry in _RUN.iterdir())


def _answers(path: Path) -> bool:
    """Whether a Docker daemon serves at this socket; it may be there long before."""
    with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
        connection.settimeout(2)
        connection.connect(str(path))
        connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
        return connection.recv(16).split()[1:2] == [b"200"]
    return False
