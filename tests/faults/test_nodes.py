"""Nodes that fail: each time a bounded wait, one clear sentence, and the next `up` heals. And no secret is seen anywhere.

One site and one node for all; every test leaves the lab as it found it.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import why_no_nodes
from tests.support.cli import Chiops, Done
from tests.support.leftovers import assert_clean
from tests.support.poll import wait_for

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(1800)]

LAB = """\
version: 1
name: fail-lab
lease: {name: lease-fail, duration: 2h}
security_groups:
  - {name: fail-ssh, rules: [{port: 22}]}
servers:
  - {name: node-fail, flavor: m1.small, security_groups: [fail-ssh], configure: [docker, rclone]}
buckets:
  - {name: bucket-fail}
mounts:
  - {bucket: bucket-fail, server: node-fail, path: /mnt/object}
"""
UP = ("up", "fail.yaml", "--yes", "-o", "json")
SOON_S = 180
"""Within this every failure is told, also on a machine with much to do."""


class Watcher(threading.Thread):
    """Collects the arguments of all processes of this machine, nodes included, some fifty times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.02):
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(entry.read_bytes())
                except OSError:
                    continue  # it has ended

    def stop(self) -> bytes:
        """End, and return all that was seen."""
        self._ended.set()
        self.join()
        return b"\n".join(self.seen)


class Site:
    """The command line at a site of this module's own, and what it has said so far."""

    def __init__(self, chiops: Chiops) -> None:
        self.chiops = chiops
        self.said: list[Done] = []

    def run(self, *argv: str, timeout: float = 900) -> Done:
        done = self.chiops.run(*argv, timeout=timeout)
        assert "Traceback" not in done.out + done.err, str(done)
        self.said.append(done)
        return done

    def up(self) -> Done:
        done = self.run(*UP)
        assert done.code == 0, str(done)
        return done

    def told(self, *argv: str) -> str:
        """Run what must fail: soon, and with one sentence, which is returned."""
        began = time.monotonic()
        done = self.run(*argv, timeout=SOON_S)
        assert time.monotonic() - began < SOON_S
        assert done.code not in (0, 70), str(done)
        (error,) = [line for line in done.err.splitlines() if line.startswith("Error: ")]
        return error

    def on_node(self, script: str) -> str:
        done = self.run("exec", "--", "sudo", "sh", "-ec", script)
        assert done.code == 0, str(done)
        return done.out.strip()

    def docker(self, statement: str) -> str:
        """A line of Python with the site's Docker, as ``api``, beneath chiops's feet; ``all_of`` lists containers of a kind."""
        head = (
            "from chiops.cloud.local.cloud import LocalCloud\n"
            "with LocalCloud() as cloud:\n"
            "    api = cloud.local.engine.client().api\n"
            "    all_of = lambda kind: [one['Id'] for one in api.containers(all=True, filters=cloud.local.filters(kind))]\n    "
        )
        done = subprocess.run(
            [self.chiops.argv()[0], "-c", head + statement],
            env=self.chiops.env, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout


@pytest.fixture(scope="module")
def seen_processes() -> Iterator[Watcher]:
    watcher = Watcher()
    watcher.start()
    yield watcher
    watcher.stop()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, seen_processes: Watcher) -> Iterator[Site]:
    if why := why_no_nodes():
        pytest.skip(why)
    home = Path(tempfile.mkdtemp(prefix="chf-", dir="/tmp"))
    found = Site(Chiops(home, tmp_path_factory.mktemp("work")))
    (found.chiops.folder / "fail.yaml").write_text(LAB)
    try:
        found.up()
        yield found
    finally:
        found.run("down", "fail-lab", "--purge-bucket", "--purge-volume", "--yes")
    assert_clean(home)
    shutil.rmtree(home)


def secrets(site: Site) -> list[str]:
    """Every secret of the site: S3 keys, the private half of the ssh key, tokens."""
    code = (
        "from chiops.cloud.sites import connect\n"
        "with connect('local') as cloud: print(*(one.secret for one in cloud.identity.ec2_credentials()))\n"
        "with connect('local') as cloud: print(cloud.identity.s3_server.access().secret)"
    )
    argv = [site.chiops.argv()[0], "-c", code]
    found = subprocess.run(argv, env=site.chiops.env, capture_output=True, text=True, check=True).stdout.split()
    state = site.chiops.state_home / "chiops"
    key = (state / "ssh/id_ed25519").read_text().splitlines()
    tokens = [file.read_text().strip() for file in (state / "tokens").glob("*") if file.is_file()]
    return [*found, *key[1:-1][-2:], *tokens]


