"""Nodes as Ansible sees them."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from chiops.cloud.base import Node
from chiops.errors import UsageError
from chiops.remote.inventory import host_variables, inventory
from chiops.remote.master import control_path


def test_ansible_connects_as_ssh_does(node: Node) -> None:
    variables = host_variables(replace(node, port=2222))
    assert variables["ansible_host"] == "192.0.2.7"
    assert variables["ansible_port"] == 2222
    assert variables["ansible_user"] == "cc"
    assert str(node.key_file) in shlex.split(str(variables["ansible_ssh_common_args"]))
    assert variables["ansible_control_path"] == str(control_path(replace(node, port=2222)))


def test_sftp_takes_the_arguments_too(node: Node) -> None:
    # To sftp and scp, -p means something else than a port.
    assert "-p" not in shlex.split(str(host_variables(replace(node, port=2222))["ansible_ssh_common_args"]))


def test_nodes_of_one_name_are_refused(node: Node) -> None:
    with pytest.raises(UsageError, match="node-1"):
        inventory([node, replace(node, address="192.0.2.8")])


def test_groups_name_their_hosts(node: Node) -> None:
    made = inventory([node], groups={"object_lab": ["node-1"]})
    assert made["all"]["children"] == {"object_lab": {"hosts": {"node-1": {}}}}  # type: ignore[index]
