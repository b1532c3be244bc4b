"""Reaching into a node the way a person would: over ssh, as root through sudo."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

from chiops.cloud.base import Node
from chiops.errors import RemoteFailed
from chiops.remote.ssh import Ssh
from tests.support.poll import wait_for


def new_key(folder: Path) -> tuple[Path, str]:
    """An ed25519 key in ``folder``: the private half's file and the public half's line."""
    file = folder / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "chiops tests", "-f", file], check=True)
    return file, file.with_suffix(".pub").read_text().strip()


def node_at(address: str, key_file: Path, *, server_id: str = "", name: str = "node") -> Node:
    """The node at ``address``; its host key is kept beside the key, per server, so that a reused address is no alarm."""
    known_hosts = key_file.parent / f"known_hosts-{server_id or address}"
    return Node(name=name, address=address, user="cc", key_file=key_file, known_hosts=known_hosts, server_id=server_id)


def as_root(node: Node, script: str, *, check: bool = True, timeout: float = 120) -> str:
    """Run a shell script on the node as root and return its stdout, stripped."""
    return Ssh(node).run("sudo", "sh", "-ec", script, check=check, timeout=timeout).stdout.strip()


def succeeds(node: Node, script: str) -> bool:
    """Whether the script, run as root on the node, exits with zero."""
    try:
        as_root(node, script)
    except RemoteFailed:
        return False
    return True


def wait_ssh(node: Node, within: float = 60) -> None:
    """Wait until the node answers over ssh as its user, with sudo."""

    def answers() -> bool:
        try:
            return as_root(node, "id -u", timeout=20) == "0"
        except RemoteFailed:
            return False

    wait_for(f"ssh at {node.address}", answers, within=within)


def ssh_greets(address: str, *, timeout: float = 2) -> bool:
    """Whether an ssh server says hello there; some gateways accept any connection, for addresses that nobody has too."""
    try:
        with socket.create_connection((address, 22), timeout=timeout) as connection:
            connection.settimeout(timeout)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def port_answers(address: str, port: int, *, timeout: float = 2) -> bool:
    """Whether a TCP connection is accepted; refused and silent are both no."""
    try:
        with socket.create_connection((address, port), timeout=timeout):
            return True
    except OSError:
        return False
