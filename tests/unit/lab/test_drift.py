"""What was changed by hand is found, field by field, and put right by `up`, or explained; data goes only when it is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chiops.cloud.base import Mark, Server, State
from chiops.errors import CloudError, Conflict, UsageError
from chiops.lab import release, up
from chiops.resources.kind import Op
from tests.support.memory import SITE, Memory
from tests.unit.lab.labs import ALL, LAB, bring_up, write


@pytest.fixture
def lab(memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The lab, up."""
    monkeypatch.setattr(release, "_answering", lambda _: [])
    path = write(tmp_path)
    bring_up(path)
    assert memory.count() == ALL
    return path


def drift(lab: str) -> list[str]:
    return [str(one) for one in up.plan(lab, {}, SITE).drift()]


def test_nothing_has_drifted_after_up(lab: str) -> None:
    assert drift(lab) == []
    assert bring_up(lab).changed == 0


def move_address(memory: Memory) -> None:
    first = next(ip for ip in memory.of("floating_ip").values() if ip.server_id == memory.find("server", "node-1").id)
    memory.change("floating_ip", first.name, server_id=memory.find("server", "node-2").id)


BROKEN: dict[str, tuple[Callable[[Memory], None], str]] = {
    "a rule removed": (
        lambda m: m.change("security_group", "ssh", rules=()),
        "security group ssh: tcp 22 from 0.0.0.0/0 is closed, the lab says open",
    ),
    "a volume detached": (
        lambda m: m.change("volume", "data", attachments=(), state=State.READY),
        "attachment data: state is missing, the lab says there",
    ),
    "a group taken off": (
        lambda m: m.change("server", "node-1", security_groups=()),
        "server node-1: security groups is none, the lab says ssh",
    ),
    "an address moved": (move_address, "floating IP node-1: state is missing, the lab says there"),
    "a server stopped": (
        lambda m: m.change("server", "node-2", state=State.STOPPED, status="SHUTOFF"),
        "server node-2: status is SHUTOFF, the lab says ACTIVE",
    ),
    "a server paused": (
        lambda m: m.change("server", "node-2", state=State.STOPPED, status="PAUSED"),
        "server node-2: status is PAUSED, the lab says ACTIVE",
    ),
    "a server that never started": (
        lambda m: m.change("server", "node-2", state=State.FAILED, status="ERROR", fault="no host", has_run=False),
        "server node-2: status is ERROR, the lab says ACTIVE",
    ),
    "the key pair deleted": (
        lambda m: m.drop("keypair", "chiops-lab"),
        "key pair chiops-lab: state is missing, the lab says there",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_it_is_told_and_put_right(case: str, lab: str, memory: Memory) -> None:
    break_it, told = BROKEN[case]
    addresses = set(memory.of("floating_ip"))
    break_it(memory)
    assert told in drift(lab)
    bring_up(lab)
    assert drift(lab) == []
    assert memory.count() == ALL
    if case == "an address moved":
        assert set(memory.of("floating_ip")) == addresses


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("SHUTOFF", "it is stopped: start it"),
        ("PAUSED", "it is paused: unpause it"),
        ("SUSPENDED", "it is suspended: resume it"),
        ("SHELVED_OFFLOADED", "it is shelved: unshelve it"),
    ],
)
def test_one_that_stands_still_goes_on_and_is_never_reset(lab: str, memory: Memory, status: str, told: str) -> None:
    memory.change("server", "node-1", state=State.STOPPED, status=status)
    (step,) = up.plan(lab, {}, SITE).changes
    assert (step.verdict.op, step.verdict.reason) == (Op.UPDATE, told)
    bring_up(lab)
    assert "compute.start" in memory.requests
    assert "compute.reboot" not in memory.requests
    assert memory.find("server", "node-1").state is State.READY


def test_one_in_rescue_is_left_to_whoever_repairs_it(lab: str, memory: Memory) -> None:
    memory.change("server", "node-1", state=State.STOPPED, status="RESCUE")
    before = len(memory.requests)
    with pytest.raises(Conflict, match=r"node-1 is in rescue.*Run `openstack server unrescue node-1` first"):
        bring_up(lab)
    assert not {"compute.start", "compute.reboot"} & set(memory.requests[before:])


def test_a_server_deleted_by_hand_comes_back_with_its_volume_and_address(lab: str, memory: Memory) -> None:
    old, volume = memory.find("server", "node-1"), memory.find("volume", "data")
    memory.compute.delete(old.id)
    bring_up(lab)
    new = memory.find("server", "node-1")
    assert new.id != old.id
    assert memory.find("volume", "data").id == volume.id
    assert memory.find("volume", "data").attachments[0].server_id == new.id
    assert memory.count() == ALL


