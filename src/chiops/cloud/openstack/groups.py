"""Neutron's security groups: named sets of ingress rules. Egress stays as Neutron makes it, open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, cast

from chiops.cloud.base import Mark, Rule, SecurityGroup
from chiops.cloud.openstack import marks, times, told
from chiops.cloud.openstack.once import once, word
from chiops.cloud.openstack.site import Site
from chiops.errors import Ambiguous, NotFound
from chiops.names import suggestion

_PROTOCOLS = {"tcp": "tcp", "udp": "udp", "icmp": "icmp", None: "any", "6": "tcp", "17": "udp", "1": "icmp"}
_EVERYWHERE = "0.0.0.0/0"
_LAST_PORT = 65535


class OpenStackGroups:
    """Security groups at one site."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @property
    def _neutron(self) -> Any:
        return self._site.neutron

    def list(self) -> Sequence[SecurityGroup]:
        """The project's groups with their rules."""
        with self._site.doing("listing security groups"):
            found = self._neutron.security_groups(project_id=self._site.me.project_id)
            return [_group(item) for item in told.with_ids(found)]

    def create(self, name: str, *, description: str, mark: Mark) -> SecurityGroup:
        """A group that lets nothing in yet."""
        request = word()
        text = marks.description(description, mark, request)

        def make() -> SecurityGroup:
            with self._site.doing(f"creating the security group {name}"):
                return _group(self._neutron.create_security_group(name=name, description=text))

        def find() -> SecurityGroup | None:
            with self._site.doing("listing security groups"):
                found = list(self._neutron.security_groups(name=name))
            return next((_group(item) for item in found if request in told.text(item.description)), None)

        return once(make, find, what=f"the security group {name}")

    def add_rule(self, group_id: str, rule: Rule) -> None:
        """Let something in.

        Raises:
            Conflict: the group has that rule already.
        """
        ports = (
            {}
            if rule.port_min == rule.port_max == 0
            else {"port_range_min": rule.port_min, "port_range_max": rule.port_max}
        )

        def make() -> None:
            with self._site.doing(f"adding a rule to the security group {group_id}", f"security group {group_id}"):
                self._neutron.create_security_group_rule(
                    security_group_id=group_id,
                    direction="ingress",
                    ether_type="IPv4",
                    protocol=None if rule.protocol == "any" else rule.protocol,
                    remote_ip_prefix=rule.cidr,
                    **ports,
                )

        once(make, lambda: self._rule_id(group_id, rule), what="the rule")

    def remove_rule(self, group_id: str, rule: Rule) -> None:
        """Stop letting it in.

        Raises:
            NotFound: no such group, or it has no such rule.
        """
        found = self._rule_id(group_id, rule)
        if found is None:
            raise NotFound(f"the security group {group_id} has no such rule", why=str(rule))
        with self._site.doing("removing a rule", "such rule"):
            self._neutron.delete_security_group_rule(found, ignore_missing=False)

    def _rule_id(self, group_id: str, rule: Rule) -> str | None:
        with self._site.doing(f"reading the security group {group_id}", f"security group {group_id}"):
            rules = told.mappings(self._neutron.get_security_group(group_id).security_group_rules)
        return next((str(item["id"]) for item in rules if _rule(item) == _explicit(rule)), None)

    def delete(self, group_id: str) -> None:
        """Delete a group.

        Raises:
            Conflict: a server uses it.
        """
        with self._site.doing(f"deleting the security group {group_id}", f"security group {group_id}"):
            self._neutron.delete_security_group(group_id, ignore_missing=False)

    def ids(self, names: Sequence[str], mark: Mark | None) -> Sequence[str]:
        """The groups of those names, or ids. Where several bear a name the one with ``mark`` counts.

        Raises:
            NotFound: no group has the name.
            Ambiguous: several have it, and none or several of them are ours.
        """
        known = self.list()
        return [self._id(name, known, mark) for name in names]

    def _id(self, name: str, known: Sequence[SecurityGroup], mark: Mark | None) -> str:
        found = [group for group in known if group.id == name] or [group for group in known if group.name == name]
        if len(found) > 1:
            found = [group for group in found if mark and group.mark == mark]
        if len(found) == 1:
            return found[0].id
        site = self._site.facts.name
        if any(group.name == name for group in known):
            raise Ambiguous(f"several security groups at {site} are named {name}", todo="use the id instead")
        raise NotFound(
            f"there is no security group {name!r} at {site}", todo=suggestion(name, [group.name for group in known])
        )


def _group(item: Any) -> SecurityGroup:
    text = told.text(item.description)
    rules = (_rule(rule) for rule in told.mappings(item.security_group_rules))
    return SecurityGroup(
        id=told.text(item.id),
        name=told.text(item.name),
        mark=Mark.from_text(text),
        created=times.parse(item.created_at),
        description=marks.plain(text),
        rules=tuple(sorted({rule for rule in rules if rule})),
    )


def _rule(item: Mapping[str, Any]) -> Rule | None:
    """An IPv4 ingress rule by address; None for what a `Rule` can't say (IPv6, groups as source), or nobody can read."""
    if item.get("direction") != "ingress" or item.get("ethertype") != "IPv4":
        return None
    if item.get("remote_group_id") or item.get("remote_address_group_id"):
        return None
    said, source = item.get("protocol"), item.get("remote_ip_prefix") or _EVERYWHERE
    low, high = (told.number(item.get(key) or 0) for key in ("port_range_min", "port_range_max"))
    protocol = _PROTOCOLS.get(said) if said is None or isinstance(said, str) else None
    if protocol is None or low is None or high is None or not isinstance(source, str):
        return None
    return _explicit(Rule(cast("Literal['tcp', 'udp', 'icmp', 'any']", protocol), low, high, source))


def _explicit(rule: Rule) -> Rule:
    """Neutron drops the ports of a rule that opens all of them; said one way, two such rules are equal."""
    if rule.protocol in ("tcp", "udp") and rule.port_min == rule.port_max == 0:
        return replace(rule, port_min=1, port_max=_LAST_PORT)
    return rule
