"""Security groups as packet filter rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiops.cloud.base import Rule
from chiops.cloud.local import ingress
from chiops.errors import InvalidRequest

NETWORKS = st.builds(
    lambda value, prefix: f"{'.'.join(str((value >> shift) & 255) for shift in (24, 16, 8, 0))}/{prefix}",
    st.just(0),
    st.integers(0, 32),
)
PORTS = st.tuples(st.integers(1, 65535), st.integers(1, 65535)).map(sorted)


def accepted(*rules: Rule) -> list[str]:
    """The lines between what every node accepts and what it drops."""
    lines = [line.strip() for line in ingress.render(rules).splitlines()]
    return lines[lines.index("ct state established,related accept") + 1 : lines.index("drop")]


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        (Rule("tcp", 22, 22), "meta nfproto ipv4 tcp dport 22-22 accept"),
        (Rule("udp", 60000, 61000), "meta nfproto ipv4 udp dport 60000-61000 accept"),
        (Rule("tcp", 80, 80, "10.1.0.0/16"), "ip saddr 10.1.0.0/16 tcp dport 80-80 accept"),
        (Rule("icmp"), "meta nfproto ipv4 meta l4proto icmp accept"),
        (Rule("any"), "meta nfproto ipv4 accept"),
        (Rule("any", cidr="10.0.0.1/32"), "ip saddr 10.0.0.1/32 accept"),
        (Rule("tcp"), "meta nfproto ipv4 meta l4proto tcp accept"),
    ],
)
def test_each_kind_of_rule(rule: Rule, line: str) -> None:
    assert accepted(rule) == [line]


def test_without_rules_nothing_gets_in() -> None:
    assert accepted() == []


def test_a_rule_of_two_groups_is_written_once() -> None:
    assert accepted(Rule("tcp", 22, 22), Rule("tcp", 22, 22)) == accepted(Rule("tcp", 22, 22))


def test_the_table_is_replaced_as_a_whole() -> None:
    lines = ingress.render([]).splitlines()
    assert lines[:3] == [
        f"table inet {ingress.TABLE}",
        f"delete table inet {ingress.TABLE}",
        f"table inet {ingress.TABLE} {{",
    ]


@given(st.sampled_from(["tcp", "udp"]), PORTS, NETWORKS)
def test_every_valid_rule_is_one_line(protocol: str, ports: list[int], cidr: str) -> None:
    rule = Rule(protocol, ports[0], ports[1], cidr)  # type: ignore[arg-type]
    ingress.check(rule)
    (line,) = accepted(rule)
    assert line.endswith(f"{protocol} dport {ports[0]}-{ports[1]} accept")


@pytest.mark.parametrize(
    "rule",
    [
        Rule("tcp", 0, 22),
        Rule("tcp", 23, 22),
        Rule("tcp", 22, 65536),
        Rule("icmp", 8, 0),
        Rule("any", 1, 2),
        Rule("tcp", 22, 22, "10.0.0.1/16"),
        Rule("tcp", 22, 22, "everywhere"),
        Rule("tcp", 22, 22, "0.0.0.0/0 accept; drop"),
        Rule("tcp", 22, 22, "::/0"),
    ],
)
def test_what_is_no_rule_is_refused(rule: Rule) -> None:
    with pytest.raises(InvalidRequest):
        ingress.check(rule)
