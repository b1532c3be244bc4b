"""Who made a bucket, where two requests for it may have met.

Swift has no PUT of a container that fails when it is there: the second is answered 202, and its metadata replaces what bears the
same names. What bears others stays, in Ceph's gateway as well. So each request leaves a claim, a key of its own whose value is the
mark it wanted: whose claim stands alone made the bucket, even if the network carried the request out twice; who finds another's
gives way, and puts back that one's mark.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chiops.cloud.base import Mark
from chiops.cloud.openstack.once import REQUEST, word

META = "X-Container-Meta-"
_REMOVE = "X-Remove-Container-Meta-"


@dataclass(frozen=True, slots=True)
class Claim:
    """What one request for a bucket leaves at it."""

    mark: Mark
    word: str = field(default_factory=word)

    @property
    def _key(self) -> str:
        return f"{REQUEST}-{self.word}"

    def headers(self) -> dict[str, str]:
        """For the PUT: the mark, and the claim."""
        metadata = self.mark.as_metadata() | {self._key: self.mark.as_text()}
        return {META + key: value for key, value in metadata.items()}

    def retreat(self, found: Mapping[str, str]) -> dict[str, str]:
        """For a POST that takes the claim back from a container with this metadata; nothing if no trace of it is left.

        The mark becomes that of whoever's claim stands alone; where none does, it goes if it is ours.
        """
        rivals = claims(found)
        headers = {_REMOVE + self._key: "x"} if rivals.pop(self.word, None) else {}
        bears = Mark.from_metadata(found)
        if len(rivals) == 1 and bears not in rivals.values():
            headers |= {META + key: value for mark in rivals.values() for key, value in mark.as_metadata().items()}
        if not rivals and bears == self.mark:
            headers |= {_REMOVE + key: "x" for key in self.mark.as_metadata()}
        return headers


def metadata(headers: Mapping[str, str]) -> dict[str, str]:
    """A container's metadata in the headers of its HEAD, names in lower case: Ceph's gateway capitalises each part."""
    folded = {key.lower(): value for key, value in headers.items()}
    return {key.removeprefix(META.lower()): value for key, value in folded.items() if key.startswith(META.lower())}


def claims(found: Mapping[str, str]) -> dict[str, Mark]:
    """All claims in a container's metadata: the mark each wanted, by its word."""
    texts = {key.removeprefix(f"{REQUEST}-"): text for key, text in found.items() if key.startswith(f"{REQUEST}-")}
    return {claimed: mark for claimed, text in texts.items() if (mark := Mark.from_text(text))}


def owner(found: Mapping[str, str]) -> Mark | None:
    """The mark of a container with this metadata; None while claims for different marks stand: it is not settled whose it is."""
    return Mark.from_metadata(found) if len(set(claims(found).values())) < 2 else None
