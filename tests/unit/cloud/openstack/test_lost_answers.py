"""A create whose answer is lost is looked up, never repeated; reads are repeated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chiops.cloud.base import ReservationRequest, ServerRequest, SiteFacts, State
from chiops.cloud.openstack.cloud import OpenStackCloud, connect
from chiops.errors import Auth, Capacity, CloudError, Policy, Timeout, Transient
from tests.unit.cloud.openstack.conftest import MARK, write_clouds
from tests.unit.cloud.openstack.stub import PATHS, USER, Answer, Stub

NETWORKS = [
    {"id": "net-1", "name": "sharednet1", "router:external": False},
    {"id": "net-2", "name": "public", "router:external": True},
]
LOST = Answer(lost=True)
OVERLOADED = Answer(503, {"message": "busy"})


class Shelf:
    """A service's collection: POST puts the resource there and then answers, or does not."""

    def __init__(
        self, stub: Stub, path: str, single: str, plural: str, *, listing: str = "", works: bool = True
    ) -> None:
        self.items: list[dict[str, Any]] = []
        self.answer: Answer | None = None
        self.single, self.works, self.path = single, works, path
        stub.on("POST", path, self._post)
        stub.on("GET", listing or path, lambda _: Answer(200, {plural: self.items}))

    def _post(self, request: dict[str, Any]) -> Answer:
        item = request["json"][self.single] if self.single in request["json"] else request["json"]
        made = {"id": f"id-{len(self.items)}", **item}
        if self.works:
            self.items.append(made)
        return self.answer or Answer(201, {self.single: made})


@pytest.fixture
def networks(stub: Stub) -> None:
    stub.on("GET", "/network/v2.0/networks", Answer(200, {"networks": NETWORKS}))


def servers(stub: Stub, **more: Any) -> Shelf:
    base = PATHS["compute"]
    return Shelf(stub, f"{base}/servers", "server", "servers", listing=f"{base}/servers/detail", **more)


def volumes(stub: Stub, **more: Any) -> Shelf:
    base = PATHS["volumev3"]
    return Shelf(stub, f"{base}/volumes", "volume", "volumes", listing=f"{base}/volumes/detail", **more)


def addresses(stub: Stub, **more: Any) -> Shelf:
    return Shelf(stub, "/network/v2.0/floatingips", "floatingip", "floatingips", **more)


def groups(stub: Stub, **more: Any) -> Shelf:
    return Shelf(stub, "/network/v2.0/security-groups", "security_group", "security_groups", **more)


def new_server(cloud: OpenStackCloud) -> object:
    return cloud.compute.create(ServerRequest(name="n", image_id="i", flavor_id="f", keypair="k", mark=MARK))


def new_volume(cloud: OpenStackCloud) -> object:
    return cloud.volumes.create("n", size_gib=1, mark=MARK)


def new_address(cloud: OpenStackCloud) -> object:
    return cloud.network.create_floating_ip(mark=MARK)


def new_group(cloud: OpenStackCloud) -> object:
    return cloud.network.create_security_group("n", description="d", mark=MARK)


CASES = [(servers, new_server), (volumes, new_volume), (addresses, new_address), (groups, new_group)]
IDS = ["server", "volume", "floating ip", "security group"]


@pytest.mark.parametrize("answer", [LOST, OVERLOADED, Answer(504, {"message": "gateway"})], ids=["lost", "503", "504"])
@pytest.mark.parametrize(("shelf", "make"), CASES, ids=IDS)
def test_what_was_made_is_found_and_not_made_twice(
    stub: Stub,
    cloud: OpenStackCloud,
    networks: None,
    shelf: Callable[..., Shelf],
    make: Callable[[OpenStackCloud], Any],
    answer: Answer,
) -> None:
    service = shelf(stub)
    service.answer = answer
    made = make(cloud)
    assert stub.count("POST", service.path) == 1
    assert [item["id"] for item in service.items] == [made.id]
    assert made.mark == MARK


