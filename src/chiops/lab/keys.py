"""This machine's ssh key for nodes, and where a lab's host keys are remembered."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from chiops import paths
from chiops.errors import ChiopsError, PrerequisiteMissing
from chiops.lab.lock import making

_DRAFT = "draft-"


def key_path() -> Path:
    """Where the private key is, or will be."""
    return paths.private_dir(paths.state_dir() / "ssh") / "id_ed25519"


def key_file() -> Path:
    """The private key, made at first use, once for all commands that come at the same time; readable by its owner only.

    Raises:
        PrerequisiteMissing: ``ssh-keygen`` is not installed.
    """
    path = key_path()
    if not _is_there(path):
        with making(path.with_name("key.lock")):
            if not _is_there(path):  # another command has made it meanwhile
                _generate(path)
    return path


def public_key() -> str:
    """The public half, one line."""
    return key_file().with_suffix(".pub").read_text().strip()


def known_hosts(lab: str) -> Path:
    """Host keys of a lab's nodes; goes with the lab, since addresses are given out again."""
    return paths.private_dir(paths.state_dir() / "ssh") / f"known_hosts.{lab}"


def forget_hosts(lab: str) -> None:
    """Drop the host keys of a lab that is gone."""
    for path in (known_hosts(lab), known_hosts(lab).with_name(f"known_hosts.{lab}.old")):
        path.unlink(missing_ok=True)


def _is_there(path: Path) -> bool:
    """Whether both halves are: the private one is put there last."""
    return path.exists() and path.with_suffix(".pub").exists()


def _generate(path: Path) -> None:
    if not shutil.which("ssh-keygen"):
        raise PrerequisiteMissing("ssh-keygen is not installed", todo="install openssh-client, then run this again")
    for leftover in path.parent.glob(f"{_DRAFT}*"):  # a killed run's
        shutil.rmtree(leftover, ignore_errors=True)
    # Made in a folder of this run's own and moved into place: a killed run leaves no half of a pair.
    with tempfile.TemporaryDirectory(prefix=_DRAFT, dir=path.parent) as folder:
        draft = Path(folder) / path.name
        done = subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "chiops", "-f", str(draft)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ChiopsError("the ssh key could not be made", why=done.stderr.strip())
        draft.with_suffix(".pub").replace(path.with_suffix(".pub"))
        draft.replace(path)
