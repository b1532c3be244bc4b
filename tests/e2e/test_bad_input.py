"""Bad input and bad luck: one clear sentence, an exit code that is not 0, and nothing lost."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import Chiops


@pytest.fixture
def empty(tmp_path: Path) -> Chiops:
    """A person who has never used chiops; nothing is started by what these tests do."""
    state, folder = tmp_path / "s", tmp_path / "work"
    folder.mkdir()
    return Chiops(state, folder)


def test_an_unknown_lab(empty: Chiops) -> None:
    assert empty.refused("up", "object-lb", "--yes") == "there is no lab 'object-lb'. Did you mean 'object-lab'?"


def test_a_lab_with_a_typo(empty: Chiops) -> None:
    (empty.folder / "mine.yaml").write_text("version: 1\nname: mine\nservers:\n  - name: node\n    flavour: m1.tiny\n")
    told = empty.refused("up", "mine.yaml", "--yes")
    assert told.startswith("mine.yaml, line 5: unknown key 'flavour'; did you mean 'flavor'?")


def test_a_bucket_name_that_s3_refuses(empty: Chiops) -> None:
    assert "only lower-case letters" in empty.refused("up", "object-lab", "--set", "bucket=My_Bucket", "--yes")
    assert "try 'my-bucket'" in empty.refused("bucket", "create", "My_Bucket")


@pytest.mark.parametrize(
    "command",
    [
        ("bench", "run"),
        ("data", "prepare"),
        ("ssh",),
        ("exec", "--", "true"),
        ("down", "--yes"),
        ("extend", "--by", "1h"),
    ],
    ids=lambda command: command[0],
)
def test_no_lab_is_up(empty: Chiops, command: tuple[str, ...]) -> None:
    assert "Run `chiops up object-lab` first" in empty.refused(*command)


def test_an_unknown_site(empty: Chiops) -> None:
    assert "there is no site 'locl'. Did you mean 'local'?" in empty.refused("up", "object-lab", "--site", "locl")


def test_a_setting_without_a_value(empty: Chiops) -> None:
    assert "is not key=value" in empty.refused("plan", "object-lab", "--set", "flavor")


def test_a_report_without_a_result(empty: Chiops) -> None:
    assert "Run `chiops bench run`" in empty.refused("bench", "report")


def test_status_of_nothing_is_no_error(empty: Chiops) -> None:
    assert empty.ok("status").out == "No lab is up.\n"
    assert empty.ok("status", "-o", "json").json() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="hides programs from one process, for which root is needed")
@pytest.mark.skipif(Path("/var/run/docker.sock").exists(), reason="a Docker runs here, so it can't be absent")
def test_docker_absent_and_nothing_to_install_it_with(empty: Chiops) -> None:
    """In a mount namespace in which neither the daemon nor the package manager can be started."""
    hide = 'for p in dockerd apt-get; do f=$(command -v $p) && mount --bind /dev/null "$f"; done; exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", hide, "sh", *empty.argv("up", "object-lab", "--yes")],
        cwd=empty.folder,
        env=empty.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    (told,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert "docker" in told.lower()
    assert "install" in told.lower()


def test_the_docker_that_was_named_does_not_answer(empty: Chiops) -> None:
    named = {"DOCKER_HOST": f"unix://{empty.folder}/no.sock"}
    told = Chiops(empty.state_home, empty.folder, named).refused("up", "object-lab", "--yes")
    assert told == "The Docker that DOCKER_HOST names does not answer. Start it, or unset DOCKER_HOST."


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A state folder on a disk of one MiB that is nearly full."""
    if os.geteuid() != 0:
        pytest.skip("mounts a small disk, for which root is needed")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=True)
    with contextlib.suppress(OSError):  # the disk fills up: that is the point
        (disk / "filler").write_bytes(b"x" * (1 << 20))
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk(tiny_disk: Path, tmp_path: Path) -> None:
    told = Chiops(tiny_disk, tmp_path).refused("up", "object-lab", "--yes")
    assert "room" in told.lower() or "full" in told.lower(), told
