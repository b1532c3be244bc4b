"""The address of a server that is replaced, where the lab did not make it: bound by hand, or booked with its lease."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chiops.cloud.base import FloatingIp, Mark, Reservation, State
from chiops.lab import release, up
from chiops.resources.kind import Op
from tests.support.memory import SITE, Memory
from tests.unit.lab.labs import bring_up, write


@pytest.fixture
def lab(memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The lab, up, of which node-1 has failed; its nodes do not answer."""
    monkeypatch.setattr(release, "_answering", lambda _: [])
    path = write(tmp_path)
    bring_up(path)
    memory.change("server", "node-1", state=State.FAILED, status="ERROR")
    return path


def found(memory: Memory) -> FloatingIp:
    """What leads to node-1."""
    node = memory.find("server", "node-1")
    address: FloatingIp = next(one for one in memory.of("floating_ip").values() if one.server_id == node.id)
    return address


def book(memory: Memory, mark: Mark | None) -> None:
    """Have node-1's address be one that a lease of that mark has booked."""
    part = Reservation(id="r-ip", kind="virtual:floatingip", status="active")
    lease = memory.find("lease", "lease-x")
    memory.change("lease", "lease-x", reservations=(*lease.reservations, part))
    memory.change("floating_ip", found(memory).name, mark=None, reservation_id="r-ip")
    if mark != lease.mark:
        memory.of("lease")["theirs"] = replace(lease, id="theirs", name="theirs", mark=mark, reservations=(part,))
        memory.change("lease", "lease-x", reservations=lease.reservations)


def replaced(lab: str, memory: Memory) -> tuple[FloatingIp, str]:
    """What leads to node-1 once it was replaced, and what `up` says of it."""
    (node, _) = bring_up(lab, "node-1").nodes
    assert node.server_id == memory.find("server", "node-1").id
    return found(memory), node.address


@pytest.mark.parametrize("mark", [None, Mark("x", "somebody"), Mark("other-lab", "me")])
def test_the_new_one_gets_an_address_of_the_labs_and_that_of_others_is_left_alone(
    lab: str, memory: Memory, mark: Mark | None
) -> None:
    theirs = found(memory)
    memory.change("floating_ip", theirs.name, mark=mark)
    steps = {step.key: step.verdict for step in up.plan(lab, {}, SITE, ["node-1"]).steps}
    assert steps["floating_ip", "node-1"].op is Op.CREATE  # type: ignore[index]
    address, told = replaced(lab, memory)
    assert (address.address, address.mark) == (told, Mark("lab", "me"))
    assert memory.of("floating_ip")[theirs.id] == replace(theirs, mark=mark, server_id="")


def test_what_the_labs_lease_booked_leads_to_the_new_one(lab: str, memory: Memory) -> None:
    book(memory, Mark("lab", "me"))
    before = found(memory)
    address, told = replaced(lab, memory)
    assert (address.id, told) == (before.id, before.address)
    assert len(memory.of("floating_ip")) == 2


def test_also_while_the_site_still_shows_it_at_the_former_one(lab: str, memory: Memory) -> None:
    book(memory, Mark("lab", "me"))
    before = found(memory)

    def late(request: str) -> None:
        if request == "compute.delete":
            memory.of("floating_ip")[before.id] = before

    memory.after = late
    address, _ = replaced(lab, memory)
    assert address.id == before.id


@pytest.mark.parametrize("mark", [None, Mark("lab", "somebody"), Mark("other-lab", "me")])
def test_what_another_lease_booked_is_left_alone(lab: str, memory: Memory, mark: Mark | None) -> None:
    book(memory, mark)
    before = found(memory)
    address, _ = replaced(lab, memory)
    assert address.id != before.id
    assert memory.of("floating_ip")[before.id].server_id == ""


def test_one_whose_server_stays_is_used_as_it_is(lab: str, memory: Memory) -> None:
    node = memory.find("server", "node-2")
    theirs = next(one for one in memory.of("floating_ip").values() if one.server_id == node.id)
    memory.change("floating_ip", theirs.name, mark=None)
    bring_up(lab, "node-1")
    assert memory.of("floating_ip")[theirs.id].server_id == node.id
