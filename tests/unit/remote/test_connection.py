"""What ssh is told, as ssh itself understands it, and what its messages mean."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from chiops.cloud.base import Node
from chiops.remote.connection import ConnectionFailed, Fault, batch_options, classify, host_id, identity_options, target

CHANGED = """@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
Host key verification failed."""


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ("ssh: connect to host 192.0.2.7 port 22: Connection refused", Fault.REFUSED),
        ("ssh: connect to host 192.0.2.7 port 22: Connection timed out", Fault.TIMEOUT),
        ("ssh: connect to host 192.0.2.7 port 22: No route to host", Fault.TIMEOUT),
        ("Connection timed out during banner exchange", Fault.TIMEOUT),
        ("cc@192.0.2.7: Permission denied (publickey).", Fault.KEY_REJECTED),
        ("Received disconnect from 192.0.2.7 port 22:2: Too many authentication failures", Fault.KEY_REJECTED),
        (CHANGED, Fault.HOST_KEY_CHANGED),
        ("ssh: Could not resolve hostname nowhere: Name or service not known", Fault.UNKNOWN_HOST),
        ("Connection closed by 192.0.2.7 port 22", Fault.DROPPED),
        ("Connection to 192.0.2.7 closed by remote host.", Fault.DROPPED),
        ("kex_exchange_identification: read: Connection reset by peer", Fault.DROPPED),
        ("Timeout, server 192.0.2.7 not responding.", Fault.DROPPED),
        ("client_loop: send disconnect: Broken pipe", Fault.DROPPED),
        ('"System is booting up. Unprivileged users are not permitted to log in yet."', Fault.BOOTING),
        (
            'Load key "/k": error in libcrypto\ncc@192.0.2.7: Permission denied (publickey).',
            Fault.KEY_UNUSABLE,
        ),
        ("WARNING: UNPROTECTED PRIVATE KEY FILE!\ncc@192.0.2.7: Permission denied (publickey).", Fault.KEY_UNUSABLE),
        ("ls: cannot access '/x': Permission denied", None),
        ("", None),
    ],
)
def test_messages_of_ssh_name_their_fault(message: str, fault: Fault | None) -> None:
    assert classify(message) is fault


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_says_why_and_what_to_do(node: Node, fault: Fault) -> None:
    error = ConnectionFailed(node, fault)
    assert error.what.startswith("node-1 ")
    assert error.why
    assert error.todo
    assert "{" not in error.sentence()


@pytest.mark.skipif(not shutil.which("ssh"), reason="the OpenSSH client reads its own options here")
@pytest.mark.parametrize("folder", ["plain", "with blank", "per%cent", "it's"])
def test_ssh_takes_paths_as_they_are(tmp_path: Path, node: Node, folder: str) -> None:
    place = tmp_path / folder
    place.mkdir()
    key = place.with_name(folder.replace("%", "")) / "key"
    key.parent.mkdir(exist_ok=True)
    key.touch()
    node = replace(node, key_file=key, known_hosts=place / "hosts", port=2222)
    argv = ["ssh", "-F", "none", "-G", *identity_options(node), *batch_options(), *target(node)]
    told = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    settings = dict(line.split(" ", 1) for line in told.splitlines() if " " in line)
    assert settings["userknownhostsfile"] == str(place / "hosts")
    assert settings["identityfile"] == str(key)
    assert settings["port"] == "2222"
    assert settings["hostname"] == "192.0.2.7"
    assert settings["user"] == "cc"
    assert settings["stricthostkeychecking"] == "accept-new"
    assert settings["batchmode"] == "yes"


def test_known_hosts_names_the_port_only_if_it_is_odd(node: Node) -> None:
    assert host_id(node) == "192.0.2.7"
    assert host_id(replace(node, port=2222)) == "[192.0.2.7]:2222"
