"""Fixtures of every suite that needs real nodes: one local site per session, and servers on it by the handful."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from chiops.cloud.base import Image, Node, Rule
from tests.support.leftovers import assert_clean
from tests.support.side_by_side import ByFileAndCloud, figures
from tests.support.target import FLAVOR, IMAGE, SSH, ServerFactory, Target

if TYPE_CHECKING:
    from xdist.remote import Producer

    from chiops.cloud.local.cloud import LocalCloud
    from tests.support.scratch import Scratch

# An example that a busy machine was slow at has found nothing; pytest-timeout ends what hangs.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_xdist_auto_num_workers() -> int:
    """What ``pytest -n auto`` stands for: one more than cores, since tests of nodes wait for a third of their time."""
    return (os.cpu_count() or 1) + 1


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFileAndCloud:
    """Used where tests run side by side (``pytest -n 2``)."""
    return ByFileAndCloud(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures of the run, and say which cloud was left out."""
    ended = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)]
    for text in figures(
        [report for report in ended if isinstance(report, pytest.TestReport) and report.when == "call"]
    ):
        terminalreporter.write_line(text)
    if not os.environ.get("OS_CLOUD"):
        terminalreporter.write_line("openstack: left out, OS_CLOUD is not set")


def why_no_nodes() -> str:
    """Why this machine cannot carry local nodes; empty if it can."""
    if os.geteuid() != 0:
        return "local nodes: left out, they need root on this machine"
    if not Path("/dev/loop-control").exists():
        return "local nodes: left out, this machine has no loop devices"
    if not shutil.which("dockerd") and not Path("/var/run/docker.sock").exists() and not shutil.which("apt-get"):
        return "local nodes: left out, Docker is missing and can be installed only on Debian and Ubuntu"
    return ""


@pytest.fixture(scope="session")
def run_name() -> str:
    """A name for this run, unique among runs at one cloud, usable as lab and as part of a bucket name."""
    return f"chiops-test-{secrets.token_hex(3)}"


@pytest.fixture(scope="session")
def state_home() -> Iterator[Path]:
    """The session's XDG_STATE_HOME. When the session ends, nothing that lives below it may be left on this machine.

    The cache stays the person's own, so that base images are built once and not per run. The path is short, since unix
    sockets allow about a hundred characters.
    """
    if why := why_no_nodes():
        pytest.skip(why)
    home = Path(tempfile.mkdtemp(prefix="cht-", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(home))
        yield home
    assert_clean(home)
    shutil.rmtree(home)


@pytest.fixture(scope="session")
def local_cloud(state_home: Path) -> Iterator[LocalCloud]:
    """The session's local site, up and ready. It goes entirely when the session ends."""
    from chiops.cloud.local.cloud import LocalCloud

    with LocalCloud() as cloud:
        cloud.prepare()
        yield cloud


@pytest.fixture(scope="session")
def local_target(local_cloud: LocalCloud) -> Target:
    """The local site with what may be expected of it."""
    return Target(local_cloud, real_nodes=True, shares_kernel=True, lease_step=1, patience=60)


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An ssh key of this session: the private half's file and the public half's line."""
    from tests.support.nodes import new_key

    return new_key(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="module")
def server(local_target: Target, key: tuple[Path, str], run_name: str) -> Iterator[ServerFactory]:
    """A factory of local nodes that answer ssh as `cc`; they go when the module's tests are done."""
    from chiops.remote.ssh import Ssh
    from tests.support.nodes import node_at, wait_ssh
    from tests.support.scratch import Scratch

    def image(scratch: Scratch) -> Image:
        return next(found for found in scratch.cloud.compute.images() if found.name == IMAGE)

    with Scratch(local_target, run_name) as scratch, ExitStack() as stack:
        keypair = scratch.keypair(key[1])

        def make(*, open_ports: Sequence[int] = (), flavor: str = FLAVOR) -> Node:
            lease = scratch.ready_lease(flavor=flavor)
            rules = [SSH, *(Rule("tcp", port, port) for port in open_ports)]
            group = scratch.group(*rules)
            made = scratch.server(image=image(scratch), lease=lease, keypair=keypair, groups=[group])
            ready = scratch.until_ready(made)
            node = node_at(ready.fixed_address, key[0], server_id=ready.id, name=ready.name)
            stack.callback(Ssh(node).close)
            wait_ssh(node)
            return node

        yield make
