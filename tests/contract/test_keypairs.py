"""Public keys that servers let in."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiops.cloud.base import Cloud
from chiops.errors import Conflict, InvalidRequest, NotFound
from tests.support.scratch import Scratch


def names(cloud: Cloud) -> list[str]:
    return [keypair.name for keypair in cloud.compute.keypairs()]


def test_create_list_delete(cloud: Cloud, scratch: Scratch, key: tuple[Path, str]) -> None:
    made = scratch.keypair(key[1])
    (listed,) = (keypair for keypair in cloud.compute.keypairs() if keypair.name == made.name)
    assert made.fingerprint
    assert listed.fingerprint == made.fingerprint
    assert listed.mark in (scratch.mark, None), "a keypair is ours, or its service cannot tell"
    cloud.compute.delete_keypair(made.name)
    assert made.name not in names(cloud)
    with pytest.raises(NotFound):
        cloud.compute.delete_keypair(made.name)


def test_a_taken_name_is_a_conflict_and_keeps_the_first_key(
    cloud: Cloud, scratch: Scratch, key: tuple[Path, str], other_key: tuple[Path, str]
) -> None:
    made = scratch.keypair(key[1])
    with pytest.raises(Conflict):
        cloud.compute.create_keypair(made.name, other_key[1], mark=scratch.mark)
    (kept,) = (keypair for keypair in cloud.compute.keypairs() if keypair.name == made.name)
    assert kept.fingerprint == made.fingerprint


@pytest.mark.parametrize("text", ["", "not a key", "ssh-ed25519 AAAA", "ssh-ed25519"])
def test_what_is_no_public_key_is_refused(cloud: Cloud, scratch: Scratch, text: str) -> None:
    name = scratch.name("key")
    with pytest.raises(InvalidRequest):
        cloud.compute.create_keypair(name, text, mark=scratch.mark)
    assert name not in names(cloud)
