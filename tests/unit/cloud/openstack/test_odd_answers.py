"""Answers that no service documents: what can be made of a list is listed, and the rest is one of our errors, never another."""

from __future__ import annotations

import json
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from chiops.cloud.openstack.cloud import OpenStackCloud
from chiops.errors import ChiopsError
from chiops.output import plain
from tests.support.odd import ANYTHING_OR_NOTHING, ODD, Place, changed, places
from tests.unit.cloud.openstack.conftest import MARK
from tests.unit.cloud.openstack.stub import PATHS, PROJECT, USER, Answer, Stub

quick = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def _server(n: int) -> dict[str, Any]:
    fixed = {"version": 4, "addr": "10.0.0.5", "OS-EXT-IPS:type": "fixed"}
    return {
        "id": f"s{n}", "name": "n", "status": "ERROR", "metadata": {**MARK.as_metadata(), "chiops-lease": "l"},
        "addresses": {"net": [fixed]}, "flavor": {"original_name": "m1.small"}, "image": {"id": "i"}, "key_name": "k",
        "created": "2026-01-01T00:00:00Z", "fault": {"message": "why"}, "security_groups": [{"name": "g"}],
        "os-extended-volumes:volumes_attached": [{"id": "v"}], "OS-EXT-STS:task_state": None,
        "OS-SRV-USG:launched_at": None,
    }  # fmt: skip


def _address(n: int) -> dict[str, Any]:
    return {"id": f"ip{n}", "floating_ip_address": f"192.0.2.{n}", "status": "ACTIVE", "port_id": "p",
            "port_details": {"device_id": f"s{n}"}, "description": MARK.as_text(), "created_at": "2026-01-01T00:00:00Z",
            "project_id": PROJECT}  # fmt: skip


def _group(n: int) -> dict[str, Any]:
    rule = {"id": "r", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22,
            "port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0", "remote_group_id": None}  # fmt: skip
    return {"id": f"g{n}", "name": "g", "description": MARK.as_text(), "created_at": "2026-01-01T00:00:00Z",
            "project_id": PROJECT, "security_group_rules": [rule]}  # fmt: skip


def _volume(n: int) -> dict[str, Any]:
    return {"id": f"v{n}", "name": "v", "status": "in-use", "size": 1, "metadata": MARK.as_metadata(),
            "bootable": "true", "volume_type": "t", "attachments": [{"server_id": "s", "device": "/dev/vdb"}],
            "created_at": "2026-01-01T00:00:00", "updated_at": "2026-01-01T00:00:00"}  # fmt: skip


def _lease(n: int) -> dict[str, Any]:
    reservation = {"id": "r", "resource_type": "flavor:instance", "status": "error", "amount": 1, "flavor_id": None,
                   "resource_properties": json.dumps({"name": "m1.small"})}  # fmt: skip
    return {"id": f"l{n}", "name": "n chiops-lab=lab-1", "user_id": USER, "status": "ERROR",
            "start_date": "2026-01-01T00:00:00.000000", "end_date": "2026-01-02T00:00:00.000000",
            "created_at": "2026-01-01 00:00:00", "reservations": [reservation],
            "events": [{"event_type": "start_lease", "status": "ERROR"}]}  # fmt: skip


def _key(n: int) -> dict[str, Any]:
    blob = {"access": f"a{n}", "secret": "s", **MARK.as_metadata(), "chiops-created": "2026-01-01T00:00:00+00:00"}
    return {"id": f"c{n}", "type": "ec2", "user_id": USER, "project_id": PROJECT, "blob": json.dumps(blob)}


@dataclass(frozen=True)
class Listing:
    """A list call: where it asks, under which key it is answered, an item of it."""

    path: str
    under: str
    item: Callable[[int], dict[str, Any]]
    ask: Callable[[OpenStackCloud], Sequence[Any]]
    beyond_us: frozenset[Place] = frozenset()
    """Where openstacksdk itself gives up."""

    def body(self, *items: object) -> Any:
        return {self.under: list(items)} if self.under else list(items)


