"""What a server's container is made of."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiops.cloud.local import flavors, node
from chiops.cloud.local.flavors import Limits
from chiops.cloud.local.node import Spec

SPEC = Spec(
    id="an id",
    name="node-1",
    image="CC-Ubuntu24.04",
    flavor="m1.small",
    keypair="k",
    public_key="ssh-ed25519 AAAA me",
    address="10.0.0.10",
    lab="lab",
    owner="me",
    created="2026-11-20T12:00:00+00:00",
    metadata={"a": "b"},
)


def test_a_spec_survives_its_label() -> None:
    label = {"Labels": {"chiops-spec": SPEC.to_json()}}
    assert Spec.from_container(label) == SPEC
    assert json.loads(SPEC.to_json())["metadata"] == {"a": "b"}


@given(st.text())
def test_every_name_gives_a_host_name(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", node.hostname(name))


def test_a_good_name_stays() -> None:
    assert node.hostname("Object_Lab.node-1") == "object-lab-node-1"


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["nameserver 10.0.0.53\n"], "nameserver 10.0.0.53\n"),
        (["nameserver 127.0.0.53\n", "nameserver 10.0.0.53\nsearch x\n"], "nameserver 10.0.0.53\n"),
        (["nameserver ::1\n# nameserver 10.0.0.1\n"], "nameserver 1.1.1.1\n"),
        ([], "nameserver 1.1.1.1\n"),
    ],
)
def test_name_servers_that_only_this_machine_reaches_are_not_handed_on(texts: list[str], found: str) -> None:
    assert node.resolv_conf(texts) == found


def test_dangerous_rights_are_not_given() -> None:
    assert not {"SYS_MODULE", "SYS_RAWIO", "SYS_TIME", "SYSLOG", "DAC_READ_SEARCH", "BPF", "MAC_ADMIN"} & set(
        node.CAPABILITIES
    )


def test_a_flavor_gives_no_more_than_the_machine_has() -> None:
    small, large = flavors.by_name("m1.small"), flavors.by_name("m1.xxlarge")
    machine = Limits(cpus=2, memory=8 << 30)
    assert flavors.limits(small, machine) == Limits(1, 2 << 30)
    assert flavors.limits(large, machine) == machine
    assert "m1.xxlarge" in flavors.shortfall(machine)
    assert "m1.small" not in flavors.shortfall(machine)
    assert flavors.shortfall(Limits(64, 256 << 30)) == ""
