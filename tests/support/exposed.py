"""Where secrets can be seen that nobody but their owner should: said, logged, noted, in arguments, in files that others may read.

Files are judged by their own mode, whatever the folders above let through: somebody may open those.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.cli import Chiops, Done

HOLDERS = ("ssh/id_ed25519", "jupyter/*.token", "local/site.db*", "local/s3/config/identities.json")
"""The files of the state that are there to hold secrets."""
DISKS = ("local/docker/data/overlay2", "local/docker/data/image", "local/docker/data/volumes", "local/volumes")
"""What nodes have for disks, and what they are made from. That is looked at on the nodes."""
LARGEST = 64 << 20

_ASK = """
import json
from chiops.cloud.sites import connect
with connect("local") as cloud:
    keys = {f"S3 key {one.access}": one.secret for one in cloud.identity.ec2_credentials()}
    print(json.dumps(keys | {"the site's own S3 key": cloud.identity.s3_server.access().secret}))
"""
_LOOK = r"""
umask 077; words=$(mktemp /run/words.XXXXXX); trap 'rm -f "$words"' EXIT; cat >"$words"
{ find / -xdev \( -path /proc -o -path /sys -o -path /dev \) -prune -o -type f -perm -0004 -size -64M -print0 \
  | xargs -0 -r grep -lFf "$words" -- 2>/dev/null || true; } | sed 's/^/others can read /'
if journalctl --no-pager -q | grep -qFf "$words"; then echo 'in the journal of the node'; fi
for file in $(find /var/lib/docker/containers -name '*-json.log' -o -name config.v2.json 2>/dev/null); do
  if grep -qFf "$words" "$file"; then echo "in $file"; fi
done
"""


class Arguments(threading.Thread):
    """Collects the arguments of all processes of this machine, nodes included, some twenty times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.05):
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(entry.read_bytes())
                except OSError:
                    continue  # it has ended

    def __enter__(self) -> Arguments:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self.join()


def secrets(chiops: Chiops) -> dict[str, str]:
    """Every secret that is on this machine now, by what it is: S3 keys, Jupyter's tokens, the private half of the ssh key."""
    argv = [chiops.argv()[0], "-c", _ASK]
    found: dict[str, str] = json.loads(
        subprocess.run(argv, env=chiops.env, capture_output=True, text=True, check=True).stdout
    )
    state = chiops.state_home / "chiops"
    found |= {f"{file.name} {file.read_text()[:4]}…": file.read_text() for file in (state / "jupyter").glob("*.token")}
    # Of the key's lines the first ones are the same for all keys, or tell the public half, and the last one is padding
    for line in (state / "ssh/id_ed25519").read_text().splitlines()[3:-2]:
        found[f"ssh key {line[:4]}…"] = line
    return found


def exposed(
    chiops: Chiops, words: Mapping[str, str], said: Sequence[Done], arguments: Arguments, ssh: str
) -> Iterator[str]:
    """Each place where one of ``words`` is seen; ``ssh`` is the command that leads to the node."""
    for done in said:
        yield from _in(f"the output of {shlex.join(done.argv)}", (done.out + done.err).encode(), words)
    for told in list(arguments.seen):
        yield from _in(f"the arguments of {told.split(bytes(1))[0].decode(errors='replace')}", told, words)
    state = chiops.state_home / "chiops"
    holders = {file for pattern in HOLDERS for file in state.glob(pattern)}
    for file in _files(state):
        if file in holders:
            if file.stat().st_mode & 0o077:
                yield f"{file}: it holds secrets, and others may read it"
        else:
            yield from _in(str(file), file.read_bytes(), words)
    look = [*shlex.split(ssh), f"sudo sh -c {shlex.quote(_LOOK)}"]
    lines = "".join(f"{word}\n" for word in words.values())
    yield from subprocess.run(look, input=lines, capture_output=True, text=True, check=True).stdout.splitlines()


def _in(where: str, content: bytes, words: Mapping[str, str]) -> Iterator[str]:
    yield from (f"{where}: {name}" for name, word in words.items() if word.encode() in content)


def _files(state: Path) -> Iterator[Path]:
    disks = [state / disk for disk in DISKS]
    for folder, folders, names in os.walk(state):
        folders[:] = [name for name in folders if Path(folder, name) not in disks]
        for file in (Path(folder, name) for name in names):
            if file.is_file() and not file.is_symlink() and file.stat().st_size <= LARGEST:
                yield file
