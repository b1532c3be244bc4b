"""Security groups: rules compared and repaired."""

from __future__ import annotations

from dataclasses import dataclass

from chiops.cloud.base import Rule, SecurityGroup
from chiops.errors import Conflict, NotFound, NotOurs
from chiops.resources import waiting
from chiops.resources.kind import Difference, Op, Verdict, Workbench, expect

GONE_TIMEOUT_S = 60


@dataclass(frozen=True)
class SecurityGroupWanted:
    """A named set of ingress rules."""

    name: str
    description: str
    rules: tuple[Rule, ...]


class SecurityGroupKind:
    noun = "security group"

    def judge(self, wanted: SecurityGroupWanted, bench: Workbench) -> Verdict:
        named = [group for group in bench.seen.security_groups if group.name == wanted.name]
        for group in named:
            if group.mark == bench.mark:
                missing, extra = _differences(wanted, group)
                if missing or extra:
                    changes = [f"open {_show(rule)}" for rule in missing] + [f"close {_show(rule)}" for rule in extra]
                    differs = [Difference(_show(rule), "closed", "open") for rule in missing]
                    differs += [Difference(_show(rule), "open", "closed") for rule in extra]
                    return Verdict(Op.UPDATE, ", ".join(changes), group, tuple(differs))
                return Verdict(Op.KEEP, f"opens {_ports(wanted.rules)}", group)
        if named:
            # Projects share groups such as allow-ssh: one that opens what we need serves as it is.
            nearest = min(named, key=lambda group: len(_differences(wanted, group)[0]))
            if missing := _differences(wanted, nearest)[0]:
                raise NotOurs(
                    f"the security group {wanted.name} exists at {bench.cloud.site}, is not this lab's and lacks "
                    + ", ".join(_show(rule) for rule in missing),
                    todo="name the lab's group otherwise",
                )
            return Verdict(Op.USE, f"opens {_ports(wanted.rules)}, made by someone else", nearest)
        return Verdict(Op.CREATE, f"opens {_ports(wanted.rules)}")

    def make(self, wanted: SecurityGroupWanted, bench: Workbench) -> SecurityGroup:
        group = bench.cloud.network.create_security_group(wanted.name, description=wanted.description, mark=bench.mark)
        return self.mend(wanted, group, bench)

    def settle(self, wanted: SecurityGroupWanted, found: object, bench: Workbench) -> object:  # noqa: ARG002
        return found

    def mend(self, wanted: SecurityGroupWanted, found: object, bench: Workbench) -> SecurityGroup:
        found = expect(SecurityGroup, found)
        missing, extra = _differences(wanted, found)
        for rule in missing:
            bench.cloud.network.add_rule(found.id, rule)
        for rule in extra:
            bench.cloud.network.remove_rule(found.id, rule)
        return found

    def take(self, found: object, bench: Workbench) -> None:
        found = expect(SecurityGroup, found)

        def attempt() -> bool | None:
            # The service may still count a server that has just gone as a user of the group.
            try:
                bench.cloud.network.delete_security_group(found.id)
            except NotFound:
                return True
            except Conflict:
                return None
            return True

        waiting.until(attempt, what=f"security group {found.name} being free", timeout_s=GONE_TIMEOUT_S)


def _differences(wanted: SecurityGroupWanted, group: SecurityGroup) -> tuple[list[Rule], list[Rule]]:
    want, have = set(wanted.rules), set(group.rules)
    return sorted(want - have), sorted(have - want)


def _show(rule: Rule) -> str:
    ports = f" {rule.port_min}" if rule.port_min == rule.port_max else f" {rule.port_min}-{rule.port_max}"
    return f"{rule.protocol}{ports if rule.port_max else ''} from {rule.cidr}"


def _ports(rules: tuple[Rule, ...]) -> str:
    return ", ".join(_show(rule).removesuffix(" from 0.0.0.0/0") for rule in sorted(rules)) or "nothing"
