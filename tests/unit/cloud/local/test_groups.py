"""Security groups and their members, in the database."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiops.cloud.base import Mark, Rule
from chiops.cloud.local.groups import Groups
from chiops.cloud.local.store import Store
from chiops.errors import Ambiguous, Conflict, NotFound

MARK = Mark("lab", "me")
SSH, WEB = Rule("tcp", 22, 22), Rule("tcp", 80, 80)


@pytest.fixture
def groups(tmp_path: Path) -> Groups:
    return Groups(Store(tmp_path / "site.db"))


def test_rules_of_all_groups_of_a_server_together(groups: Groups) -> None:
    first, second = groups.create("first", "", MARK), groups.create("second", "", MARK)
    for group, rule in ((first, SSH), (second, SSH), (second, WEB)):
        groups.add_rule(group.id, rule)
    groups.assign("server", [first.id, second.id])
    assert sorted(groups.rules_for("server")) == [SSH, WEB]
    assert groups.rules_for("other") == []
    assert groups.names_by_server() == {"server": ("first", "second")}
    assert groups.members(second.id) == ["server"]


def test_a_rule_twice_is_a_conflict(groups: Groups) -> None:
    group = groups.create("a", "", MARK)
    groups.add_rule(group.id, SSH)
    with pytest.raises(Conflict):
        groups.add_rule(group.id, SSH)


def test_a_group_with_members_stays(groups: Groups) -> None:
    group = groups.create("a", "", MARK)
    groups.add_rule(group.id, SSH)
    groups.assign("server", [group.id])
    with pytest.raises(Conflict):
        groups.delete(group.id)
    groups.assign("server", [])
    groups.delete(group.id)
    assert groups.every() == []


def test_names_are_resolved_or_said_to_be_unknown_or_ambiguous(groups: Groups) -> None:
    first = groups.create("a", "", MARK)
    assert groups.resolve(["a", "a"]) == [first.id]
    groups.create("a", "", MARK)
    with pytest.raises(Ambiguous):
        groups.resolve(["a"])
    with pytest.raises(NotFound):
        groups.resolve(["b"])


def test_a_failed_assignment_leaves_the_old_one(groups: Groups) -> None:
    group = groups.create("a", "", MARK)
    groups.assign("server", [group.id])
    with pytest.raises(NotFound):
        groups.assign("server", [group.id, "no such group"])
    assert groups.names_by_server() == {"server": ("a",)}