LISTINGS = {
    "servers": Listing(f"{PATHS['compute']}/servers/detail", "servers", _server, lambda cloud: cloud.compute.list()),
    "flavors": Listing(
        f"{PATHS['compute']}/flavors/detail",
        "flavors",
        lambda n: {"id": f"f{n}", "name": f"m{n}", "vcpus": 1, "ram": 1, "disk": 1},
        lambda cloud: cloud.compute.flavors(),
    ),
    "key pairs": Listing(
        f"{PATHS['compute']}/os-keypairs",
        "keypairs",
        lambda n: {
            "keypair": {"name": f"k{n}", "public_key": f"ssh-ed25519 AAAA {MARK.as_text()}", "fingerprint": "f"}
        },
        lambda cloud: cloud.compute.keypairs(),
        frozenset({("keypair",)}),
    ),
    "images": Listing(
        "/image/v2/images",
        "images",
        lambda n: {"id": f"i{n}", "name": "CC", "status": "active", "size": 1, "min_disk": 1},
        lambda cloud: cloud.compute.images(),
    ),
    "addresses": Listing(
        "/network/v2.0/floatingips", "floatingips", _address, lambda cloud: cloud.network.floating_ips()
    ),
    "groups": Listing(
        "/network/v2.0/security-groups", "security_groups", _group, lambda cloud: cloud.network.security_groups()
    ),
    "volumes": Listing(
        f"{PATHS['volumev3']}/volumes/detail",
        "volumes",
        _volume,
        lambda cloud: cloud.volumes.list(),
        frozenset({("bootable",)}),
    ),
    "leases": Listing(f"{PATHS['reservation']}/leases", "leases", _lease, lambda cloud: cloud.leases.list()),
    "buckets": Listing(
        PATHS["object-store"],
        "",
        lambda n: {"name": f"b{n}", "count": 0, "bytes": 0},
        lambda cloud: cloud.objects.list(),
    ),
    "credentials": Listing("/v3/credentials", "credentials", _key, lambda cloud: cloud.identity.ec2_credentials()),
    "node types": Listing(
        f"{PATHS['reservation']}/os-hosts/properties",
        "resource_properties",
        lambda n: {"property": "node_type", "private": False, "values": [f"type{n}"]},
        lambda cloud: cloud.leases.node_types(),
    ),
}


def _answer(stub: Stub, listing: Listing, body: object) -> None:
    stub.on("GET", "/network/v2.0/floatingips", Answer(200, {"floatingips": []}))
    stub.on("GET", "/network/v2.0/ports", Answer(200, {"ports": []}))
    stub.on("GET", listing.path, Answer(200, body))


def _assert_typed(found: Sequence[Any]) -> None:
    """Every field is what its type says, so that nothing further on meets a surprise; and all of it can be shown."""
    for one in found:
        for name, hint in typing.get_type_hints(type(one)).items():
            TypeAdapter(hint).validate_python(getattr(one, name), strict=True)
        json.dumps(plain(one))


@pytest.mark.parametrize("name", LISTINGS)
def test_an_odd_field_hides_nothing(stub: Stub, cloud: OpenStackCloud, name: str) -> None:
    listing = LISTINGS[name]
    odd, sound = listing.item(1), listing.item(2)
    _answer(stub, listing, listing.body(sound))
    (alone,) = listing.ask(cloud)
    for place in places(odd):
        if place and place not in listing.beyond_us:
            _answer(stub, listing, listing.body(*(changed(odd, place, value) for value in ODD), sound))
            try:
                found = listing.ask(cloud)
                _assert_typed(found)
            except Exception as error:
                raise AssertionError(f"{name}: something odd at {place}") from error
            assert alone in found, f"something odd at {place} hides another"


@pytest.mark.parametrize("name", LISTINGS)
@pytest.mark.parametrize("told", [None, "odd", 3, {}, {"x": []}])
def test_what_is_no_list_is_never_taken_for_an_empty_one(
    stub: Stub, cloud: OpenStackCloud, name: str, told: object
) -> None:
    listing = LISTINGS[name]
    for body in (told, {listing.under: told} if listing.under else told):
        _answer(stub, listing, body)
        with pytest.raises(ChiopsError):
            listing.ask(cloud)


@quick
@given(name=st.sampled_from(list(LISTINGS)), data=st.data())
def test_whatever_a_service_tells(stub: Stub, cloud: OpenStackCloud, name: str, data: st.DataObject) -> None:
    listing = LISTINGS[name]
    body = listing.body(listing.item(1), listing.item(2))
    for _ in range(data.draw(st.integers(1, 4))):
        body = changed(body, data.draw(st.sampled_from(list(places(body)))), data.draw(ANYTHING_OR_NOTHING))
    _answer(stub, listing, body)
    try:
        found = listing.ask(cloud)
    except ChiopsError:
        return
    _assert_typed(found)
