"""A lab with one of everything, and the short ways to bring it up and down at the cloud in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chiops.lab import down as downs
from chiops.lab import session, up
from chiops.lab.journal import Journal
from chiops.lab.survey import Purge
from tests.support.memory import SITE, Memory

LAB = """\
version: 1
name: lab
lease: {name: lease-x, duration: 4h}
security_groups:
  - {name: ssh, rules: [{port: 22}]}
servers:
  - {name: node-1, flavor: m1.tiny, security_groups: [ssh]}
  - {name: node-2, flavor: m1.tiny, security_groups: [ssh]}
volumes:
  - {name: data, size_gib: 2, server: node-1, mount: /mnt/block}
buckets:
  - {name: bucket-x}
"""
ALL = {
    "lease": 1, "keypair": 1, "security_group": 1, "server": 2, "floating_ip": 2, "volume": 1, "bucket": 1, "credential": 1
}  # fmt: skip
DATA = {"volume": 1, "bucket": 1}


def agree(_: object) -> None:
    """A person who says yes."""


def nobody(held: Sequence[object]) -> None:
    """Nothing may be in use."""
    raise AssertionError(held)


def write(folder: Path, text: str = LAB) -> str:
    path = folder / "lab.yaml"
    path.write_text(text)
    return str(path)


def bring_up(path: str, *replace: str) -> up.Outcome:
    return up.up(path, {}, SITE, agree, nobody, replace_=replace, configured=False)


def stay_listed(memory: Memory) -> None:
    """Have the lab's key pair, once it is deleted, be listed all the same."""
    ghost = memory.find("keypair", "chiops-lab")

    def undead(request: str) -> None:
        if request == "compute.delete_keypair":
            memory.of("keypair")[ghost.id] = ghost

    memory.after = undead


def take_down(name: str = "lab", **flags: bool) -> downs.Outcome:
    record = session.pick(Journal(), name, kept=True)
    return downs.down(record, agree, nobody, Purge(**flags))
