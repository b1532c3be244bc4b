"""Where the mark goes at services without metadata, and the way back.

- Leases: Blazar stores nothing but a name, so the lab follows the name, as ``<name> chiops-lab=<lab>``, and the owner is the
  lease's own ``user_id``, which Blazar takes from the token and nobody can forge.
- Key pairs: Nova stores the public key as it is given, so the mark is its comment. Key pairs belong to one user by nature.
- Security groups and floating IPs: the description.
- EC2 credentials: members of the stored blob, beside access and secret.
"""

from __future__ import annotations

from chiops.cloud.base import Mark
from chiops.cloud.openstack.once import REQUEST
from chiops.errors import InvalidRequest

LONGEST_LEASE_NAME = 80
LONGEST_DESCRIPTION = 255
_LAB = " chiops-lab="


def lease_name(name: str, mark: Mark) -> str:
    """The name that Blazar stores.

    Raises:
        InvalidRequest: together they are longer than Blazar takes.
    """
    stored = f"{name}{_LAB}{mark.lab}"
    if len(stored) > LONGEST_LEASE_NAME:
        room = LONGEST_LEASE_NAME - len(_LAB) - len(mark.lab)
        raise InvalidRequest(
            f"the lease name {name!r} is too long", todo=f"use at most {room} characters with the lab {mark.lab}"
        )
    return stored


def from_lease(stored: str, user_id: str) -> tuple[str, Mark | None]:
    """The lease's name as given, and its mark."""
    name, found, lab = stored.rpartition(_LAB)
    return (name, Mark(lab, user_id)) if found and lab and " " not in lab else (stored, None)


def description(text: str, mark: Mark, request: str) -> str:
    """A description with the mark behind the person's words.

    Raises:
        InvalidRequest: longer than the services take.
    """
    marked = f"{text} {mark.as_text()} {REQUEST}={request}".strip()
    if len(marked) > LONGEST_DESCRIPTION:
        raise InvalidRequest("the description is too long", todo=f"shorten it by {len(marked) - LONGEST_DESCRIPTION}")
    return marked


def plain(text: str) -> str:
    """A description without our words."""
    return " ".join(word for word in text.split() if not word.startswith("chiops-"))


def public_key(key: str, mark: Mark) -> str:
    """The public key with the mark as the end of its comment.

    Raises:
        InvalidRequest: it is no public key; Nova would make a pair of its own for an empty one.
    """
    words = plain(key).split()
    if len(words) < 2:
        raise InvalidRequest("that is no public key", todo="give the line of an id_*.pub file")
    return " ".join([*words, mark.as_text()])
