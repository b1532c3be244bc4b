"""Key pairs one at a time: public keys, registered at a site."""

from __future__ import annotations

from pathlib import Path

from chiops.cloud.base import Keypair
from chiops.errors import Conflict, UsageError
from chiops.lab import keys
from chiops.ops import resolve
from chiops.ops.desk import Confirm, Desk
from chiops.resources.keypair import KeypairKind, same_key

NOUN = "key pair"
LARGEST_BYTES = 64 << 10
"""No public key is larger."""


def create(desk: Desk, name: str, file: Path | None = None) -> tuple[Keypair, bool]:
    """Register the public key in ``file``, or this machine's own.

    Returns:
        The key pair, and whether it is new.

    Raises:
        UsageError: the file can't be read, or holds no public key.
        Conflict: the name stands for another key.
    """
    public = read_public_key(file) if file else keys.public_key()
    for found in desk.cloud.compute.keypairs():
        if found.name == name:
            if same_key(found.public_key, public):
                return found, False
            raise Conflict(
                f"a key pair named {name} with another key exists at {desk.site}", todo="choose another name"
            )
    with desk.change("create", NOUN, name) as (_, entry):
        made = desk.cloud.compute.create_keypair(name, public, mark=desk.mark)
        entry.resource = made.id
    return made, True


def read_public_key(file: Path) -> str:
    """The public key in a file, one line.

    Raises:
        UsageError: the file can't be read, or is something else; a private key is told apart.
    """
    try:
        with file.open("rb") as stream:
            text = stream.read(LARGEST_BYTES).decode()
    except OSError as error:
        raise UsageError(f"{file} can't be read", why=error.strerror or str(error)) from None
    except UnicodeDecodeError:
        text = ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if any("PRIVATE KEY" in line for line in lines):
        raise UsageError(f"{file} is a private key, which never leaves your machine", todo=f"give {file}.pub")
    if len(lines) != 1 or len(lines[0].split()) < 2:
        raise UsageError(f"{file} is no public key", todo="give the .pub file that ssh-keygen wrote")
    return lines[0]


def delete(desk: Desk, word: str, confirm: Confirm) -> Keypair:
    """Forget a key pair of ours; servers that were made with it keep the key.

    Raises:
        NotOurs: it is not ours.
    """
    found = desk.own(resolve.one(desk.cloud.compute.keypairs(), word, NOUN, desk.site), NOUN, word)
    confirm(f"Delete the key pair {found.name} at {desk.site}?")
    with desk.change("delete", NOUN, found.name, found.mark) as (_, entry):
        entry.resource = found.id
        KeypairKind().take(found, desk.bench(desk.look()))
    return found
