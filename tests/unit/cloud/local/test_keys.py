"""S3 keys: who is let in, and who no longer."""

from __future__ import annotations

import pytest

from chiops.cloud.base import Mark
from chiops.cloud.local.identity import LocalIdentity
from chiops.cloud.local.keys import Keys
from chiops.cloud.local.site import LocalSite
from chiops.errors import NotFound


@pytest.fixture
def keys(site: LocalSite) -> Keys:
    return Keys(site.store)


def credentials(keys: Keys) -> dict[str, list[str]]:
    """Access keys with a secret, by what they may do."""
    config = keys.identities()["identities"]
    assert isinstance(config, list)
    return {entry["credentials"][0]["accessKey"]: entry["actions"] for entry in config if entry["credentials"]}


def test_keys_are_listed_with_their_marks(keys: Keys, mark: Mark) -> None:
    first, second = keys.add(mark), keys.add(Mark("other", "1"))
    assert [(key.access, key.secret, key.mark) for key in keys.list()] == [
        (key.access, key.secret, key.mark) for key in (first, second)
    ]
    assert first.access != second.access
    assert first.secret not in repr(first)


def test_our_own_key_stays_the_same_and_is_not_listed(site: LocalSite, keys: Keys) -> None:
    own = keys.admin()
    assert Keys(site.store).admin().secret == own.secret
    assert keys.list() == []
    assert credentials(keys) == {own.access: ["Admin"]}


def test_only_our_own_key_makes_buckets(keys: Keys, mark: Mark) -> None:
    key = keys.add(mark)
    assert "Admin" not in credentials(keys)[key.access]
    assert {"Read", "Write", "List"} <= set(credentials(keys)[key.access])


def test_a_revoked_key_stays_in_the_servers_file_without_a_secret(keys: Keys, mark: Mark) -> None:
    """The server drops no identity that has gone from its file, so it must see that this one has no credentials."""
    gone, kept = keys.add(mark), keys.add(mark)
    keys.revoke(gone.access)
    assert [key.access for key in keys.list()] == [kept.access]
    config = keys.identities()["identities"]
    assert isinstance(config, list)
    assert {"name": gone.access, "credentials": [], "actions": []} in config
    assert gone.secret not in str(config)
    assert kept.access in credentials(keys)
    keys.forget_revoked()
    assert gone.access not in str(keys.identities())


def test_what_the_server_was_not_told_of_is_noted(keys: Keys, mark: Mark) -> None:
    keys.admin()
    key, other = keys.add(mark), keys.add(mark)
    assert {one.access for one in keys.untold()} == {key.access, other.access}
    keys.told(keys.untold())
    assert keys.untold() == []
    told_late = [key]
    keys.revoke(key.access)
    keys.told(told_late)
    assert [(one.access, one.secret) for one in keys.untold()] == [(key.access, "")], "not as it was then"


def test_what_is_revoked_or_our_own_is_not_revoked(keys: Keys, mark: Mark) -> None:
    key, own = keys.add(mark), keys.admin()
    keys.revoke(key.access)
    for access in (key.access, own.access, "no-such-key"):
        with pytest.raises(NotFound):
            keys.revoke(access)
    assert own.access in credentials(keys)


def test_without_a_server_keys_are_kept_for_it(site: LocalSite, mark: Mark, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.engine, "running", lambda: None)
    identity = LocalIdentity(site)
    made = identity.create_ec2_credential(mark=mark)
    assert identity.ec2_credentials() == [made]
    assert made.project_id == identity.whoami().project_id
    identity.delete_ec2_credential(made.access)
    assert identity.ec2_credentials() == []
    with pytest.raises(NotFound):
        identity.delete_ec2_credential(made.access)
