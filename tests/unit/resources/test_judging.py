"""Judging what is wanted against what was seen: pure, so every case is one line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from chiops.cloud.base import (
    Attachment,
    Bucket,
    Cloud,
    Flavor,
    Image,
    Keypair,
    Lease,
    Mark,
    Rule,
    SecurityGroup,
    Server,
    SiteFacts,
    State,
    Volume,
)
from chiops.errors import InvalidRequest, NotOurs, Policy, ResourceFailed
from chiops.resources.bucket import BucketKind, BucketWanted
from chiops.resources.credential import CredentialKind, CredentialWanted
from chiops.resources.floating_ip import FloatingIpKind, FloatingIpWanted
from chiops.resources.keypair import KeypairKind, KeypairWanted
from chiops.resources.kind import Op, Seen, Workbench
from chiops.resources.lease import LeaseKind, LeaseWanted
from chiops.resources.security_group import SecurityGroupKind, SecurityGroupWanted
from chiops.resources.server import ServerKind, ServerWanted
from chiops.resources.volume import AttachmentKind, AttachmentWanted, VolumeKind, VolumeWanted
from tests.support import things
from tests.support.memory import Memory
from tests.support.things import LABS, ME, MINE, THEIRS, address, credential, group, lease, volume

KEY = "ssh-ed25519 AAAA chiops"


class Place:
    """A cloud of which judging needs only the name and, for buckets that a listing shows without a mark, the mark."""

    site = "somewhere"

    def __init__(self, marks: Mapping[str, Mark] | None = None) -> None:
        self.marks = marks or {}

    @property
    def objects(self) -> Place:
        return self

    def get(self, name: str) -> Bucket:
        return Bucket(id=name, name=name, mark=self.marks.get(name))


def bench(max_lease_days: float | None = None, **seen: object) -> Workbench:
    facts = SiteFacts(name="somewhere", cloud="local", max_lease_days=max_lease_days)
    shown = Seen(
        me=ME,
        flavors=(Flavor(id="f", name="m1.large", vcpus=1, ram_mib=1, disk_gib=1),),
        images=(Image(id="i", name="img"),),
    )
    return Workbench(cast(Cloud, Place()), facts, MINE, replace(shown, **seen), KEY)  # type: ignore[arg-type]


LEASE = LeaseWanted("l", timedelta(hours=4), {"m1.large": 2})


def test_a_running_lease_is_kept() -> None:
    small = LeaseWanted("l", timedelta(hours=4), {"m1.small": 1})
    assert LeaseKind().judge(small, bench(leases=[lease()])).op is Op.KEEP


def test_a_lease_that_books_too_little_is_replaced_and_the_servers_on_it_named() -> None:
    verdict = LeaseKind().judge(LEASE, bench(leases=[lease()], servers=[server()]))
    assert (verdict.op, verdict.reason) == (Op.REPLACE, "it lacks 2 × m1.large")
    assert verdict.loses == "n on it, with what is on their disks"
    assert LeaseKind().judge(LEASE, bench(leases=[lease()])).loses == ""


@pytest.mark.parametrize(
    "found",
    [
        lease(mark=THEIRS),
        lease(mark=None),
        lease(name="another"),
        lease(end=datetime.now(UTC) - timedelta(minutes=1)),
        lease(state=State.ENDED),
    ],
)
def test_a_lease_of_others_or_of_the_past_is_no_lease(found: Lease) -> None:
    verdict = LeaseKind().judge(LEASE, bench(leases=[found]))
    assert verdict.op is Op.CREATE
    assert "2 × m1.large for 4 h" in verdict.reason


def test_a_broken_lease_is_replaced_and_its_fault_told() -> None:
    verdict = LeaseKind().judge(LEASE, bench(leases=[lease(state=State.FAILED, status="ERROR", fault="no hosts")]))
    assert verdict.op is Op.REPLACE
    assert "no hosts" in verdict.reason


@pytest.mark.parametrize("mark", [None, THEIRS])
@pytest.mark.parametrize("state", [State.FAILED, State.READY])
def test_a_lease_that_carries_servers_of_others_is_never_replaced(mark: Mark | None, state: State) -> None:
    at = bench(leases=[lease(state=state)], servers=[server(), server(name="hers", mark=mark, has_run=False)])
    with pytest.raises(NotOurs, match="servers that are not yours: hers"):
        LeaseKind().judge(LEASE, at)


def test_the_sites_longest_lease_is_known_before_the_request() -> None:
    with pytest.raises(Policy, match="at most 7 days"):
        LeaseKind().judge(LeaseWanted("l", timedelta(days=8), {}), bench(max_lease_days=7))


def server(**changes: object) -> Server:
    """What `SERVER` wants."""
    return things.server(**{"flavor": "m1.large", "image": "img", "security_groups": ("ssh",), **changes})


SERVER = ServerWanted("n", "m1.large", "img", "key", ("ssh",))


@pytest.mark.parametrize(
    ("found", "op"),
    [
        ([], Op.CREATE),
        ([server()], Op.KEEP),
        ([server(state=State.FAILED, status="ERROR", fault="No valid host")], Op.REPLACE),
        ([server(state=State.STOPPED, status="SHUTOFF")], Op.UPDATE),
        ([server(security_groups=("default",))], Op.UPDATE),
        ([server(state=State.PENDING, status="BUILD")], Op.KEEP),
        ([server(state=State.DELETING)], Op.REPLACE),
    ],
)
def test_a_server_is_judged_by_its_state_and_groups(found: list[Server], op: Op) -> None:
    assert ServerKind().judge(SERVER, bench(servers=found)).op is op


def test_a_lab_server_that_fails_is_told_with_what_to_do() -> None:
    failed = server(state=State.FAILED, status="ERROR", fault="No valid host")
    with pytest.raises(ResourceFailed, match=r"No valid host\. Mend that, then run `up` again"):
        ServerKind().settle(SERVER, failed, Workbench(cast(Cloud, Memory()), bench().facts, MINE, Seen(ME)))


def test_a_server_that_differs_is_kept_and_the_difference_told() -> None:
    verdict = ServerKind().judge(SERVER, bench(servers=[server(flavor="m1.tiny")]))
    assert verdict.op is Op.KEEP
    assert "flavor is m1.tiny, the lab says m1.large" in verdict.reason


@pytest.mark.parametrize("mark", [None, THEIRS])
def test_a_server_of_others_is_never_taken(mark: Mark | None) -> None:
    with pytest.raises(NotOurs, match="was not made by chiops"):
        ServerKind().judge(SERVER, bench(servers=[server(mark=mark)]))


def test_a_server_of_my_other_lab_is_told_as_such() -> None:
    with pytest.raises(NotOurs, match="belongs to your lab my-lab"):
        ServerKind().judge(SERVER, bench(servers=[server(mark=LABS)]))


@pytest.mark.parametrize(("flavor", "image", "told"), [("m1.lage", "img", "m1.large"), ("m1.large", "imgg", "img")])
def test_an_unknown_flavor_or_image_is_told_with_the_nearest(flavor: str, image: str, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        ServerKind().judge(replace(SERVER, flavor=flavor, image=image), bench())


SSH = Rule("tcp", 22, 22)
WEB = Rule("tcp", 80, 80)
GROUP = SecurityGroupWanted("ssh", "", (SSH,))


@pytest.mark.parametrize(
    ("found", "op"),
    [
        ([], Op.CREATE),
        ([group("ssh", SSH)], Op.KEEP),
        ([group("ssh")], Op.UPDATE),
        ([group("ssh", SSH, WEB)], Op.UPDATE),
        ([group("ssh", SSH, WEB, mark=None)], Op.USE),
    ],
)
def test_a_security_group_is_judged_by_its_rules(found: list[SecurityGroup], op: Op) -> None:
    assert SecurityGroupKind().judge(GROUP, bench(security_groups=found)).op is op


def test_a_group_of_others_that_lacks_a_rule_is_not_changed() -> None:
    with pytest.raises(NotOurs, match="lacks tcp 22"):
        SecurityGroupKind().judge(GROUP, bench(security_groups=[group("ssh", WEB, mark=None)]))


def test_of_several_groups_of_others_the_one_that_serves_is_used() -> None:
    shut, half, open_ = (
        group("ssh", *rules, id=id_, mark=THEIRS)
        for id_, rules in {"shut": (), "half": (SSH,), "open": (SSH, WEB)}.items()
    )
    verdict = SecurityGroupKind().judge(GROUP, bench(security_groups=[shut, open_]))
    assert (verdict.op, verdict.found) == (Op.USE, open_)
    with pytest.raises(NotOurs, match="lacks tcp 80"):
        SecurityGroupKind().judge(replace(GROUP, rules=(SSH, WEB)), bench(security_groups=[shut, half]))


def test_an_address_belongs_to_the_server_it_is_bound_to() -> None:
    bound = address(server_id="id-n")
    kind = FloatingIpKind()
    assert kind.judge(FloatingIpWanted("n"), bench(servers=[server()], floating_ips=[bound])).op is Op.KEEP
    unbound = replace(bound, server_id="")
    assert kind.judge(FloatingIpWanted("n"), bench(servers=[server()], floating_ips=[unbound])).op is Op.CREATE


@pytest.mark.parametrize(
    ("found", "op"),
    [
        ([], Op.CREATE),
        ([volume()], Op.KEEP),
        ([volume(size_gib=1)], Op.UPDATE),
        ([volume(size_gib=5)], Op.KEEP),
        ([volume(state=State.FAILED)], Op.KEEP),
    ],
)
def test_a_volume_grows_but_is_never_replaced(found: list[Volume], op: Op) -> None:
    assert VolumeKind().judge(VolumeWanted("v", 2), bench(volumes=found)).op is op


def test_an_attachment_is_kept_at_the_right_server_only() -> None:
    attached = volume(attachments=(Attachment(volume_id="id-v", server_id="id-n", device="/dev/vdb"),))
    kind, wanted = AttachmentKind(), AttachmentWanted("v", "n")
    assert kind.judge(wanted, bench(servers=[server()], volumes=[attached])).op is Op.KEEP
    assert kind.judge(wanted, bench(servers=[server(id="new")], volumes=[attached])).op is Op.CREATE


def test_a_bucket_of_others_is_never_used() -> None:
    kind, wanted = BucketKind(), BucketWanted("b")
    assert kind.judge(wanted, bench()).op is Op.CREATE
    assert kind.judge(wanted, bench(buckets=[Bucket(id="b", name="b", mark=MINE)])).op is Op.KEEP
    with pytest.raises(NotOurs):
        kind.judge(wanted, bench(buckets=[Bucket(id="b", name="b")]))


def test_a_bucket_that_is_listed_without_its_mark_is_asked_for_it() -> None:
    at = bench(buckets=[Bucket(id="b", name="b")])
    at.cloud = cast(Cloud, Place({"b": MINE}))
    assert BucketKind().judge(BucketWanted("b"), at).op is Op.KEEP


def test_a_credential_of_the_lab_is_reused() -> None:
    mine = credential()
    kind, wanted = CredentialKind(), CredentialWanted()
    assert kind.judge(wanted, bench(credentials=[mine])).op is Op.KEEP
    assert kind.judge(wanted, bench(credentials=[credential(mark=LABS)])).op is Op.CREATE


def test_a_key_pair_is_judged_by_its_key() -> None:
    kind, wanted = KeypairKind(), KeypairWanted("k")
    same = Keypair(id="k", name="k", mark=MINE, public_key="ssh-ed25519 AAAA")
    assert kind.judge(wanted, bench(keypairs=[same])).op is Op.KEEP
    assert kind.judge(wanted, bench(keypairs=[replace(same, public_key="ssh-ed25519 BBBB")])).op is Op.REPLACE
    with pytest.raises(NotOurs):
        kind.judge(wanted, bench(keypairs=[replace(same, public_key="ssh-ed25519 BBBB", mark=None)]))


def test_marks_survive_text_and_metadata() -> None:
    assert Mark.from_text(f"opened by hand {MINE.as_text()} since May") == MINE
    assert Mark.from_metadata({"Chiops-Lab": "my-lab", "CHIOPS-OWNER": "me"}) == LABS
    assert Mark.from_text("a=b chiops-lab=x") is None
