"""Waiting until a node that boots lets us in."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from chiops.cloud.base import Node
from chiops.remote.connection import ConnectionFailed, Fault

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
_CONNECT_S, _LOGIN_S = 5.0, 30.0
# sshd may answer before the image has put the key in place; a key that is refused for longer is the wrong key.
_KEY_GRACE_S = 90.0
# Waiting mends none of these.
_HOPELESS = (Fault.HOST_KEY_CHANGED, Fault.KEY_UNUSABLE, Fault.UNKNOWN_HOST)


def wait_ready(
    node: Node,
    login: Callable[[float], Fault | None],
    timeout_s: float,
    sleep: Callable[[float], None] | None = None,
) -> None:
    """Wait until ``login`` (given the seconds it may take) finds no fault; ``sleep`` ends the wait by what it raises.

    Raises:
        ConnectionFailed: not within ``timeout_s`` seconds, for the last reason seen; at once where waiting cannot help.
    """
    end = time.monotonic() + timeout_s
    rejected_since: float | None = None
    pause = _FIRST_PAUSE_S
    while True:
        left = max(_FIRST_PAUSE_S, end - time.monotonic())
        # A bare connect tells a node that is down at a fraction of what an ssh process costs.
        fault = _knock(node, min(_CONNECT_S, left)) or login(min(_LOGIN_S, max(1.0, left)))
        if fault is None:
            return
        now = time.monotonic()
        rejected_since = (rejected_since or now) if fault is Fault.KEY_REJECTED else None
        wrong_key = rejected_since is not None and now - rejected_since > _KEY_GRACE_S
        if fault in _HOPELESS or wrong_key or now + pause >= end:
            raise ConnectionFailed(node, fault)
        (sleep or time.sleep)(pause)
        pause = min(pause * 1.4, _LONGEST_PAUSE_S)


def knock(node: Node, timeout_s: float = 3.0) -> ConnectionFailed | None:
    """Whether something listens at the node's ssh port; what is wrong if not, after ``timeout_s`` seconds at most."""
    fault = _knock(node, timeout_s)
    return ConnectionFailed(node, fault) if fault else None


def _knock(node: Node, timeout_s: float) -> Fault | None:
    try:
        socket.create_connection((node.address, node.port), timeout=timeout_s).close()
    except ConnectionRefusedError:
        return Fault.REFUSED
    except socket.gaierror:
        return Fault.UNKNOWN_HOST
    except OSError:
        return Fault.TIMEOUT
    return None
