"""What others have come to use, whenever they did: a lease that carries their servers stays, and so does an address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chiops.cloud.base import Mark, Server, State
from chiops.errors import CloudError, NotOurs
from chiops.lab import down as downs
from chiops.lab import session, sweep, up
from chiops.lab.journal import Journal
from chiops.lab.survey import Purge
from tests.support.memory import SITE, Memory
from tests.unit.lab.labs import DATA, agree, bring_up, nobody, take_down

OTHERS = [None, Mark("lab", "somebody"), Mark("another", "me")]
EVERYTHING = Purge(bucket=True, volume=True)


def start(memory: Memory, mark: Mark | None = None, **changes: object) -> None:
    """A server on the lab's lease, known by its flavor where Blazar's dashboard made it."""
    lease = memory.find("lease", "lease-x")
    values: dict[str, object] = {"flavor": f"reservation:{lease.reservations[0].id}", "lease_id": lease.id, **changes}
    memory.of("server")["mate"] = Server(id="mate", name="mates", mark=mark, **values)  # type: ignore[arg-type]


def when(memory: Memory, request: str, act: Callable[[], None]) -> None:
    """Something that others do once, right before a request."""

    def hook(name: str) -> None:
        if name == request:
            memory.hook = lambda _: None
            act()

    memory.hook = hook


@pytest.mark.parametrize("mark", OTHERS)
def test_one_that_is_started_while_the_question_stands_keeps_the_lease(
    lab: str, memory: Memory, mark: Mark | None
) -> None:
    done = downs.down(session.pick(Journal(), "lab"), lambda _: start(memory, mark), nobody, EVERYTHING)
    assert memory.count() == {"server": 1, "lease": 1}
    assert [(one.key.kind, one.detail) for one in done.stayed] == [
        ("lease", "the lease lease-x carries servers that are not the lab's: mates")
    ]
    assert "lease" not in {one.key.kind for one in done.gone}
    assert Journal().labs()[0].phase == "kept"
    memory.drop("server", "mates")
    take_down()
    assert (memory.count(), Journal().labs()) == ({}, [])


def test_one_that_is_started_while_ours_go_keeps_the_lease(lab: str, memory: Memory) -> None:
    when(memory, "network.delete_floating_ip", lambda: start(memory))
    done = take_down()
    assert memory.count() == {**DATA, "server": 1, "lease": 1}
    assert "lease-x" in {one.key.name for one in done.stayed}


def test_without_a_list_of_servers_no_lease_goes(lab: str, memory: Memory) -> None:
    def fail() -> None:
        raise CloudError("Nova does not answer")

    when(memory, "network.delete_floating_ip", lambda: when(memory, "compute.list", fail))
    with pytest.raises(CloudError, match="Nova does not answer"):
        take_down()
    assert memory.of("lease")


def test_a_sweep_leaves_it_as_well(lab: str, memory: Memory, state: Path) -> None:
    (state / "chiops.db").unlink()
    with sweep.swept([SITE], (), EVERYTHING) as found:
        (left,) = found.leftovers
        start(memory)
        done = sweep.take(left, nobody, EVERYTHING)
    assert memory.count() == {"server": 1, "lease": 1}
    assert [one.key.name for one in done.teardown.stay] == ["lease-x"]


@pytest.mark.parametrize("mark", OTHERS[:2])
def test_a_lease_that_has_to_be_replaced_is_not_while_others_are_on_it(
    lab: str, memory: Memory, mark: Mark | None
) -> None:
    start(memory, mark, state=State.FAILED, status="ERROR", has_run=False)
    memory.change("lease", "lease-x", state=State.FAILED, status="ERROR")
    told = "the lease lease-x carries servers that are not yours: mates. Have them deleted by those who made them"
    with pytest.raises(NotOurs, match=told):
        up.plan(lab, {}, SITE)
    with pytest.raises(NotOurs, match=told):
        bring_up(lab, "lease-x", "node-1", "node-2")
    assert len(memory.of("server")) == 3


def test_nor_when_they_come_onto_it_after_the_plan(lab: str, memory: Memory) -> None:
    memory.change("lease", "lease-x", state=State.FAILED, status="ERROR")
    named = ("lease-x", "node-1", "node-2")
    with pytest.raises(NotOurs, match="not yours: mates"):
        up.up(lab, {}, SITE, lambda _: start(memory), nobody, replace_=named, configured=False)
    assert len(memory.of("server")) == 3
    memory.drop("server", "mates")
    up.up(lab, {}, SITE, agree, nobody, replace_=named, configured=False)
    assert len(memory.of("server")) == 2


def test_an_address_that_is_moved_while_the_question_stands_stays_with_its_server(lab: str, memory: Memory) -> None:
    """Its new server is no lab's, on no lease of ours."""

    def move(_: object) -> None:
        memory.of("server")["mate"] = Server(id="mate", name="mates")
        address = next(iter(memory.of("floating_ip").values()))
        memory.of("floating_ip")[address.id] = replace(address, server_id="mate")

    done = downs.down(session.pick(Journal(), "lab"), move, nobody, EVERYTHING)
    assert memory.count() == {"server": 1, "floating_ip": 1}
    assert [(one.key.kind, one.detail.partition(" ")[2]) for one in done.stayed] == [
        ("floating_ip", "leads to mates now, which is not the lab's")
    ]
