"""Security groups in a shared project, where classmates' groups bear the same names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chiops.cloud.base import Mark, Rule, SecurityGroup
from chiops.errors import Ambiguous, Conflict, NotOurs
from chiops.ops import groups, serving
from chiops.ops.desk import Desk
from chiops.ops.serving import ServerPlan
from chiops.resources import waiting
from tests.support.fast_cloud.cloud import FACTS, FastCloud
from tests.support.fast_lab import KEY
from tests.support.things import MINE

SSH, WEB = Rule("tcp", 22, 22), Rule("tcp", 80, 80)


def yes(question: str) -> None:
    """A person who agrees to everything."""


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A site with a key of ours."""
    monkeypatch.setattr(waiting, "FIRST_PAUSE_S", 0.0)
    cloud = FastCloud(tmp_path / "cloud.db")
    cloud.compute.create_keypair("k", KEY, mark=MINE)
    return Desk(cloud, replace(FACTS, needs_lease=False))


def theirs(at: Desk, name: str, *rules: Rule, owner: str = "mate") -> SecurityGroup:
    """A group of a classmate."""
    made = at.cloud.network.create_security_group(name, description="", mark=Mark("none", owner))
    for rule in rules:
        at.cloud.network.add_rule(made.id, rule)
    return made


def make(at: Desk, *words: str) -> str:
    """A server in those groups; its id."""
    plan = ServerPlan(name="n", flavor="m1.small", keypair="k", security_groups=words)
    return serving.create(at, plan)[0].server.id


def test_an_id_leads_on_where_classmates_groups_bear_the_name(at: Desk) -> None:
    one, two, web = theirs(at, "allow-ssh", SSH), theirs(at, "allow-ssh", SSH, owner="other"), theirs(at, "web", WEB)
    with pytest.raises(Ambiguous, match=two.id):
        make(at, "allow-ssh")
    server = make(at, two.id)
    assert at.cloud.network.server_groups(server) == [two.id]
    groups.attach(at, "web", "n")
    groups.attach(at, one.id, "n")
    assert set(at.cloud.network.server_groups(server)) == {one.id, two.id, web.id}
    groups.detach(at, two.id, "n")
    assert set(at.cloud.network.server_groups(server)) == {one.id, web.id}


def test_a_name_means_our_group_before_classmates(at: Desk) -> None:
    theirs(at, "allow-ssh", SSH)
    mine = at.cloud.network.create_security_group("allow-ssh", description="", mark=at.mark)
    assert at.cloud.network.server_groups(make(at, "allow-ssh")) == [mine.id]
    with pytest.raises(Conflict, match="is used by n"):
        groups.delete(at, "allow-ssh", yes)


def test_a_group_is_not_in_use_because_its_namesake_is(at: Desk) -> None:
    other = theirs(at, "allow-ssh", SSH)
    mine = at.cloud.network.create_security_group("allow-ssh", description="", mark=at.mark)
    make(at, other.id)
    assert groups.delete(at, "allow-ssh", yes).id == mine.id


def test_of_several_groups_of_others_the_one_that_opens_enough_is_used(at: Desk) -> None:
    theirs(at, "g"), theirs(at, "g", SSH)
    enough = theirs(at, "g", SSH, WEB)
    assert groups.create(at, "g", [SSH, WEB], "", yes).group.id == enough.id
    with pytest.raises(NotOurs, match="does not open 443/tcp"):
        groups.create(at, "g", [SSH, WEB, Rule("tcp", 443, 443)], "", yes)
