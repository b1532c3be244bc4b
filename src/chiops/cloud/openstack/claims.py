"""Who made a bucket, where two requests for it may have met.

Swift has no PUT of a container that fails when it is there: the second is answered 202, and its metadata replaces what bears the
same names. What bears others stays, in Ceph's gateway as well. So each request leaves a claim, a key of its own whose value is the
mark it wanted: whose claim stands alone made the bucket, even if the network carried the request out twice; who finds another's
gives way, and puts back that one's mark. Whoever was answered 201, or is found alone, then signs: should one that came second end
before it gave way, the signature tells whose the bucket is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from chiops.cloud.base import Mark
from chiops.cloud.openstack.once import REQUEST, looked_for, word
from chiops.errors import CloudError, Timeout

GIVING_WAY_S = (0.0, 0.1, 0.3, 1.0, 3.0)
"""Pauses between looks at a bucket that is another's, until nothing of us is at it: of changes at once, Ceph may lose one."""
MADE = "chiops-made"
"""The key of the signature, whose value is the maker's mark. No PUT of a container has it, so none replaces it."""
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

    def signature(self) -> dict[str, str]:
        """For a POST that says who made the container."""
        return {META + MADE: self.mark.as_text()}

    def alone(self, found: Mapping[str, str]) -> bool:
        """Whether a container with this metadata shows no other maker."""
        return list(claims(found)) == [self.word] and maker(found) in (None, self.mark)

    def retreat(self, found: Mapping[str, str]) -> dict[str, str]:
        """For a POST that takes the claim back from a container with this metadata; nothing if no trace of it is left.

        The mark becomes that of whoever signed, or whose claim stands alone; where none does, it goes if it is ours.
        """
        rivals = claims(found)
        headers = {_REMOVE + self._key: "x"} if rivals.pop(self.word, None) else {}
        bears, made = Mark.from_metadata(found), maker(found)
        if not made and len(rivals) == 1:
            (made,) = rivals.values()
        if made and bears != made:
            headers |= {META + key: value for key, value in made.as_metadata().items()}
        if not made and not rivals and bears == self.mark:
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


def maker(found: Mapping[str, str]) -> Mark | None:
    """Who signed a container with this metadata."""
    return Mark.from_text(found.get(MADE, ""))


def owner(found: Mapping[str, str]) -> Mark | None:
    """The mark of a container with this metadata.

    Whoever signed decides, since the mark may be that of one who came second and ended before it put back what it replaced. While
    nobody has, and it is wanted for different marks, None: it is not settled whose it is.
    """
    if made := maker(found):
        return made
    return Mark.from_metadata(found) if len(set(claims(found).values())) < 2 else None


Look = Callable[[], Mapping[str, str]]
"""Reads the container's metadata."""
Change = Callable[[Mapping[str, str]], None]
"""Sends a POST with these headers."""


def sign(claim: Claim, change: Change) -> None:
    """Have the container say that we made it; a few times, and not at any cost: it matters only if another ends too early."""
    for pause in GIVING_WAY_S:
        time.sleep(pause)
        try:
            return change(claim.signature())
        except Timeout:
            return None  # it may have come through, and the next may take as long
        except CloudError:
            continue
    return None


def give_way(claim: Claim, found: Mapping[str, str], look: Look, change: Change) -> Mapping[str, str]:
    """Take a claim back until nothing of it is left at the container, of which ``found`` is the metadata; what it then is.

    Raises:
        CloudError: the last of several attempts failed.
    """
    for pause in GIVING_WAY_S:
        retreat = claim.retreat(found)
        if not retreat and len(claims(found)) < 2:
            return found
        if retreat:
            with suppress(CloudError):  # the next look tells
                change(retreat)
        seen = looked_for(look, pauses=(pause,))
        found = found if seen is None else seen
    if retreat := claim.retreat(found):
        change(retreat)
    return found
