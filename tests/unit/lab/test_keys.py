"""This machine's key: made once, whoever comes first and however many come at the same time."""

from __future__ import annotations

import fcntl
import stat
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chiops.errors import ChiopsError
from chiops.lab import keys


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where keys are; there is none yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "chiops" / "ssh"


def keygen(monkeypatch: pytest.MonkeyPatch, between: Callable[[int], None] = lambda _: None) -> list[Path]:
    """Stands in for ssh-keygen, each pair another; ``between`` is called between its halves. Returns where it wrote to."""
    wrote: list[Path] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        draft = Path(command[-1])
        wrote.append(draft)
        number = len(wrote)
        draft.write_text(f"private {number}")
        between(number)
        draft.with_name(f"{draft.name}.pub").write_text(f"public {number}\n")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return wrote


def test_two_first_commands_at_once_get_the_same_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both, count, real = threading.Event(), iter(range(1, 99)), fcntl.flock

    def flock(file: object, how: int) -> None:
        if next(count) == 2:
            both.set()
        real(file, how)  # type: ignore[arg-type]

    def between(number: int) -> None:
        """The first holds until the second has come: to the lock, or to a pair of its own."""
        if number == 2:
            both.set()
        assert both.wait(10)

    monkeypatch.setattr(fcntl, "flock", flock)
    wrote = keygen(monkeypatch, between)
    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(lambda _: keys.public_key(), range(2)))
    assert told == ["public 1", "public 1"]
    assert len(wrote) == 1
    assert (folder / "id_ed25519").read_text() == "private 1"


def test_a_real_pair_fits_and_is_the_owners_alone(folder: Path) -> None:
    path = keys.key_file()
    shown = subprocess.run(["ssh-keygen", "-y", "-f", str(path)], capture_output=True, text=True, check=True).stdout
    assert shown.split()[:2] == keys.public_key().split()[:2]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {one.name for one in folder.iterdir()} == {"id_ed25519", "id_ed25519.pub", "key.lock"}


def test_what_a_killed_run_left_goes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[str]] = []
    wrote = keygen(monkeypatch, lambda _: seen.append({one.parent.name for one in folder.glob("*/id_ed25519")}))
    keys.key_file()
    killed, (mine,) = wrote[0].parent, seen[0]
    assert killed.name == mine
    killed.mkdir()
    (killed / "id_ed25519").write_text("half a pair")
    (folder / "id_ed25519").unlink()
    assert keys.public_key() == "public 2"
    assert killed.name not in seen[1]


def test_a_file_system_without_locks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(_: object, __: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", flock)
    wrote = keygen(monkeypatch)
    with pytest.raises(
        ChiopsError, match=r"key\.lock can't be locked: Operation not supported\. Have XDG_STATE_HOME on"
    ):
        keys.key_file()
    assert wrote == []
