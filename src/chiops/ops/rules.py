"""Rules of security groups as people type them: ``22``, ``53/udp``, ``8000-8100``, ``icmp``, ``tcp``, ``22@10.0.0.0/8``."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Literal, cast

from chiops.cloud.base import Rule
from chiops.errors import UsageError

EVERYWHERE = "0.0.0.0/0"
_RULE = re.compile(r"(?P<first>\d{1,5})(?:-(?P<last>\d{1,5}))?(?:/(?P<protocol>tcp|udp))?", re.ASCII)
_PORTLESS, _PORTED = ("icmp", "any"), ("tcp", "udp")
LAST_PORT = 65535
_TODO = "write for example 22, 53/udp, 8000-8100, icmp or 22@10.0.0.0/8"


def parse(text: str) -> Rule:
    """One rule.

    Raises:
        UsageError: it is none.
    """
    what, at, source = text.strip().lower().partition("@")
    cidr = _network(text, source) if at else EVERYWHERE
    if what in _PORTLESS:
        return Rule(cast(Literal["icmp", "any"], what), cidr=cidr)
    if what in _PORTED:
        return Rule(cast(Literal["tcp", "udp"], what), 1, LAST_PORT, cidr)
    match = _RULE.fullmatch(what)
    if not match:
        raise UsageError(f"{text!r} is no port to open", todo=_TODO)
    first = int(match["first"])
    last = int(match["last"] or first)
    if not 1 <= first <= last <= LAST_PORT:
        raise UsageError(f"{text!r} is no range of ports", why="ports go from 1 to 65535", todo=_TODO)
    return Rule(cast(Literal["tcp", "udp"], match["protocol"] or "tcp"), first, last, cidr)


def parse_all(texts: Iterable[str]) -> tuple[Rule, ...]:
    """Several rules, each once, in order."""
    return tuple(sorted({parse(text) for text in texts}))


def show(rule: Rule) -> str:
    """A rule as `parse` reads it."""
    if rule.protocol in _PORTLESS or (rule.port_min <= 1 and rule.port_max in (0, LAST_PORT)):
        what: str = rule.protocol
    else:
        ports = str(rule.port_min) if rule.port_min == rule.port_max else f"{rule.port_min}-{rule.port_max}"
        what = f"{ports}/{rule.protocol}"
    return what if rule.cidr == EVERYWHERE else f"{what}@{rule.cidr}"


def show_all(rules: Iterable[Rule]) -> str:
    """Several rules, for a table."""
    return ", ".join(show(rule) for rule in sorted(rules))


def _network(text: str, source: str) -> str:
    try:
        return str(ipaddress.IPv4Network(source))
    except ValueError as error:
        raise UsageError(f"{text!r} names no IPv4 network", why=str(error), todo=_TODO) from None
