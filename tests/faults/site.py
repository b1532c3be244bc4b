"""A local site of a module's own, with one lab, whose parts are broken beneath chiops's feet."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import why_no_nodes
from tests.support.cli import Chiops, Done
from tests.support.leftovers import assert_clean

FILE = "fail.yaml"
UP = ("up", FILE, "--yes", "-o", "json")
SOON_S = 180
"""Within this every failure is told, also on a machine with much to do."""
Findings = dict[str, dict[str, Any]]


class Site:
    """The command line at the site, and what it has said so far."""

    def __init__(self, chiops: Chiops, lab: str) -> None:
        self.chiops = chiops
        self.lab = str(yaml.safe_load(lab)["name"])
        self.said: list[Done] = []
        self.write(lab)

    def write(self, lab: str) -> None:
        """Have the lab's file say that."""
        (self.chiops.folder / FILE).write_text(lab)

    def run(self, *argv: str, timeout: float = 900) -> Done:
        done = self.chiops.run(*argv, timeout=timeout)
        assert "Traceback" not in done.out + done.err, str(done)
        self.said.append(done)
        return done

    def up(self) -> Done:
        done = self.run(*UP)
        assert done.code == 0, str(done)
        return done

    def soon(self, *argv: str, code: int) -> Done:
        """Run what must end soon, with that exit code."""
        began = time.monotonic()
        done = self.run(*argv, timeout=SOON_S)
        assert time.monotonic() - began < SOON_S, str(done)
        assert done.code == code, str(done)
        return done

    def told(self, *argv: str, code: int = 1) -> str:
        """Run what must fail: soon, and with one sentence, which is returned."""
        (error,) = [line for line in self.soon(*argv, code=code).err.splitlines() if line.startswith("Error: ")]
        return error

    def findings(self, *, code: int) -> Findings:
        """What `doctor` finds of the lab, by name without the lab's."""
        found = self.soon("doctor", "-o", "json", code=code).json()
        prefix = f"{self.lab}: "
        return {one["name"].removeprefix(prefix): one for one in found if one["name"].startswith(prefix)}

    def parts(self) -> Mapping[str, Mapping[str, Any]]:
        """The lab's parts as `status` tells them, by kind; it ends well, whatever it tells."""
        (lab,) = self.soon("status", "-o", "json", code=0).json()
        assert lab["problem"] == ""
        return {part["kind"]: part for part in lab["parts"]}

    def on_node(self, script: str) -> str:
        """Run a shell script on the lab's one node, as root."""
        done = self.run("exec", "--", "sudo", "sh", "-ec", script)
        assert done.code == 0, str(done)
        return done.out.strip()

    def reconfigure(self) -> None:
        """Have the next `up` run the playbook."""
        self.on_node("rm -f /var/lib/chiops/configured")

    def python(self, code: str) -> str:
        """Run Python with chiops at this site; its stdout."""
        argv = [self.chiops.argv()[0], "-c", code]
        return subprocess.run(argv, env=self.chiops.env, capture_output=True, text=True, check=True).stdout

    def docker(self, statement: str) -> str:
        """A line of Python with the site's Docker, as ``api``, beneath chiops's feet; ``all_of`` lists containers of a kind."""
        return self.python(
            "from chiops.cloud.local.cloud import LocalCloud\n"
            "with LocalCloud() as cloud:\n"
            "    api = cloud.local.engine.client().api\n"
            "    all_of = lambda kind: [one['Id'] for one in api.containers(all=True, filters=cloud.local.filters(kind))]\n"
            f"    {statement}"
        )


@contextmanager
def alone(folder: Path, lab: str) -> Iterator[Site]:
    """A site with the lab up, which is taken away at the end with all there is of it."""
    if why := why_no_nodes():
        pytest.skip(why)
    home = Path(tempfile.mkdtemp(prefix="chf-", dir="/tmp"))
    found = Site(Chiops(home, folder), lab)
    try:
        found.up()
        yield found
    finally:
        found.run("down", found.lab, "--purge-bucket", "--purge-volume", "--yes")
    assert_clean(home)
    shutil.rmtree(home)


@contextmanager
def starting(site: Site, *argv: str) -> Iterator[subprocess.Popen[str]]:
    """A command that runs meanwhile; killed at the end if it still does."""
    process = site.chiops.start(*argv)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ansible_of(ancestor: int) -> bool:
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
