"""The check that nothing is left finds what it should; otherwise its silence would mean nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

import pytest

from chiops.cloud.local.site import LocalSite
from tests.support.leftovers import leftovers, network_name

WAITS = "import sys; print(flush=True); sys.stdin.read()"


@contextmanager
def waiting(*arguments: str, **environment: str) -> Iterator[int]:
    """A process that lives for the body; its id."""
    command = [sys.executable, "-c", WAITS, *arguments]
    everything = {**os.environ, **environment}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=everything) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid


def test_a_clean_machine_has_none(tmp_path: Path) -> None:
    assert leftovers(tmp_path) == []


def test_a_process_is_found_by_its_command_line(tmp_path: Path) -> None:
    with waiting(f"--config={tmp_path}/daemon.json") as pid:
        (found,) = leftovers(tmp_path)
        assert found.startswith(f"process {pid}:")
    assert leftovers(tmp_path) == []


def test_a_process_is_found_by_its_environment(tmp_path: Path) -> None:
    with waiting(XDG_STATE_HOME=str(tmp_path)) as pid:
        (found,) = leftovers(tmp_path)
        assert found.startswith(f"process {pid}:")


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="mount namespaces need root and unshare")
@pytest.mark.parametrize(("mount", "found"), [(["--bind", "{}", "/mnt"], True), (["-t", "tmpfs", "x", "{}"], False)])
def test_a_node_is_found_by_its_mounts_and_a_mere_copy_of_them_is_none(
    tmp_path: Path, mount: list[str], found: bool
) -> None:
    with chdir(tmp_path):  # so that no command line names it
        words = " ".join(mount).format(".")
        script = ["unshare", "--mount", "sh", "-c", f"mount {words}; echo; read end"]
        with subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout
            process.stdout.readline()
            assert [one.split(":")[0] for one in leftovers(tmp_path)] == [f"process {process.pid}"] * found


def test_the_network_bears_the_name_that_the_site_gives_it(tmp_path: Path) -> None:
    assert network_name(tmp_path) == LocalSite(tmp_path / "chiops/local", tmp_path / "cache").network_name


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="making an interface needs root and iproute2")
def test_the_sites_bridge_is_found_and_no_other(tmp_path: Path) -> None:
    names = [network_name(tmp_path), network_name(tmp_path / "other")]
    try:
        for name in names:
            subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
        assert leftovers(tmp_path) == [f"network interface {names[0]}"]
    finally:
        for name in names:
            subprocess.run(["ip", "link", "delete", name], check=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_mount_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "mnt"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
    try:
        assert leftovers(tmp_path) == [f"mount: {folder}"]
    finally:
        subprocess.run(["umount", folder], check=True)
    assert leftovers(tmp_path) == []