@pytest.mark.parametrize(("shelf", "make"), CASES, ids=IDS)
def test_what_is_not_found_is_said_to_be_uncertain(
    stub: Stub,
    cloud: OpenStackCloud,
    networks: None,
    shelf: Callable[..., Shelf],
    make: Callable[[OpenStackCloud], Any],
) -> None:
    service = shelf(stub, works=False)
    service.answer = LOST
    service.items.append({"id": "other", "name": "n", "description": MARK.as_text(), "metadata": MARK.as_metadata()})
    with pytest.raises(Timeout, match="may or may not"):
        make(cloud)
    assert stub.count("POST", service.path) == 1, "another of the same name and mark is not taken for it"


def test_a_refusal_is_not_looked_up(stub: Stub, cloud: OpenStackCloud, networks: None) -> None:
    service = addresses(stub, works=False)
    service.answer = Answer(409, {"NeutronError": {"message": "No more IP addresses available on network x."}})
    with pytest.raises(Capacity):
        new_address(cloud)
    assert stub.count("GET", service.path) == 0


def test_a_lease_is_found_by_name_mark_end_and_age(stub: Stub, cloud: OpenStackCloud) -> None:
    path = f"{PATHS['reservation']}/leases"
    end = (datetime.now(UTC) + timedelta(hours=2)).replace(second=0, microsecond=0)
    stored = {
        "id": "",
        "name": "n chiops-lab=lab-1",
        "user_id": USER,
        "status": "PENDING",
        "reservations": [],
        "start_date": "2026-01-01T00:00:00",
        "end_date": end.strftime("%Y-%m-%dT%H:%M:%S.000000"),
    }
    now = datetime.now(UTC)
    items = [
        stored | {"id": "older", "created_at": str((now - timedelta(hours=1)).replace(tzinfo=None))},
        stored | {"id": "theirs", "user_id": "user-2", "created_at": str(now.replace(tzinfo=None))},
        stored | {"id": "ours", "created_at": str(now.replace(tzinfo=None))},
    ]
    stub.on("GET", f"{PATHS['compute']}/flavors/detail", Answer(200, {"flavors": [_flavor("m1.small")]}))
    stub.on("POST", path, LOST)
    stub.on("GET", path, Answer(200, {"leases": items}))
    wanted = [ReservationRequest(kind="flavor:instance", flavor="m1.small")]
    assert cloud.leases.create("n", end=end, reservations=wanted, mark=MARK).id == "ours"
    assert stub.count("POST", path) == 1


def test_an_application_credential_that_may_not_book_is_told_so(stub: Stub, tmp_path: Path) -> None:
    auth = {"auth_url": f"{stub.url}/v3", "application_credential_id": "a", "application_credential_secret": "s"}
    write_clouds(tmp_path, app={"auth_type": "v3applicationcredential", "auth": auth, "region_name": "R"})
    path = f"{PATHS['reservation']}/leases"
    stub.on("GET", f"{PATHS['compute']}/flavors/detail", Answer(200, {"flavors": [_flavor("m1.small")]}))
    stub.on("POST", path, Answer(500, {"error_code": 500, "error_message": "Internal Server Error"}))
    stub.on("GET", path, Answer(200, {"leases": []}))
    wanted = [ReservationRequest(kind="flavor:instance", flavor="m1.small")]
    end = datetime.now(UTC) + timedelta(hours=2)
    facts = SiteFacts(name="app", cloud="openstack", os_cloud="app")
    with connect(facts) as cloud, pytest.raises(Auth, match="'unrestricted' ticked"):
        cloud.leases.create("n", end=end, reservations=wanted, mark=MARK)
    assert stub.count("POST", path) == 1


def _flavor(name: str) -> dict[str, Any]:
    return {"id": "2", "name": name, "vcpus": 1, "ram": 512, "disk": 1}


