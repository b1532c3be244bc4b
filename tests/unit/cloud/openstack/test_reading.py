"""What the services say, in our words; and how often they are asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from chiops.cloud.base import Mark, State
from chiops.cloud.openstack.cloud import OpenStackCloud
from chiops.cloud.openstack.leases import lease
from chiops.cloud.openstack.volumes import volume
from chiops.errors import Ambiguous, Auth, Conflict, InvalidRequest, NotFound, Stuck, Timeout, Transient
from tests.unit.cloud.openstack.conftest import MARK
from tests.unit.cloud.openstack.stub import PATHS, PROJECT, USER, Answer, Stub

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def booked(status: str, reservation: str = "active", **more: Any) -> dict[str, Any]:
    properties = json.dumps({"name": "m1.small"})
    return {
        "id": "l",
        "name": "n",
        "user_id": USER,
        "status": status,
        "start_date": "2026-01-01T00:00:00.000000",
        "end_date": "2026-01-02T00:00:00.000000",
        "created_at": "2026-01-01 00:00:00",
        "reservations": [
            {"id": "r", "resource_type": "flavor:instance", "status": reservation, "resource_properties": properties}
        ],
        **more,
    }


@pytest.mark.parametrize(
    ("status", "reservation", "state"),
    [
        ("ACTIVE", "active", State.READY),
        ("ACTIVE", "pending", State.PENDING),
        ("PENDING", "pending", State.PENDING),
        ("TERMINATED", "deleted", State.ENDED),
        ("DELETING", "active", State.DELETING),
        ("SOMETHING NEW", "active", State.PENDING),
    ],
)
def test_lease_states(status: str, reservation: str, state: State) -> None:
    found = lease(booked(status, reservation))
    assert (found.state, found.fault) == (state, "")
    assert found.end == datetime(2026, 1, 2, tzinfo=UTC)
    assert (found.reservations[0].flavor_id, found.reservations[0].flavor_name) == ("r", "m1.small")


def test_a_broken_lease_says_what_broke() -> None:
    events = [{"event_type": "start_lease", "status": "ERROR"}]
    found = lease(booked("ERROR", "error", events=events))
    assert found.state is State.FAILED
    assert "start_lease event failed" in found.fault
    assert "m1.small is in error" in found.fault


def test_a_lease_of_hosts_tells_the_filter_that_they_were_chosen_by() -> None:
    filter_ = '["==", "$node_type", "gpu_rtx_6000"]'
    host = {"id": "h", "resource_type": "physical:host", "max": 2, "resource_properties": filter_}
    (found,) = lease(booked("ACTIVE", reservations=[host])).reservations
    assert (found.amount, found.flavor_name, found.resource_properties) == (2, "", filter_)


def cinder(status: str, changed: str) -> Any:
    return SimpleNamespace(id="v", name="n", status=status, updated_at=changed, created_at=changed, metadata={}, size=1,
                           is_bootable="false", volume_type="t", attachments=[])  # fmt: skip


def test_a_volume_between_states_is_stuck_after_a_while() -> None:
    assert volume(cinder("reserved", "2026-01-01T11:55:00"), NOW).state is State.PENDING
    found = volume(cinder("reserved", "2026-01-01T11:45:00"), NOW)
    assert found.state is State.FAILED
    assert "reserved since 2026-01-01 11:45" in found.fault


@pytest.mark.parametrize(("status", "kind"), [("reserved", Stuck), ("attaching", Stuck), ("in-use", Conflict)])
def test_a_volume_that_is_not_deleted_says_whether_it_is_stuck(
    stub: Stub, cloud: OpenStackCloud, status: str, kind: type[Conflict]
) -> None:
    said = "Invalid volume: Volume status must be available or error and must not be migrating, attached or have snapshots."
    stub.on("DELETE", f"{PATHS['volumev3']}/volumes/v", Answer(400, {"badRequest": {"code": 400, "message": said}}))
    stub.on("GET", f"{PATHS['volumev3']}/volumes/v", Answer(200, {"volume": {"id": "v", "status": status}}))
    with pytest.raises(Conflict) as caught:
        cloud.volumes.delete("v")
    assert type(caught.value) is kind
    assert (kind is Stuck) == ("help desk" in caught.value.todo)


def nova(index: int, **more: Any) -> dict[str, Any]:
    return {"id": f"s{index}", "name": "n", "status": "ACTIVE", "metadata": MARK.as_metadata(), "addresses": {},
            "flavor": {"original_name": "reservation:r"}, "image": "", **more}  # fmt: skip


def test_a_server_in_error_shows_its_fault_and_odd_ones_break_nothing(stub: Stub, cloud: OpenStackCloud) -> None:
    broken = nova(1, status="ERROR", fault={"message": "No valid host was found.", "code": 500, "details": "Traceback"})
    booted_from_volume = nova(2, metadata={"chiops-flavor": "m1.small"})
    odd = {"id": "s3", "name": None, "status": None, "metadata": None, "addresses": None, "flavor": None}
    stub.on("GET", f"{PATHS['compute']}/servers/detail", Answer(200, {"servers": [broken, booted_from_volume, odd]}))
    stub.on("GET", "/network/v2.0/floatingips", Answer(200, {"floatingips": []}))
    one, two, three = cloud.compute.list()
    assert (one.state, one.fault, one.mark) == (State.FAILED, "No valid host was found.", MARK)
    assert (two.flavor, two.image, two.mark) == ("m1.small", "", None)
    assert (three.state, three.name) == (State.PENDING, "")


def test_a_volume_that_a_server_boots_from_is_not_written_over(stub: Stub, cloud: OpenStackCloud) -> None:
    path = f"{PATHS['compute']}/servers/s1"
    stub.on("GET", path, Answer(200, {"server": nova(1)}))  # with a volume for its root disk Nova says no image
    stub.on("POST", f"{path}/action", Answer(202, {"server": nova(1)}))
    with pytest.raises(InvalidRequest, match="boots from a volume"):
        cloud.compute.rebuild("s1", "img")
    assert stub.count("POST", f"{path}/action") == 0
    stub.on("GET", path, Answer(200, {"server": nova(1, image={"id": "img"})}))
    assert cloud.compute.rebuild("s1", "img").id == "s1"


def test_an_address_is_at_the_server_that_neutron_says(stub: Stub, cloud: OpenStackCloud) -> None:
    copy = {"net": [{"version": 4, "addr": "10.0.0.5", "OS-EXT-IPS:type": "fixed"},
                    {"version": 4, "addr": "192.0.2.7", "OS-EXT-IPS:type": "floating"}]}  # fmt: skip
    one, two = nova(1, addresses=copy), nova(2, addresses=copy)
    bound = {"id": "ip", "floating_ip_address": "192.0.2.7", "port_id": "p", "port_details": {"device_id": "s2"}}
    stub.on("GET", f"{PATHS['compute']}/servers/detail", Answer(200, {"servers": [one, two]}))
    for item in (one, two):
        stub.on("GET", f"{PATHS['compute']}/servers/{item['id']}", Answer(200, {"server": item}))
    stub.on("GET", "/network/v2.0/floatingips", Answer(200, {"floatingips": [bound]}))
    assert [found.floating_address for found in cloud.compute.list()] == ["", "192.0.2.7"]
    assert [cloud.compute.get(id_).floating_address for id_ in ("s1", "s2")] == ["", "192.0.2.7"]
    assert cloud.compute.get("s1").fixed_address == "10.0.0.5"


@pytest.mark.parametrize(
    ("tags", "reservation"),
    [
        (["blazar", "reservation:r1"], "r1"),
        (["reservation:r1"], ""),
        (["blazar"], ""),
        (["mine"], ""),
        ([], ""),
        (None, ""),
        ("blazar reservation:r1", ""),
        ([7, "reservation:r1", "blazar"], "r1"),
    ],
)
def test_an_address_is_of_the_reservation_that_blazars_tags_name(
    stub: Stub, cloud: OpenStackCloud, tags: object, reservation: str
) -> None:
    one = {"id": "ip", "floating_ip_address": "192.0.2.7", "tags": tags}
    stub.on("GET", "/network/v2.0/floatingips", Answer(200, {"floatingips": [one]}))
    assert [found.reservation_id for found in cloud.network.floating_ips()] == [reservation]


def test_a_server_is_in_the_groups_of_all_its_ports(stub: Stub, cloud: OpenStackCloud) -> None:
    ports = [
        {"id": f"p{n}", "device_id": "s1", "security_groups": groups} for n, groups in enumerate((["a", "b"], ["b"]))
    ]
    stub.on("GET", "/network/v2.0/ports", Answer(200, {"ports": ports}))
    assert cloud.network.server_groups("s1") == ["a", "b"]


def test_a_group_is_meant_by_id_before_it_is_by_name(stub: Stub, cloud: OpenStackCloud) -> None:
    groups = [{"id": "1", "name": "ssh"}, {"id": "2", "name": "ssh"}, {"id": "3", "name": "2"}]
    stub.on("GET", "/network/v2.0/security-groups", Answer(200, {"security_groups": groups}))
    assert cloud.network._groups.ids(["2"], None) == ["2"]
    with pytest.raises(Ambiguous, match="Use the id"):
        cloud.network._groups.ids(["ssh"], None)


def test_a_rule_for_groups_is_no_rule_for_all(stub: Stub, cloud: OpenStackCloud) -> None:
    ssh = {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
    for key in ("remote_group_id", "remote_address_group_id"):
        group = {"id": "g", "name": "g", "security_group_rules": [ssh | {"remote_ip_prefix": None, key: "x"}]}
        stub.on("GET", "/network/v2.0/security-groups", Answer(200, {"security_groups": [group]}))
        assert cloud.network.security_groups()[0].rules == ()


def ec2(access: str, **more: str) -> dict[str, Any]:
    blob = json.dumps({"access": access, "secret": "s", **more})
    return {"id": access, "type": "ec2", "user_id": USER, "project_id": PROJECT, "blob": blob}


def test_a_site_without_labelled_credentials_has_ours_remembered(stub: Stub, cloud: OpenStackCloud) -> None:
    stub.on("POST", "/v3/credentials", Answer(403, {"error": {"message": "identity:create_credential"}}))
    made = {"credential": {"access": "a", "secret": "s"}}
    stub.on("POST", f"/v3/users/{USER}/credentials/OS-EC2", Answer(201, made))
    assert cloud.identity.create_ec2_credential(mark=MARK).mark == MARK
    stub.on(
        "GET", "/v3/credentials", Answer(200, {"credentials": [ec2("a"), ec2("b"), {"id": "c", "blob": "nonsense"}]})
    )
    assert {item.access: item.mark for item in cloud.identity.ec2_credentials()} == {"a": MARK, "b": None}


def test_an_application_credential_is_told_the_way_out(stub: Stub, cloud: OpenStackCloud) -> None:
    refusal = Answer(403, {"error": {"message": "Delegated tokens cannot access credentials directly."}})
    stub.on("POST", "/v3/credentials", refusal)
    stub.on("POST", f"/v3/users/{USER}/credentials/OS-EC2", refusal)
    with pytest.raises(Auth, match="Sign in with your password"):
        cloud.identity.create_ec2_credential(mark=MARK)


@pytest.mark.parametrize(
    "ask",
    [
        lambda cloud: cloud.compute.get("s1"),
        lambda cloud: cloud.leases.get("l"),
        lambda cloud: cloud.volumes.list(),
        lambda cloud: cloud.objects.get("b"),
        lambda cloud: cloud.identity.whoami(),
    ],
    ids=["server", "lease", "volumes", "bucket", "me"],
)
def test_an_application_credential_that_was_deleted_is_told_as_such(
    stub: Stub, cloud: OpenStackCloud, ask: Callable[[OpenStackCloud], object]
) -> None:
    said = {"error": {"code": 404, "message": "Could not find Application Credential: 4d2f.", "title": "Not Found"}}
    stub.on("POST", "/v3/auth/tokens", Answer(404, said))
    with pytest.raises(Auth, match="the application credential is not there any more") as caught:
        ask(cloud)
    assert "Make a new one in the dashboard" in caught.value.sentence()


def test_a_bucket_that_another_machine_made_is_ours_once_it_was_asked_for(stub: Stub, cloud: OpenStackCloud) -> None:
    stub.on("GET", PATHS["object-store"], Answer(200, [{"name": "bucket"}, {"name": "theirs"}]))
    for name, mark in {"bucket": MARK, "theirs": Mark("lab-1", "somebody-else")}.items():
        headers = {f"X-Container-Meta-{key}": value for key, value in mark.as_metadata().items()}
        stub.on("HEAD", f"{PATHS['object-store']}/{name}", Answer(204, headers=headers))
    assert [bucket.mark for bucket in cloud.objects.list()] == [None, None]
    assert cloud.objects.get("bucket").mark == MARK
    assert cloud.objects.get("theirs").mark == Mark("lab-1", "somebody-else")
    assert [bucket.mark for bucket in cloud.objects.list()] == [MARK, None]


def test_a_site_without_a_service_has_nothing_of_it(cloud: OpenStackCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("object-store", "reservation", "volumev3"):
        monkeypatch.delitem(PATHS, kind)
    assert (cloud.objects.list(), cloud.leases.list(), cloud.volumes.list()) == ([], [], [])
    with pytest.raises(NotFound, match="has no object store"):
        cloud.objects.endpoint()


def _project(stub: Stub, size: int) -> None:
    """A project that holds ``size`` of everything."""
    many = range(size)
    stub.on("GET", f"{PATHS['compute']}/servers/detail", Answer(200, {"servers": [nova(i) for i in many]}))
    stub.on(
        "GET",
        f"{PATHS['compute']}/flavors/detail",
        Answer(200, {"flavors": [{"id": str(i), "name": f"f{i}", "vcpus": 1, "ram": 1, "disk": 1} for i in many]}),
    )
    stub.on(
        "GET",
        f"{PATHS['compute']}/os-keypairs",
        Answer(
            200, {"keypairs": [{"keypair": {"name": f"k{i}", "public_key": "a b", "fingerprint": "f"}} for i in many]}
        ),
    )
    stub.on(
        "GET",
        "/network/v2.0/floatingips",
        Answer(
            200,
            {
                "floatingips": [
                    {
                        "id": str(i),
                        "floating_ip_address": f"10.0.0.{i}",
                        "port_id": "p",
                        "port_details": {"device_id": "s0"},
                    }
                    for i in many
                ]
            },
        ),
    )
    stub.on(
        "GET",
        "/network/v2.0/security-groups",
        Answer(200, {"security_groups": [{"id": str(i), "name": "g", "security_group_rules": []} for i in many]}),
    )
    stub.on(
        "GET",
        f"{PATHS['volumev3']}/volumes/detail",
        Answer(200, {"volumes": [{"id": str(i), "name": "v", "status": "available", "size": 1} for i in many]}),
    )
    stub.on("GET", f"{PATHS['reservation']}/leases", Answer(200, {"leases": [booked("ACTIVE") for _ in many]}))
    stub.on("GET", PATHS["object-store"], Answer(200, [{"name": f"b{i}", "count": 0, "bytes": 0} for i in many]))
    stub.on("GET", "/v3/credentials", Answer(200, {"credentials": [ec2(str(i)) for i in many]}))


LISTS: list[Callable[[OpenStackCloud], Any]] = [
    lambda cloud: cloud.compute.list(),
    lambda cloud: cloud.compute.flavors(),
    lambda cloud: cloud.compute.keypairs(),
    lambda cloud: cloud.network.floating_ips(),
    lambda cloud: cloud.network.security_groups(),
    lambda cloud: cloud.volumes.list(),
    lambda cloud: cloud.leases.list(),
    lambda cloud: cloud.objects.list(),
    lambda cloud: cloud.identity.ec2_credentials(),
]


def test_lists_cost_the_same_whatever_the_project_holds(stub: Stub, cloud: OpenStackCloud) -> None:
    def asked(size: int) -> int:
        _project(stub, size)
        before = len(stub.asked)
        for ask in LISTS:
            assert len(ask(cloud)) == size
        return len(stub.asked) - before

    asked(1)  # signs in and learns the services' versions
    assert asked(3) == asked(200) == len(LISTS) + 1, "servers are listed by Nova, and their addresses by Neutron"


def test_marks_come_through(stub: Stub, cloud: OpenStackCloud) -> None:
    text = f"by hand {MARK.as_text()} chiops-request=abc"
    group = {"id": "g", "name": "g", "description": text, "security_group_rules": []}
    stub.on("GET", "/network/v2.0/security-groups", Answer(200, {"security_groups": [group]}))
    (found,) = cloud.network.security_groups()
    assert (found.mark, found.description) == (Mark("lab-1", USER), "by hand")


def test_a_bucket_of_ours_that_cannot_be_read_is_listed_with_its_fault(stub: Stub, cloud: OpenStackCloud) -> None:
    names = ["one", "two", "gone", "theirs"]
    for name in names[:3]:
        cloud.objects._record.put(name, MARK)
    stub.on("GET", PATHS["object-store"], Answer(200, [{"name": name, "count": 3, "bytes": 7} for name in names]))
    ours = {f"X-Container-Meta-{key}": value for key, value in MARK.as_metadata().items()}
    stub.on("HEAD", f"{PATHS['object-store']}/one", Answer(204, headers=ours))
    stub.on("HEAD", f"{PATHS['object-store']}/two", Answer(403))
    stub.on("HEAD", f"{PATHS['object-store']}/gone", Answer(404))
    one, two, gone, theirs = cloud.objects.list()
    assert (one.mark, one.fault) == (MARK, "")
    assert (two.mark, two.objects, two.size_bytes) == (MARK, 3, 7)
    assert "two" in two.fault
    assert (gone.mark, theirs.mark) == (None, None)
    assert stub.count("HEAD", f"{PATHS['object-store']}/theirs") == 0


@pytest.mark.parametrize("answer", [Answer(204), Answer(404), Answer(409)])
def test_a_bucket_goes_after_the_container_of_its_parts(stub: Stub, cloud: OpenStackCloud, answer: Answer) -> None:
    paths = [f"{PATHS['object-store']}/bucket%2Bsegments", f"{PATHS['object-store']}/bucket"]
    stub.on("DELETE", paths[0], answer)
    stub.on("DELETE", paths[1], Answer(204))
    cloud.objects.delete("bucket")
    assert [path for method, path in stub.asked if method == "DELETE"] == paths


@pytest.mark.parametrize("answer", [Answer(503), Answer(204, lost=True)], ids=["503", "closed"])
def test_a_bucket_stays_until_it_is_known_what_became_of_its_parts(
    stub: Stub, cloud: OpenStackCloud, answer: Answer
) -> None:
    stub.on("DELETE", f"{PATHS['object-store']}/bucket%2Bsegments", answer)
    with pytest.raises((Transient, Timeout)):
        cloud.objects.delete("bucket")
    assert stub.count("DELETE", f"{PATHS['object-store']}/bucket") == 0
