"""Single leases at a site where others change things while a question stands."""

from __future__ import annotations

import pytest

from chiops.cloud.base import Mark, SiteFacts
from chiops.errors import NotOurs
from chiops.ops import leases
from chiops.ops.desk import Desk
from tests.support.memory import SITE, Memory
from tests.support.things import LABS, THEIRS, lease, server


@pytest.fixture
def memory() -> Memory:
    """A site with a lease of ours and a server of ours on it."""
    cloud = Memory()
    cloud.of("lease")["id-l"] = lease()
    cloud.of("server")["id-n"] = server()
    return cloud


def at(memory: Memory) -> Desk:
    return Desk(memory, SiteFacts(name=SITE, cloud="openstack"))


@pytest.mark.parametrize("mark", [None, THEIRS])
def test_one_on_which_others_start_a_server_while_the_question_stands_is_not_ended(
    memory: Memory, mark: Mark | None
) -> None:
    def ask(_: str) -> None:
        memory.of("server")["m"] = server("mates", id="m", mark=mark)

    with pytest.raises(NotOurs, match="the lease l carries servers that are not yours: mates"):
        leases.delete(at(memory), "l", ask)
    assert memory.count() == {"lease": 1, "server": 2}


def test_servers_of_our_labs_on_it_go_with_it(memory: Memory) -> None:
    memory.of("server")["id-b"] = server("b", mark=LABS)
    assert len(leases.delete(at(memory), "l", lambda _: None).servers) == 2
    assert memory.count() == {}
