"""Rules of security groups as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiops.cloud.base import Rule
from chiops.errors import UsageError
from chiops.ops.rules import parse, parse_all, show, show_all


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("22", Rule("tcp", 22, 22)),
        ("53/udp", Rule("udp", 53, 53)),
        ("8000-8100", Rule("tcp", 8000, 8100)),
        ("icmp", Rule("icmp")),
        ("udp", Rule("udp", 1, 65535)),
        ("22@10.0.0.0/8", Rule("tcp", 22, 22, "10.0.0.0/8")),
        ("ANY@192.0.2.1", Rule("any", cidr="192.0.2.1/32")),
    ],
)
def test_what_people_type(text: str, rule: Rule) -> None:
    assert parse(text) == rule


@pytest.mark.parametrize(
    "text", ["", "ssh", "0", "65536", "90-80", "22/sctp", "22@", "22@10.0.0.1/8", "22@::/0", "-1", "２２"]
)
def test_what_is_no_rule_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="Write for example"):
        parse(text)


@given(
    st.builds(
        lambda protocol, ports, network: Rule(protocol, min(ports), max(ports), network),
        st.sampled_from(["tcp", "udp"]),
        st.tuples(st.integers(1, 65535), st.integers(1, 65535)),
        st.ip_addresses(v=4).map(lambda ip: f"{ip}/32"),
    )
    | st.sampled_from([Rule("tcp", 1, 65535), Rule("icmp"), Rule("any")])
)
def test_a_shown_rule_is_read_back_as_itself(rule: Rule) -> None:
    assert parse(show(rule)) == rule


@given(st.text(max_size=20))
def test_any_text_is_a_rule_or_a_usage_error(text: str) -> None:
    try:
        rule = parse(text)
    except UsageError:
        return
    assert parse(show(rule)) == rule


def test_several_are_sorted_and_each_there_once() -> None:
    assert show_all(parse_all(["8888", "22", "22/tcp"])) == "22/tcp, 8888/tcp"
