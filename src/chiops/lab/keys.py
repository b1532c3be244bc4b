"""This machine's ssh key for nodes, and where a lab's host keys are remembered."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from chiops import paths
from chiops.errors import ChiopsError, PrerequisiteMissing


def key_path() -> Path:
    """Where the private key is, or will be."""
    return paths.private_dir(paths.state_dir() / "ssh") / "id_ed25519"


def key_file() -> Path:
    """The private key, made at first use; readable by its owner only.

    Raises:
        PrerequisiteMissing: ``ssh-keygen`` is not installed.
    """
    path = key_path()
    if not path.exists() or not path.with_suffix(".pub").exists():
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


def _generate(path: Path) -> None:
    if not shutil.which("ssh-keygen"):
        raise PrerequisiteMissing("ssh-keygen is not installed", todo="install openssh-client, then run this again")
    # Made beside and moved into place: a killed run leaves no half of a pair.
    draft = path.with_name("id_ed25519.new")
    for leftover in (draft, draft.with_suffix(".new.pub"), draft.with_name("id_ed25519.new.pub")):
        leftover.unlink(missing_ok=True)
    done = subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "chiops", "-f", str(draft)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ChiopsError("the ssh key could not be made", why=done.stderr.strip())
    draft.with_name("id_ed25519.new.pub").replace(path.with_suffix(".pub"))
    draft.replace(path)
