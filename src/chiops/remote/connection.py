"""How a node is reached by OpenSSH: the options that ssh and Ansible share, and what its error messages mean."""

from __future__ import annotations

import enum
import re
from pathlib import Path

from chiops.cloud.base import Node
from chiops.errors import RemoteFailed

CONTROL_PERSIST_S = 60
"""How long an idle master connection stays after the last use, in seconds."""

_CONNECT_TIMEOUT_S = 10


class Fault(enum.StrEnum):
    """Why ssh itself (not the command that it ran) failed."""

    REFUSED = "refused"
    TIMEOUT = "timeout"
    KEY_REJECTED = "key rejected"
    KEY_UNUSABLE = "key unusable"
    HOST_KEY_CHANGED = "host key changed"
    UNKNOWN_HOST = "unknown host"
    BOOTING = "booting"
    DROPPED = "dropped"


# The order matters: a changed host key also ends in "verification failed", a booting node also closes the connection.
_SIGNS: tuple[tuple[Fault, re.Pattern[str]], ...] = tuple(
    (fault, re.compile(pattern, re.IGNORECASE))
    for fault, pattern in (
        (Fault.HOST_KEY_CHANGED, r"host identification has changed|host key verification failed"),
        (Fault.BOOTING, r"system is booting up|not permitted to log in yet"),
        (Fault.KEY_UNUSABLE, r"identity file .* not accessible|unprotected private key|load key .*: (?!.*agent)"),
        (Fault.KEY_REJECTED, r"permission denied \(|too many authentication failures"),
        (Fault.REFUSED, r"connection refused"),
        (Fault.UNKNOWN_HOST, r"could not resolve hostname"),
        (Fault.TIMEOUT, r"timed out|no route to host|network is unreachable|host is down"),
        (Fault.DROPPED, r"connection (to .* )?(was )?(closed|reset)|closed by remote host|broken pipe|not responding"),
    )
)

_WORDS: dict[Fault, tuple[str, str]] = {
    Fault.REFUSED: ("nothing listens at port {port}", "wait until the node has booted, or look at its console log"),
    Fault.TIMEOUT: (
        "no answer from {address}",
        "check that the node is up and that a security group opens port {port} to this machine",
    ),
    Fault.KEY_REJECTED: (
        "{user}@{address} does not accept the key {key}",
        "use the key that the node was created with",
    ),
    Fault.KEY_UNUSABLE: (
        "the key {key} cannot be used",
        "check that it is there and readable by you alone (chmod 600)",
    ),
    Fault.HOST_KEY_CHANGED: (
        "{address} shows another host key than before",
        "if the node was made anew, forget the old key: ssh-keygen -f {known_hosts} -R {host_id}",
    ),
    Fault.UNKNOWN_HOST: ("the name {address} does not resolve", "check the address and this machine's DNS"),
    Fault.BOOTING: ("the node is still booting", "wait a moment and try again"),
    Fault.DROPPED: ("the connection broke off", "check that the node is still up, then run the command again"),
}


class TimeUp(RemoteFailed):
    """A command on a node did not end in the time that it was given."""


class ConnectionFailed(RemoteFailed):
    """ssh did not reach the node, or lost it; ``fault`` says how."""

    def __init__(self, node: Node, fault: Fault) -> None:
        why, todo = _WORDS[fault]
        facts = {
            "address": node.address,
            "port": node.port,
            "user": node.user,
            "key": node.key_file,
            "known_hosts": node.known_hosts,
            "host_id": host_id(node),
        }
        what = f"{node.name} cannot be reached by ssh"
        super().__init__(what, why=why.format(**facts), todo=todo.format(**facts))
        self.fault = fault


def classify(stderr: str) -> Fault | None:
    """What ssh's messages say about the connection; None where they blame no connection."""
    return next((fault for fault, sign in _SIGNS if sign.search(stderr)), None)


def host_id(node: Node) -> str:
    """The node as known_hosts names it."""
    return node.address if node.port == 22 else f"[{node.address}]:{node.port}"


def identity_options(node: Node) -> list[str]:
    """Key and known hosts: what ssh, scp and sftp need to know of ``node``, safe to show and to paste."""
    return [
        *("-i", str(node.key_file)),
        *("-o", "IdentitiesOnly=yes"),
        *("-o", f"UserKnownHostsFile={_config_word(node.known_hosts)}"),
        *("-o", "StrictHostKeyChecking=accept-new"),
    ]


def target(node: Node) -> list[str]:
    """Whom ssh logs in as, and where."""
    return [*([] if node.port == 22 else ["-p", str(node.port)]), f"{node.user}@{node.address}"]


def batch_options() -> list[str]:
    """For ssh without a person: never ask, notice a dead node within 30 seconds, share one connection."""
    return [
        *("-o", "BatchMode=yes"),
        *("-o", "LogLevel=ERROR"),
        *("-o", f"ConnectTimeout={_CONNECT_TIMEOUT_S}"),
        *("-o", "ServerAliveInterval=10"),
        *("-o", "ServerAliveCountMax=3"),
        *("-o", "ControlMaster=auto"),
        *("-o", f"ControlPersist={CONTROL_PERSIST_S}"),
    ]


def _config_word(path: Path) -> str:
    """A path as one word of ssh's configuration: ``%`` is its token sign, and blanks and quotes have a meaning."""
    text = str(path).replace("%", "%%")
    if not re.search(r"""[\s'"\\#]""", text):
        return text
    escaped = re.sub(r'(["\\])', r"\\\1", text)
    return f'"{escaped}"'
