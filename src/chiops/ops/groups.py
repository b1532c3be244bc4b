"""Security groups one at a time: made, their rules compared and repaired, put on servers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from chiops.cloud.base import Rule, SecurityGroup, Server
from chiops.errors import Ambiguous, Conflict, NotFound, NotOurs
from chiops.ops import resolve, servers
from chiops.ops.desk import Confirm, Desk
from chiops.ops.rules import show_all
from chiops.resources.kind import Seen
from chiops.resources.security_group import SecurityGroupKind, SecurityGroupWanted

NOUN = "security group"


def find(desk: Desk, groups: Iterable[SecurityGroup], word: str) -> SecurityGroup:
    """The group of that name or id; ours before others'."""
    return resolve.one(
        groups,
        word,
        NOUN,
        desk.site,
        prefer=desk.is_ours,
        describe=lambda group: show_all(group.rules) or "opens nothing",
    )


@dataclass(frozen=True)
class Made:
    """A group, and what was changed of it: rules opened and closed. ``new`` and ``ours`` tell how it came about."""

    group: SecurityGroup
    new: bool = False
    ours: bool = True
    opened: tuple[Rule, ...] = ()
    closed: tuple[Rule, ...] = ()


def create(desk: Desk, name: str, rules: Sequence[Rule], description: str, confirm: Confirm) -> Made:
    """Make a group that opens exactly ``rules``; one of ours of that name is brought to that, one of others' used if it serves.

    Args:
        desk: the site.
        name: of the group.
        rules: what it opens.
        description: for people; only of a new group.
        confirm: asked before a rule of an existing group is closed.

    Raises:
        NotOurs: others' group of that name lacks some of the rules.
        Ambiguous: several of ours have the name.
    """
    named = [group for group in desk.cloud.network.security_groups() if group.name == name]
    ours = [group for group in named if desk.is_ours(group)]
    if len(ours) > 1:
        raise Ambiguous(f"{len(ours)} security groups of yours are named {name!r}", todo="delete all but one by id")
    if ours:
        return _repair(desk, ours[0], rules, confirm)
    if named:
        nearest = min(named, key=lambda group: len(set(rules) - set(group.rules)))
        if lacks := set(rules) - set(nearest.rules):
            raise NotOurs(
                f"the security group {name} at {desk.site} was not made by your chiops and does not open {show_all(lacks)}",
                todo="choose another name",
            )
        return Made(nearest, ours=False)
    with desk.change("create", NOUN, name) as (_, entry):
        made = SecurityGroupKind().make(SecurityGroupWanted(name, description, tuple(rules)), desk.bench(desk.look()))
        entry.resource = made.id
    return Made(replace(made, rules=tuple(sorted(rules))), new=True, opened=tuple(rules))


def _repair(desk: Desk, group: SecurityGroup, rules: Sequence[Rule], confirm: Confirm) -> Made:
    want, have = set(rules), set(group.rules)
    return _change(desk, group, sorted(want - have), sorted(have - want), confirm)


def open_(desk: Desk, word: str, rules: Sequence[Rule]) -> Made:
    """Have a group of ours open more; what it opens already is left as it is.

    Raises:
        NotOurs: it is not ours.
    """
    group = _own(desk, word)
    return _change(desk, group, sorted(set(rules) - set(group.rules)), [], lambda _: None)


def close(desk: Desk, word: str, rules: Sequence[Rule], confirm: Confirm) -> Made:
    """Have a group of ours open less.

    Raises:
        NotOurs: it is not ours.
        NotFound: it has no such rule.
    """
    group = _own(desk, word)
    if unknown := set(rules) - set(group.rules):
        raise NotFound(
            f"the security group {group.name} has no rule {show_all(unknown)}",
            todo=f"it opens {show_all(group.rules) or 'nothing'}",
        )
    return _change(desk, group, [], sorted(set(rules)), confirm)


def _change(
    desk: Desk, group: SecurityGroup, opening: Sequence[Rule], closing: Sequence[Rule], confirm: Confirm
) -> Made:
    if not opening and not closing:
        return Made(group)
    if closing:
        confirm(f"Close {show_all(closing)} in the security group {group.name}, on every server that is in it?")
    with desk.change("update", NOUN, group.name, group.mark) as (_, entry):
        entry.resource = group.id
        for rule in opening:
            desk.cloud.network.add_rule(group.id, rule)
        for rule in closing:
            desk.cloud.network.remove_rule(group.id, rule)
    rules = tuple(sorted((set(group.rules) | set(opening)) - set(closing)))
    return Made(replace(group, rules=rules), opened=tuple(opening), closed=tuple(closing))


def delete(desk: Desk, word: str, confirm: Confirm) -> SecurityGroup:
    """Delete a group of ours that no server is in.

    Raises:
        NotOurs: it is not ours.
        Conflict: servers are in it; names them.
    """
    seen = desk.look("security_groups", "servers")
    group = desk.own(find(desk, seen.security_groups, word), NOUN, word)
    if found := users(desk, group, seen):
        raise Conflict(
            f"the security group {group.name} is used by {', '.join(found)}",
            todo=f"take it off with `chiops secgroup detach {group.name} {found[0]}`, or delete the server",
        )
    confirm(f"Delete the security group {group.name}?")
    with desk.change("delete", NOUN, group.name, group.mark) as (_, entry):
        entry.resource = group.id
        SecurityGroupKind().take(group, desk.bench(seen))
    return group


def users(desk: Desk, group: SecurityGroup, seen: Seen) -> list[str]:
    """The servers in a group. Listed are their groups' names: where several bear one, each is asked which it is in."""
    named = [server for server in seen.servers if group.name in server.security_groups]
    if sum(one.name == group.name for one in seen.security_groups) > 1:
        named = [server for server in named if group.id in desk.cloud.network.server_groups(server.id)]
    return [server.name for server in named]


def attach(desk: Desk, word: str, server: str) -> Server:
    """Put a server of ours into a group, besides those it is in."""
    return _regroup(desk, word, server, into=True)


def detach(desk: Desk, word: str, server: str) -> Server:
    """Take a server of ours out of a group."""
    return _regroup(desk, word, server, into=False)


def _regroup(desk: Desk, word: str, server: str, *, into: bool) -> Server:
    seen = desk.look("security_groups", "servers")
    group = find(desk, seen.security_groups, word)
    found = desk.own(servers.find(desk, seen.servers, server), "server", server)
    current = desk.cloud.network.server_groups(found.id)
    if (group.id in current) == into:
        return found
    others = [one for one in current if one != group.id]
    with desk.change("update", "server", found.name, found.mark) as (_, entry):
        entry.resource = found.id
        desk.cloud.network.set_server_groups(found.id, [*others, group.id] if into else others)
    return desk.cloud.compute.get(found.id)


def _own(desk: Desk, word: str) -> SecurityGroup:
    return desk.own(find(desk, desk.cloud.network.security_groups(), word), NOUN, word)
