"""Another member of the same project sees what we made, and chiops can't be made to take it for theirs.

OS_CLOUD_OTHER names an entry of clouds.yaml with the other member's credentials.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from chiops.cloud.base import Cloud, Keypair, Lease, Mark, SecurityGroup, Server, SiteFacts
from chiops.cloud.openstack.cloud import connect
from chiops.cloud.openstack.entries import facts_of
from chiops.cloud.sites import sites
from chiops.errors import CloudError, NotOurs
from chiops.ops import addresses, buckets, groups, leases, power, servers, volumes
from chiops.ops.desk import Desk
from chiops.resources.bucket import BucketKind, BucketWanted
from chiops.resources.credential import CredentialKind, CredentialWanted
from chiops.resources.floating_ip import FloatingIpKind, FloatingIpWanted
from chiops.resources.kind import Op, Workbench, observe
from chiops.resources.server import ServerKind, ServerWanted
from chiops.resources.volume import VolumeKind, VolumeWanted
from tests.support.scratch import Scratch
from tests.support.target import IMAGE, Target

OTHER = os.environ.get("OS_CLOUD_OTHER", "")


@pytest.fixture(scope="module")
def other(target: Target) -> Iterator[Cloud]:
    """The same site, signed in as another member of the project."""
    if target.shares_kernel:
        pytest.skip("the local site has one user")
    if not OTHER and not target.other:
        pytest.skip("no other member of the project is known, OS_CLOUD_OTHER is not set")
    with target.other() if target.other else _openstack() as cloud:
        me, them = target.cloud.identity.whoami(), cloud.identity.whoami()
        assert me.project_id == them.project_id
        assert me.user_id != them.user_id
        yield cloud


def _openstack() -> Cloud:
    facts = facts_of(OTHER, sites())
    assert facts, f"clouds.yaml has no entry {OTHER!r}"
    return connect(facts)


def bench_of(other: Cloud, lab: str) -> Workbench:
    """What chiops works with as the other member, in a lab of our lab's name; it has seen everything there is now."""
    mark = Mark(lab, other.identity.whoami().user_id)
    return Workbench(other, SiteFacts(name=other.site, cloud="openstack"), mark, observe(other))


def test_nothing_of_ours_is_theirs(
    scratch: Scratch,
    lease: Lease,
    keypair: Keypair,
    ssh_group: SecurityGroup,
    shared_server: Server,
    other: Cloud,
) -> None:
    volume, address, bucket = scratch.volume(), scratch.floating_ip(), scratch.bucket()
    scratch.credential()
    bench = bench_of(other, scratch.mark.lab)
    seen = bench.seen
    assert {lease.id} <= {item.id for item in seen.leases}
    assert {shared_server.id} <= {item.id for item in seen.servers}
    assert {volume.id} <= {item.id for item in seen.volumes}
    assert {address.id} <= {item.id for item in seen.floating_ips}
    assert {ssh_group.id} <= {item.id for item in seen.security_groups}
    assert {bucket.name} <= {item.name for item in seen.buckets}
    assert other.objects.get(bucket.name).mark == scratch.mark
    everything = [*seen.leases, *seen.servers, *seen.volumes, *seen.floating_ips, *seen.security_groups, *seen.buckets]
    assert [item for item in everything if item.mark == bench.mark] == []
    assert keypair.name not in {item.name for item in seen.keypairs}
    assert [item for item in seen.credentials if item.mark] == []


def test_names_of_ours_are_refused_to_them(scratch: Scratch, shared_server: Server, other: Cloud) -> None:
    volume, bucket = scratch.volume(), scratch.bucket()
    bench = bench_of(other, scratch.mark.lab)
    with pytest.raises(NotOurs):
        VolumeKind().judge(VolumeWanted(volume.name, 1), bench)
    with pytest.raises(NotOurs):
        BucketKind().judge(BucketWanted(bucket.name), bench)
    with pytest.raises(NotOurs):
        ServerKind().judge(ServerWanted(shared_server.name, shared_server.flavor, IMAGE, "k", ()), bench)


def test_a_spare_address_of_ours_is_not_taken(scratch: Scratch, other: Cloud) -> None:
    spare = scratch.floating_ip()
    bench = bench_of(other, scratch.mark.lab)
    assert [item for item in bench.seen.floating_ips if item.mark == bench.mark] == []
    assert FloatingIpKind().judge(FloatingIpWanted("no-such-server"), bench).op is Op.CREATE
    assert spare.id in {item.id for item in scratch.cloud.network.floating_ips()}


def test_a_key_of_ours_is_not_reused(scratch: Scratch, other: Cloud) -> None:
    made = scratch.credential()
    bench = bench_of(other, scratch.mark.lab)
    assert CredentialKind().judge(CredentialWanted(), bench).op is Op.CREATE
    with pytest.raises(CloudError):
        other.identity.delete_ec2_credential(made.access)
    assert made.access in {item.access for item in scratch.cloud.identity.ec2_credentials()}


def test_no_command_of_theirs_takes_what_is_ours(
    scratch: Scratch, lease: Lease, ssh_group: SecurityGroup, shared_server: Server, other: Cloud
) -> None:
    volume, address, bucket = scratch.volume(), scratch.floating_ip(), scratch.bucket()
    desk = Desk(other, SiteFacts(name=other.site, cloud="openstack"), scratch.mark.lab)

    def yes(_: object) -> None:
        """A person who agrees to everything."""

    commands: dict[str, Callable[[], object]] = {
        "lease delete": lambda: leases.delete(desk, lease.id, yes),
        "server delete": lambda: servers.delete(desk, shared_server.id, yes),
        "server reboot": lambda: power.reboot(desk, shared_server.id),
        "fip bind": lambda: addresses.bind(desk, address.id, shared_server.id),
        "fip delete": lambda: addresses.delete(desk, address.id, yes),
        "secgroup delete": lambda: groups.delete(desk, ssh_group.id, yes),
        "volume delete": lambda: volumes.delete(desk, volume.id, yes),
        "volume extend": lambda: volumes.extend(desk, volume.id, 2, growing=False),
        "bucket purge": lambda: buckets.purge(desk, bucket.name, yes),
        "bucket delete": lambda: buckets.delete(desk, bucket.name, yes, purge_first=True),
    }
    took = []
    for name, command in commands.items():
        try:
            command()
        except NotOurs:
            continue
        took.append(name)
    assert took == []
    seen = observe(scratch.cloud)
    assert {address.id} <= {item.id for item in seen.floating_ips if not item.server_id}
    assert {volume.id: 1} == {item.id: item.size_gib for item in seen.volumes if item.id == volume.id}
    assert scratch.cloud.objects.get(bucket.name).mark == scratch.mark
    assert scratch.cloud.leases.get(lease.id).state is lease.state
    assert scratch.cloud.compute.get(shared_server.id).state is shared_server.state
