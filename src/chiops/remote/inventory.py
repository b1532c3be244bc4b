"""Nodes as Ansible's inventory."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

from chiops.cloud.base import Node
from chiops.errors import UsageError
from chiops.remote.connection import identity_options
from chiops.remote.master import control_path


def host_variables(node: Node) -> dict[str, object]:
    """How Ansible connects to ``node``: over the same connection that `chiops.remote.ssh` uses."""
    return {
        "ansible_host": node.address,
        "ansible_port": node.port,
        "ansible_user": node.user,
        "ansible_ssh_common_args": shlex.join(identity_options(node)),
        "ansible_control_path": str(control_path(node)),
        # Every image that we boot has it; asking each node costs a second.
        "ansible_python_interpreter": "/usr/bin/python3",
    }


def inventory(nodes: Iterable[Node], *, groups: Mapping[str, Iterable[str]] | None = None) -> dict[str, object]:
    """The inventory of ``nodes``, in the shape of Ansible's YAML inventories.

    Args:
        nodes: the hosts, named by their names.
        groups: names of hosts by group, for example by lab.

    Raises:
        UsageError: two nodes share a name, so that one would hide the other.
    """
    hosts: dict[str, dict[str, object]] = {}
    for node in nodes:
        if node.name in hosts:
            raise UsageError(f"two nodes are called {node.name}", todo="configure one lab at a time")
        hosts[node.name] = host_variables(node)
    everyone: dict[str, object] = {"hosts": hosts}
    if groups:
        everyone["children"] = {group: {"hosts": {name: {} for name in names}} for group, names in groups.items()}
    return {"all": everyone}
