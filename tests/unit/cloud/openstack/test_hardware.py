"""The types of hosts: told by an HTTP server in the reference API's shape, or by Blazar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from chiops.cloud.base import NodeType
from chiops.cloud.openstack.cloud import OpenStackCloud, connect
from chiops.errors import CloudError, NotFound
from tests.unit.cloud.openstack.stub import PATHS, Answer, Stub

REFERENCE = "/sites/tacc/clusters/chameleon/nodes.json"


def host(uid: str, node_type: str, **more: object) -> Mapping[str, object]:
    """A host as the reference API tells of it, shortened."""
    return {
        "uid": uid,
        "node_name": f"c{uid}",
        "node_type": node_type,
        "architecture": {"platform_type": "x86_64", "smp_size": 2, "smt_size": 48},
        "processor": {"clock_speed": 2600000000, "model": "Xeon", "other_description": "Xeon Gold 6126 @ 2.60GHz"},
        "main_memory": {"humanized_ram_size": "192 GiB", "ram_size": 206158430208},
        "storage_devices": [{"device": "sda", "humanized_size": "240 GB"}, {"device": "sdb"}],
        "gpu": {"gpu": False},
        **more,
    }


@pytest.fixture
def described(cloud: OpenStackCloud, stub: Stub) -> OpenStackCloud:
    """The site, with an address that describes its hosts."""
    return connect(replace(cloud._site.facts, hardware_url=stub.url + REFERENCE))


def test_hosts_are_summed_up_by_type(described: OpenStackCloud, stub: Stub) -> None:
    gpus = {"gpu": True, "gpu_count": 4, "gpu_model": "A100"}
    bare = {"uid": "4", "node_type": "storage", "gpu": None, "processor": None, "architecture": None}
    items = [
        host("1", "gpu_a100", gpu=gpus),
        host("2", "compute_skylake"),
        host("3", "compute_skylake"),
        bare,
        host("5", "gpu_list", gpu=[{"gpu": True, "gpu_model": "RTX 6000"}]),
    ]
    stub.on("GET", REFERENCE, Answer(200, {"total": 5, "offset": 0, "items": items}))
    skylake, a100, listed, storage = described.leases.node_types()
    assert skylake == NodeType(
        name="compute_skylake", hosts=2, threads=48, cpu="Xeon Gold 6126 @ 2.60GHz", ram="192 GiB", disks="240 GB"
    )
    assert (a100.name, a100.gpu) == ("gpu_a100", "4 × A100")
    assert (listed.name, listed.gpu) == ("gpu_list", "1 × RTX 6000")
    assert storage == NodeType(name="storage", hosts=1)
    # The token is the site's and nobody else's
    assert stub.count("POST", "/v3/auth/tokens") == 0


@pytest.mark.parametrize("answer", [Answer(200, {"other": 1}), Answer(200, ["no"]), Answer(500), Answer(404)])
def test_what_is_no_list_of_hosts_is_one_sentence(described: OpenStackCloud, stub: Stub, answer: Answer) -> None:
    stub.on("GET", REFERENCE, answer)
    with pytest.raises(CloudError, match="hosts"):
        described.leases.node_types()


def test_blazar_tells_names_where_nobody_else_does(cloud: OpenStackCloud, stub: Stub) -> None:
    told = [{"property": "node_type", "private": False, "values": ["b", "a"]}, {"property": "uid", "values": ["1"]}]
    stub.on("GET", f"{PATHS['reservation']}/os-hosts/properties", Answer(200, {"resource_properties": told}))
    assert cloud.leases.node_types() == [NodeType(name="a"), NodeType(name="b")]


def test_a_member_who_may_not_ask_learns_so(cloud: OpenStackCloud, stub: Stub) -> None:
    refused = {"error_message": "Policy doesn't allow blazar:oshosts:get_resource_properties to be performed"}
    stub.on("GET", f"{PATHS['reservation']}/os-hosts/properties", Answer(403, refused))
    with pytest.raises(NotFound, match="does not tell its members"):
        cloud.leases.node_types()
