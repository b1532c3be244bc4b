"""Servers that stand still with all they have mounted: those that are shut down have unmounted it."""

from __future__ import annotations

from chiops.cloud.base import Server

_RESCUE = "RESCUE"
_HALTED = frozenset({"PAUSED", "SUSPENDED", _RESCUE})


def is_halted(server: Server) -> bool:
    """Whether it may have written less than its programs believe, and would lose the rest in a reset."""
    return server.status in _HALTED


def in_rescue(server: Server) -> bool:
    """Whether somebody repairs it from another system, which only they can end."""
    return server.status == _RESCUE


def way_on(server: Server) -> str:
    """What has a halted server go on, as a sentence's todo."""
    command = "openstack server unrescue" if in_rescue(server) else "chiops server start"
    return f"run `{command} {server.name}` first"
