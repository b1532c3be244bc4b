"""EC2 credentials: the lab's key pair for S3. One is reused rather than made anew."""

from __future__ import annotations

from dataclasses import dataclass

from chiops.cloud.base import Ec2Credential
from chiops.errors import NotFound
from chiops.resources.kind import Op, Verdict, Workbench, expect


@dataclass(frozen=True)
class CredentialWanted:
    """A key pair for the lab's buckets."""

    name: str = "S3 key"


class CredentialKind:
    noun = "EC2 credential"

    def judge(self, wanted: CredentialWanted, bench: Workbench) -> Verdict:  # noqa: ARG002
        found = [item for item in bench.seen.credentials if item.mark == bench.mark]
        if found:
            return Verdict(Op.KEEP, "the one made for this lab is reused", found[0])
        return Verdict(Op.CREATE, "opens the bucket over S3")

    def make(self, wanted: CredentialWanted, bench: Workbench) -> Ec2Credential:  # noqa: ARG002
        return bench.cloud.identity.create_ec2_credential(mark=bench.mark)

    def settle(self, wanted: CredentialWanted, found: object, bench: Workbench) -> object:  # noqa: ARG002
        return found

    mend = settle

    def take(self, found: object, bench: Workbench) -> None:
        found = expect(Ec2Credential, found)
        try:
            bench.cloud.identity.delete_ec2_credential(found.access)
        except NotFound:
            return
