"""How Nova has a halted server go on: each state has a request of its own, and a hard reboot is none of them."""

from __future__ import annotations

import pytest

from chiops.cloud.openstack.cloud import OpenStackCloud
from chiops.errors import Conflict, NotFound
from tests.unit.cloud.openstack.stub import PATHS, Answer, Stub

SERVER = f"{PATHS['compute']}/servers/s"


@pytest.fixture
def actions(stub: Stub) -> list[str]:
    """What was asked of the server beside how it is."""
    asked: list[str] = []

    def act(request: dict[str, object]) -> Answer:
        body = request["json"]
        assert isinstance(body, dict)
        asked.extend(body)
        return Answer(202)

    stub.on("POST", f"{SERVER}/action", act)
    return asked


def show(stub: Stub, status: str) -> None:
    stub.on("GET", SERVER, Answer(200, {"server": {"id": "s", "name": "n", "status": status}}))


@pytest.mark.parametrize(
    ("status", "action"),
    [
        ("SHUTOFF", "os-start"),
        ("PAUSED", "unpause"),
        ("SUSPENDED", "resume"),
        ("SHELVED", "unshelve"),
        ("SHELVED_OFFLOADED", "unshelve"),
    ],
)
def test_each_goes_on_from_where_it_stands(
    cloud: OpenStackCloud, stub: Stub, actions: list[str], status: str, action: str
) -> None:
    show(stub, status)
    cloud.compute.start("s")
    assert actions == [action]


@pytest.mark.parametrize("status", ["ACTIVE", "REBOOT", "ERROR"])
def test_any_other_is_left_alone(cloud: OpenStackCloud, stub: Stub, actions: list[str], status: str) -> None:
    show(stub, status)
    cloud.compute.start("s")
    assert actions == []


def test_one_in_rescue_is_left_to_whoever_repairs_it(cloud: OpenStackCloud, stub: Stub, actions: list[str]) -> None:
    show(stub, "RESCUE")
    with pytest.raises(Conflict, match="is in rescue"):
        cloud.compute.start("s")
    assert actions == []


def test_one_that_is_gone_is_not_found(cloud: OpenStackCloud, stub: Stub) -> None:
    with pytest.raises(NotFound, match="there is no server s"):
        cloud.compute.start("s")