def test_an_address_at_a_server_of_others_stays_there_and_is_told(lab: str, memory: Memory) -> None:
    theirs = Server(id="t", name="theirs", mark=Mark("x", "somebody"))
    memory.of("server")["t"] = theirs
    moved = next(ip for ip in memory.of("floating_ip").values() if ip.server_id == memory.find("server", "node-1").id)
    memory.change("floating_ip", moved.name, server_id="t")
    (step,) = up.plan(lab, {}, SITE).changes
    assert f"{moved.address} leads to theirs now and is left there" in step.verdict.reason
    bring_up(lab)
    assert memory.of("floating_ip")[moved.id].server_id == "t"
    assert drift(lab) == []


def test_a_server_that_ran_is_replaced_only_when_named(lab: str, memory: Memory) -> None:
    memory.change("server", "node-1", state=State.FAILED, status="ERROR", fault="host died")
    requests = len(memory.requests)
    with pytest.raises(Conflict) as caught:
        bring_up(lab)
    assert "the server node-1 has to be replaced: it is in ERROR: host died" in caught.value.sentence()
    assert "Save what is worth it, then add --replace node-1" in caught.value.sentence()
    assert not any(".delete" in one or ".create" in one for one in memory.requests[requests:])
    bring_up(lab, "node-1")
    assert memory.find("server", "node-1").state is State.READY
    assert memory.find("volume", "data").attachments[0].server_id == memory.find("server", "node-1").id
    assert memory.count() == ALL


def test_another_machines_key_never_costs_the_servers(lab: str, memory: Memory) -> None:
    memory.change("keypair", "chiops-lab", public_key="ssh-ed25519 BBBB")
    assert "key pair chiops-lab: key is another machine's, the lab says this machine's" in drift(lab)
    with pytest.raises(Conflict, match="the server node-1 has to be replaced; the server node-2 has to be replaced"):
        bring_up(lab)


def test_a_flavor_changes_only_by_a_named_replacement(lab: str, memory: Memory, tmp_path: Path) -> None:
    bigger = LAB.replace("name: node-2, flavor: m1.tiny", "name: node-2, flavor: m1.large")
    write(tmp_path, bigger)
    assert "server node-2: flavor is m1.tiny, the lab says m1.large" in drift(lab)
    # The lease holds no m1.large, and with it go both servers.
    with pytest.raises(Conflict, match="the lease lease-x has to be replaced"):
        bring_up(lab, "node-2")
    bring_up(lab, "lease-x", "node-1", "node-2")
    assert memory.find("server", "node-2").flavor == "m1.large"
    assert drift(lab) == []
    assert memory.count() == ALL


def test_an_image_is_compared_by_name_where_the_site_says_its_id(lab: str, tmp_path: Path) -> None:
    write(tmp_path, LAB.replace("name: node-2,", "name: node-2, image: CC-CentOS9,"))
    assert drift(lab) == ["server node-2: image is CC-Ubuntu24.04, the lab says CC-CentOS9"]
    done = bring_up(lab)
    assert (done.changed, [str(one) for one in done.drift]) == (0, drift(lab)), "left, and told"
    assert [step.verdict.op for step in up.plan(lab, {}, SITE, ["node-2"]).changes if step.key.kind == "server"] == [
        Op.REPLACE
    ]


def test_what_is_to_be_replaced_must_be_there(lab: str) -> None:
    with pytest.raises(UsageError, match=r"no server or lease 'node-3'.*node-"):
        bring_up(lab, "node-3")


def test_a_volume_at_another_server_is_not_pulled_away(lab: str, memory: Memory) -> None:
    volume = memory.find("volume", "data")
    memory.volumes.detach(volume.id, "")
    memory.volumes.attach(volume.id, memory.find("server", "node-2").id)
    with pytest.raises(Conflict, match="is attached to node-2, the lab wants it at node-1"):
        bring_up(lab)


def test_all_that_can_not_be_had_is_told_at_once(memory: Memory, tmp_path: Path) -> None:
    path = write(tmp_path, LAB.replace("m1.tiny", "m1.tinny"))
    with pytest.raises(CloudError) as caught:
        up.plan(path, {}, SITE)
    assert caught.value.what.count("has no flavor 'm1.tinny'") == 2