def test_no_secret_is_seen(site: Site, seen_processes: Watcher) -> None:
    site.run("creds", "list", "-o", "json")
    site.run("creds", "list")
    site.run("status", "-o", "json")
    site.run("-v", *UP)
    site.run("bucket", "show", "bucket-fail", "-o", "json")
    arguments = seen_processes.stop()
    assert b"ansible-playbook" in arguments, "the configuration was watched"
    said = "".join(done.out + done.err for done in site.said)
    state = site.chiops.state_home
    logs = b"".join(file.read_bytes() for file in state.rglob("*.log*") if file.is_file())
    open_to_all = [
        file
        for file in state.rglob("*")
        if file.is_file() and not file.is_symlink() and file.stat().st_mode & 0o004 and _reachable(file, state)
    ]
    environments = site.docker(
        "print([api.inspect_container(one)['Config'] for k in ('server', 's3') for one in all_of(k)])"
    )
    on_node = site.on_node("cat /proc/[0-9]*/cmdline | tr '\\0' ' '; journalctl --no-pager -q | tail -n 3000")
    readable = site.run(
        "exec", "--", "sh", "-c", "sudo -u nobody cat /etc/rclone/* /root/.config/rclone/* 2>/dev/null; true"
    ).out
    there = secrets(site)
    assert len(there) >= 4
    for secret in there:
        assert secret not in said
        assert secret.encode() not in logs
        assert secret.encode() not in arguments
        assert secret not in environments + on_node + readable
        assert [file for file in open_to_all if secret.encode() in file.read_bytes()] == []


def _reachable(file: Path, root: Path) -> bool:
    """Whether every folder above lets others through."""
    return all(folder.stat().st_mode & 0o001 for folder in file.parents if folder == root or root in folder.parents)


def test_docker_on_the_node_is_dead(site: Site) -> None:
    site.on_node("systemctl stop docker.socket docker.service")
    assert site.run("doctor", timeout=SOON_S).code in (0, 1)
    site.up()
    assert site.on_node("systemctl is-active docker") == "active"


def test_the_disk_of_the_node_is_full(site: Site) -> None:
    """Where the node notes what it was configured with; its real disk is this machine's."""
    site.on_node("mount -t tmpfs -o size=4k tmpfs /var/lib/chiops; head -c 4k /dev/zero >/var/lib/chiops/filler")
    error = site.told(*UP)
    assert "No space left" in error or "full" in error, error
    site.on_node("umount /var/lib/chiops; rm -f /var/lib/chiops/configured")
    site.up()


def test_the_mount_hangs_because_its_server_is_gone(site: Site) -> None:
    site.docker("[api.stop(one, timeout=1) for one in all_of('s3')]")
    began = time.monotonic()
    done = site.run("status", timeout=SOON_S)
    assert time.monotonic() - began < SOON_S, str(done)
    assert site.run("doctor", timeout=SOON_S).code in (0, 1)
    site.up()
    site.on_node("timeout 20 ls /mnt/object")


def test_ssh_is_cut(site: Site) -> None:
    site.run(
        "exec", "--", "sudo", "systemd-run", "--on-active=1", "sh", "-c", "systemctl stop ssh.socket ssh; pkill sshd"
    )
    wait_for("ssh cut", lambda: site.run("exec", "--", "true").code, until=bool, within=SOON_S)
    error = site.told("exec", "--", "true")
    assert "ssh" in error.lower() or "node-fail" in error, error
    assert site.run("server", "reboot", "node-fail", "--yes").code == 0
    site.up()
    site.on_node("true")


@contextmanager
def _starting(site: Site, *argv: str) -> Iterator[subprocess.Popen[str]]:
    process = site.chiops.start(*argv)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_the_node_is_killed_while_it_is_configured(site: Site) -> None:
    site.on_node("rm /var/lib/chiops/configured")
    with _starting(site, *UP) as process:
        wait_for("the playbook", lambda: _ansible_of(process.pid), within=SOON_S)
        site.docker("[api.kill(one) for one in all_of('server')]")
        began = time.monotonic()
        _, err = process.communicate(timeout=600)
        assert time.monotonic() - began < 600
    assert "Traceback" not in err
    if process.returncode:
        assert len([line for line in err.splitlines() if line.startswith("Error: ")]) == 1, err
    site.up()
    site.on_node("timeout 20 ls /mnt/object; systemctl is-active docker")


def _ansible_of(ancestor: int) -> bool:
    """Whether a playbook runs that a command has started."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if b"ansible-playbook" in (entry / "cmdline").read_bytes() and ancestor in _ancestors(int(entry.name)):
                return True
        except OSError:
            continue
    return False


def _ancestors(pid: int) -> Iterator[int]:
    while pid > 1:
        pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        yield pid