class Extended:
    """A lease at the site: PUT moves its end, or does not, and then answers, or does not."""

    def __init__(self, stub: Stub, answer: Answer, *, works: bool = True, breaks: bool = False) -> None:
        self.path = f"{PATHS['reservation']}/leases/l"
        self.end = datetime(2099, 1, 1, 12, tzinfo=UTC)
        self.item = {"id": "l", "name": "n", "status": "ACTIVE", "start_date": "2026-01-01T00:00:00"}
        self.answer, self.works, self.breaks = answer, works, breaks
        stub.on("PUT", self.path, self._put)
        stub.on(
            "GET", self.path, lambda _: Answer(200, {"lease": {**self.item, "end_date": self.end.isoformat()[:19]}})
        )

    def _put(self, request: dict[str, Any]) -> Answer:
        if self.works:
            self.end = datetime.fromisoformat(f"{request['json']['end_date']}Z")
        if self.breaks:
            self.item["status"] = "ERROR"
        return self.answer


LATER = datetime(2099, 1, 1, 14, 0, 31, tzinfo=UTC)


@pytest.mark.parametrize("answer", [LOST, OVERLOADED, Answer(504, {"message": "gateway"})], ids=["lost", "503", "504"])
def test_an_extension_whose_answer_is_lost_is_seen_to_have_come_about(
    stub: Stub, cloud: OpenStackCloud, answer: Answer
) -> None:
    at = Extended(stub, answer)
    assert cloud.leases.extend("l", LATER).end == at.end == LATER.replace(second=0)
    assert stub.count("PUT", at.path) == 1


def test_an_extension_that_is_not_to_be_seen_says_how_to_go_on_without_extending_twice(
    stub: Stub, cloud: OpenStackCloud
) -> None:
    at = Extended(stub, LOST, works=False)
    with pytest.raises(Timeout, match=r"may or may not move.*Run the command again with --end '2099-01-01 14:00Z'"):
        cloud.leases.extend("l", LATER)
    assert stub.count("PUT", at.path) == 1


def test_an_extension_that_broke_the_lease_is_told_as_such(stub: Stub, cloud: OpenStackCloud) -> None:
    Extended(stub, OVERLOADED, works=False, breaks=True)
    assert cloud.leases.extend("l", LATER).state is State.FAILED


def test_an_extension_that_is_refused_is_not_looked_up(stub: Stub, cloud: OpenStackCloud) -> None:
    at = Extended(stub, Answer(403, {"error_message": "Lease may only be extended in its last 48 hours"}), works=False)
    with pytest.raises(Policy):
        cloud.leases.extend("l", LATER)
    assert stub.count("GET", at.path) == 0


def test_an_extension_that_is_carried_out_counts_though_the_lease_can_not_be_read(
    stub: Stub, cloud: OpenStackCloud
) -> None:
    at = Extended(stub, Answer(200, {}))
    read, answers = stub.handlers["GET", at.path], iter([Answer(500, {"message": "busy"})])
    stub.on("GET", at.path, lambda request: next(answers, None) or read(request))
    assert cloud.leases.extend("l", LATER).end == LATER.replace(second=0)
    assert stub.count("PUT", at.path) == 1


@pytest.mark.parametrize("lost", [Answer(504, {"error_message": "gateway timeout"}), LOST])
def test_deleting_a_lease_may_outlast_our_patience(stub: Stub, cloud: OpenStackCloud, lost: Answer) -> None:
    path = f"{PATHS['reservation']}/leases/l"
    going = {"lease": {"id": "l", "name": "n", "status": "DELETING", "start_date": None, "end_date": None}}
    stub.on("GET", path, Answer(200, going))
    stub.on("DELETE", path, lost)
    cloud.leases.delete("l")
    going["lease"]["status"] = "ACTIVE"
    with pytest.raises(Transient):
        cloud.leases.delete("l")


def test_reads_are_tried_again(stub: Stub, cloud: OpenStackCloud) -> None:
    path, answers = f"{PATHS['reservation']}/leases", iter([OVERLOADED, LOST, Answer(200, {"leases": []})])
    stub.on("GET", path, lambda _: next(answers))
    assert cloud.leases.list() == []
    assert stub.count("GET", path) == 3


def test_a_cloud_that_stays_down_is_an_error_of_ours(stub: Stub, cloud: OpenStackCloud) -> None:
    path = f"{PATHS['reservation']}/leases"
    stub.on("GET", path, OVERLOADED)
    with pytest.raises(CloudError, match="listing leases at stub"):
        cloud.leases.list()
