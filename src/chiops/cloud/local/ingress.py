"""Security groups as packet filter rules of a node's own network namespace.

The hook comes before Docker's port forwarding in the node, so that one rule set covers what the node listens on and what its
containers publish. The table is ours alone: what the node's services do to theirs changes nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network

from chiops.cloud.base import Rule
from chiops.errors import InvalidRequest

TABLE = "chiops_ingress"
INTERFACE = "eth0"


def check(rule: Rule) -> None:
    """Refuse a rule that no packet filter could keep.

    Raises:
        InvalidRequest: the network or the port range is not one.
    """
    try:
        IPv4Network(rule.cidr)
    except ValueError as error:
        raise InvalidRequest(
            f"{rule.cidr!r} is not a network", why=str(error), todo="give one like 0.0.0.0/0"
        ) from error
    ports = (rule.port_min, rule.port_max)
    if rule.protocol in ("icmp", "any"):
        if ports != (0, 0):
            raise InvalidRequest(f"A rule for {rule.protocol} has no ports")
    elif ports != (0, 0) and not 1 <= rule.port_min <= rule.port_max <= 65535:
        raise InvalidRequest(f"{rule.port_min} to {rule.port_max} is not a range of ports", todo="ports are 1 to 65535")


def render(rules: Iterable[Rule]) -> str:
    """The node's whole rule set, which replaces the one before at once. Without rules nothing gets in; everything gets out."""
    accepts = "".join(f"  {line}\n" for line in sorted({_accept(rule) for rule in rules}))
    return (
        f"table inet {TABLE}\n"
        f"delete table inet {TABLE}\n"
        f"table inet {TABLE} {{\n"
        " chain ingress {\n"
        "  type filter hook prerouting priority -150; policy accept;\n"
        f'  iifname != "{INTERFACE}" accept\n'
        "  ct state established,related accept\n"
        f"{accepts}"
        "  drop\n"
        " }\n"
        "}\n"
    )


def _accept(rule: Rule) -> str:
    source = "meta nfproto ipv4" if rule.cidr.endswith("/0") else f"ip saddr {IPv4Network(rule.cidr)}"
    match rule.protocol:
        case "any":
            return f"{source} accept"
        case "icmp":
            return f"{source} meta l4proto icmp accept"
        case protocol if (rule.port_min, rule.port_max) == (0, 0):
            return f"{source} meta l4proto {protocol} accept"
        case protocol:
            return f"{source} {protocol} dport {rule.port_min}-{rule.port_max} accept"
