"""Addresses and security groups of the fast cloud; several groups may bear one name, as at Neutron."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple

from chiops.cloud.base import FloatingIp, Mark, Rule, SecurityGroup
from chiops.errors import Ambiguous, Capacity, Conflict, NotFound
from tests.support.fast_cloud.store import Row, Store
from tests.support.fast_cloud.world import World

POOL = [f"203.0.113.{last}" for last in range(1, 40)]


class FastNetwork:
    """`base.Network`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def floating_ips(self) -> Sequence[FloatingIp]:
        with self._world.turn() as store:
            self._world.see("server")  # one that goes leaves its address
            return [_address(row) for row in store.rows("address")]

    def create_floating_ip(self, *, mark: Mark) -> FloatingIp:
        with self._world.turn() as store:
            self._world.check_quota("address", "floating IP")
            taken = {row.name for row in store.rows("address")}
            free = [address for address in POOL if address not in taken]
            if not free:
                raise Capacity("no floating IP was made", why="no more IP addresses available")
            body = {"address": free[0], "server": ""}
            return _address(store.add(Row("address", free[0], self._world.user, mark, body=body)))

    def bind_floating_ip(self, floating_ip_id: str, server_id: str) -> FloatingIp:
        with self._world.turn() as store:
            row = self._world.need("address", floating_ip_id, "floating IP")
            server = self._world.need("server", server_id, "server")
            if row.body["server"] not in ("", server.id):
                raise Conflict(f"the floating IP {row.name} is bound to another server")
            row.body["server"] = server.id
            return _address(store.save(row))

    def unbind_floating_ip(self, floating_ip_id: str) -> FloatingIp:
        with self._world.turn() as store:
            row = self._world.need("address", floating_ip_id, "floating IP")
            row.body["server"] = ""
            return _address(store.save(row))

    def delete_floating_ip(self, floating_ip_id: str) -> None:
        with self._world.turn() as store:
            store.remove(self._world.need("address", floating_ip_id, "floating IP"))

    def security_groups(self) -> Sequence[SecurityGroup]:
        with self._world.turn() as store:
            return [_group(row) for row in store.rows("group")]

    def create_security_group(self, name: str, *, description: str, mark: Mark) -> SecurityGroup:
        with self._world.turn() as store:
            self._world.check_quota("group", "security group")
            body = {"description": description, "rules": []}
            return _group(store.add(Row("group", name, self._world.user, mark, body=body)))

    def add_rule(self, group_id: str, rule: Rule) -> None:
        with self._world.turn() as store:
            row = self._world.need("group", group_id, "security group")
            if [*astuple(rule)] in row.body["rules"]:
                raise Conflict(f"the security group {row.name} has that rule already")
            row.body["rules"].append(astuple(rule))
            store.save(row)

    def remove_rule(self, group_id: str, rule: Rule) -> None:
        with self._world.turn() as store:
            row = self._world.need("group", group_id, "security group")
            if [*astuple(rule)] not in row.body["rules"]:
                raise NotFound(f"the security group {row.name} has no such rule")
            row.body["rules"].remove([*astuple(rule)])
            store.save(row)

    def delete_security_group(self, group_id: str) -> None:
        with self._world.turn() as store:
            row = self._world.need("group", group_id, "security group")
            if any(group_id in server.body["groups"] for server in store.rows("server")):
                raise Conflict(f"the security group {row.name} is in use")
            store.remove(row)

    def server_groups(self, server_id: str) -> Sequence[str]:
        with self._world.turn():
            return list(self._world.need("server", server_id, "server").body["groups"])

    def set_server_groups(self, server_id: str, groups: Sequence[str]) -> None:
        with self._world.turn() as store:
            server = self._world.need("server", server_id, "server")
            server.body["groups"] = group_ids(store, groups, server.mark)
            store.save(server)


def group_ids(store: Store, words: Sequence[str], mark: Mark | None) -> list[str]:
    """The groups of those names or ids; where several bear a name, the one with ``mark`` counts."""
    return [_group_id(store, word, mark) for word in words]


def _group_id(store: Store, name: str, mark: Mark | None) -> str:
    if store.row("group", name):
        return name
    named = [row for row in store.rows("group") if row.name == name]
    found = [row for row in named if row.mark == mark] if len(named) > 1 else named
    if not named:
        raise NotFound(f"there is no security group {name!r}")
    if len(found) != 1:
        raise Ambiguous(f"several security groups are named {name}")
    return found[0].id


def _address(row: Row) -> FloatingIp:
    return FloatingIp(
        id=row.id,
        name=row.name,
        status="ACTIVE" if row.body["server"] else "DOWN",
        mark=row.mark,
        created=row.created,
        address=row.body["address"],
        server_id=row.body["server"],
    )


def _group(row: Row) -> SecurityGroup:
    return SecurityGroup(
        id=row.id,
        name=row.name,
        mark=row.mark,
        created=row.created,
        description=row.body["description"],
        rules=tuple(sorted(Rule(*rule) for rule in row.body["rules"])),
    )
