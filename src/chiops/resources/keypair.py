"""Key pairs: the public half of this machine's chiops key, registered at the site."""

from __future__ import annotations

from dataclasses import dataclass

from chiops.cloud.base import Keypair
from chiops.errors import NotFound, NotOurs
from chiops.resources.kind import Difference, Op, Verdict, Workbench, expect


@dataclass(frozen=True)
class KeypairWanted:
    """A key pair with the workbench's public key."""

    name: str


class KeypairKind:
    noun = "key pair"

    def judge(self, wanted: KeypairWanted, bench: Workbench) -> Verdict:
        for keypair in bench.seen.keypairs:
            if keypair.name != wanted.name:
                continue
            if same_key(keypair.public_key, bench.public_key):
                return Verdict(Op.KEEP, "the key is this machine's", keypair)
            if keypair.mark == bench.mark:
                differs = (Difference("key", "another machine's", "this machine's"),)
                return Verdict(Op.REPLACE, "the key is not this machine's", keypair, differs)
            raise NotOurs(
                f"a key pair named {wanted.name} with another key exists at {bench.cloud.site}",
                todo="delete it there, or name the lab otherwise",
            )
        return Verdict(Op.CREATE, "lets this machine in by ssh")

    def make(self, wanted: KeypairWanted, bench: Workbench) -> Keypair:
        return bench.cloud.compute.create_keypair(wanted.name, bench.public_key, mark=bench.mark)

    def settle(self, wanted: KeypairWanted, found: object, bench: Workbench) -> object:  # noqa: ARG002
        return found

    mend = settle

    def take(self, found: object, bench: Workbench) -> None:
        found = expect(Keypair, found)
        try:
            bench.cloud.compute.delete_keypair(found.name)
        except NotFound:
            return


def same_key(one: str, other: str) -> bool:
    """Whether two public keys are the same but for their comment, which services may drop or change."""
    return bool(one.split()[1:2]) and one.split()[:2] == other.split()[:2]
