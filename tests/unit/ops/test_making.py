"""What is made, what is taken as it is, and what is refused before a request is sent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chiops.cloud.base import (
    Attachment,
    BootVolume,
    Flavor,
    Keypair,
    Reservation,
    ReservationRequest,
    Rule,
    S3Endpoint,
    SiteFacts,
    State,
    Volume,
)
from chiops.errors import Ambiguous, Conflict, Declined, NotFound, NotOurs, Policy, UsageError
from chiops.ops import booking, booting, credentials, leases, placing, serving
from chiops.ops.serving import ServerPlan
from tests.unit.ops.site import (
    LABS,
    MINE,
    NOW,
    THEIRS,
    Touched,
    credential,
    desk,
    group,
    lease,
    server,
)

SMALL = ReservationRequest(kind="flavor:instance", flavor="m1.small")
END = NOW + timedelta(hours=4)


def test_a_lease_of_ours_that_books_the_same_is_taken_as_it_is() -> None:
    booked = leases.create(desk(leases_=[lease()]), "l", [SMALL], end=END)
    assert (booked.lease.id, booked.new) == ("id-l", False)


def test_a_flavors_id_books_the_same_as_its_name() -> None:
    by_id = ReservationRequest(kind="flavor:instance", flavor="1")
    assert not leases.create(desk(leases_=[lease()]), "l", [by_id], end=END).new


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (lease(mark=THEIRS), "of someone else"),
        (lease(state=State.FAILED, status="ERROR", fault="no hosts"), "is in ERROR: no hosts"),
        (lease(mark=LABS), "exists already, in the lab my-lab"),
        (
            lease(reservations=(Reservation(id="r", kind="flavor:instance", status="active", flavor_name="m1.large"),)),
            "m1.large",
        ),
    ],
)
def test_a_name_that_stands_for_another_lease_is_refused(there: Any, told: str) -> None:
    with pytest.raises(Conflict, match=told):
        leases.create(desk(leases_=[there]), "l", [SMALL], end=END)


def hosts(properties: str) -> Any:
    host = Reservation(id="h", kind="physical:host", status="active", resource_properties=properties)
    return desk(leases_=[lease(reservations=(host,))])


@pytest.mark.parametrize(
    ("booked", "told"),
    [
        ('["==", "$node_type", "gpu_rtx_6000"]', "exists and books 1 × host of type gpu_rtx_6000"),
        ('["=", "$uid", "1"]', r'exists and books 1 × host with \["=", "\$uid", "1"\]'),
        ("no filter", "exists and books 1 × host with no filter"),
    ],
)
def test_a_lease_of_other_hosts_is_not_taken_for_the_one_asked_for(booked: str, told: str) -> None:
    with pytest.raises(Conflict, match=told):
        leases.create(hosts(booked), "l", booking.reservations([], 1, "compute_skylake"), end=END)


@pytest.mark.parametrize(
    "booked", ['["==", "$node_type", "compute_skylake"]', '["=","$node_type","compute_skylake"]', ""]
)
def test_a_lease_of_the_same_hosts_is_taken_as_it_is_however_the_site_writes_it(booked: str) -> None:
    assert not leases.create(hosts(booked), "l", booking.reservations([], 1, "compute_skylake"), end=END).new


def test_an_ended_lease_does_not_hold_its_name() -> None:
    with pytest.raises(Touched):
        leases.create(desk(leases_=[lease(state=State.ENDED, status="TERMINATED")]), "l", [SMALL], end=END)


def test_a_lease_too_long_for_the_site_is_never_asked_for() -> None:
    facts = SiteFacts(name="somewhere", cloud="openstack", max_lease_days=7)
    with pytest.raises(Policy, match="at most 7 days"):
        leases.create(desk(facts=facts), "l", [SMALL], end=NOW + timedelta(days=8))


def test_an_unknown_flavor_is_never_asked_for() -> None:
    with pytest.raises(NotFound, match=r"m1\.small"):
        leases.create(desk(), "l", [ReservationRequest(kind="flavor:instance", flavor="m1.smal")], end=END)


def plan(**changes: Any) -> ServerPlan:
    return ServerPlan(**{"name": "n", "lease": "l", **changes})


def place(plan_: ServerPlan, **shown: Any) -> placing.Place:
    at = desk(**{"leases_": [lease()], **shown})
    return placing.find_place(at, at.look("leases", "flavors"), plan_.flavor, plan_.lease)


def test_the_flavor_is_the_one_that_the_lease_books() -> None:
    found = place(plan())
    assert (found.flavor.name, found.flavor_id, found.reservation and found.reservation.id) == ("m1.small", "r", "r")


def test_a_reserved_host_takes_the_bare_metal_flavor() -> None:
    host = Reservation(id="h", kind="physical:host", status="active")
    bare = Flavor(id="bm", name="baremetal", vcpus=48, ram_mib=1, disk_gib=1)
    found = place(plan(), leases_=[lease(reservations=(host,))], flavors=[bare])
    assert (found.flavor_id, found.reservation and found.reservation.id) == ("bm", "h")


def test_two_flavors_have_to_be_told_apart() -> None:
    both = tuple(
        Reservation(id=name, kind="flavor:instance", status="active", flavor_id=name, flavor_name=name)
        for name in ("m1.small", "m1.large")
    )
    with pytest.raises(UsageError, match="one with --flavor"):
        place(plan(), leases_=[lease(reservations=both)])
    assert place(plan(flavor="2"), leases_=[lease(reservations=both)]).flavor_id == "m1.large"


@pytest.mark.parametrize(
    ("plan_", "shown", "error", "told"),
    [
        (plan(lease=""), {}, UsageError, "only on a lease"),
        (plan(lease="ll"), {}, NotFound, "Did you mean 'l'"),
        (plan(flavor="m1.large"), {}, NotFound, "does not book m1.large: it books 1 × m1.small"),
        (plan(), {"leases_": [lease(state=State.PENDING, status="PENDING")]}, Conflict, "is PENDING"),
        (plan(), {"leases_": [lease(), lease(id="2")]}, Ambiguous, "id-l"),
    ],
)
def test_a_place_that_can_not_be_had(plan_: ServerPlan, shown: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        place(plan_, **shown)


def test_a_site_without_leases_takes_a_plain_flavor() -> None:
    at = desk(facts=SiteFacts(name="somewhere", cloud="openstack", needs_lease=False))
    seen = at.look("leases", "flavors")
    assert placing.find_place(at, seen, "m1.large", "").flavor_id == "2"
    with pytest.raises(UsageError, match="no flavor was named"):
        placing.find_place(at, seen, "", "")


def test_a_wait_for_ssh_that_would_never_end_is_refused() -> None:
    at = desk(leases_=[lease()], groups=[group("web", Rule("tcp", 8888, 8888)), group("ssh", Rule("tcp", 1, 100))])
    with pytest.raises(UsageError, match="none of its security groups opens port 22"):
        serving.create(at, plan(wait=True, security_groups=("web",)))
    with pytest.raises(Touched):
        serving.create(at, plan(wait=True, security_groups=("web", "ssh")))


def test_a_wait_for_ssh_with_anothers_key_is_refused() -> None:
    key = Keypair(id="k", name="k", public_key="ssh-ed25519 BBBB elsewhere", mark=MINE)
    at = desk(leases_=[lease()], groups=[group("ssh", Rule("tcp", 22, 22))], keypairs=[key])
    with pytest.raises(UsageError, match="is not this machine's"):
        serving.create(at, plan(wait=True, security_groups=("ssh",), keypair="k"))


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (server(mark=THEIRS), "of someone else"),
        (server(state=State.FAILED, status="ERROR", fault="No valid host"), "is in ERROR: No valid host"),
        (server(lease_id="id-other"), "on another lease"),
        (server(mark=LABS), "in the lab my-lab"),
        (server(flavor="m1.large"), "as m1.large"),
        (server(image="CC-CentOS9"), "from the image CC-CentOS9"),
    ],
)
def test_a_name_that_stands_for_another_server_is_refused(there: Any, told: str) -> None:
    with pytest.raises(Conflict, match=told):
        serving.create(desk(leases_=[lease()], servers=[there]), plan())


SSH_GROUP, WEB_GROUP = group("ssh", Rule("tcp", 22, 22)), group("web", Rule("tcp", 80, 80))
KEYS = [Keypair(id=name, name=name, public_key="ssh-ed25519 BBBB elsewhere", mark=MINE) for name in ("k", "other")]


def root(**changes: Any) -> Volume:
    """What the server n boots from: a volume that goes with it, unless it has a name and a mark."""
    at = (Attachment(volume_id="id-v", server_id="id-n", device="/dev/vda"),)
    return Volume(**{"id": "id-v", "name": "", "size_gib": 60, "bootable": True, "attachments": at, **changes})


KEPT = root(name="boot-n", mark=MINE)


@pytest.mark.parametrize(
    ("there", "volumes", "asked", "told"),
    [
        (
            {"security_groups": ("web",)},
            [],
            {"security_groups": ("ssh",)},
            "already, in the security groups web, which",
        ),
        (
            {"security_groups": ("ssh", "web")},
            [],
            {"security_groups": ("ssh",)},
            "already, in the security groups ssh, web",
        ),
        ({}, [], {"security_groups": ("ssh",)}, "already, in no group, which `chiops secgroup attach`"),
        ({"keypair": "other"}, [], {"keypair": "k"}, "already, with the key pair other"),
        ({"image": "img-1"}, [], {"boot_volume": BootVolume(size_gib=60)}, "already, on a disk of its own"),
        ({}, [root()], {}, "already, on the volume id-v of 60 GiB"),
        ({}, [root()], {"boot_volume": BootVolume(size_gib=40)}, "already, on the volume id-v of 60 GiB"),
        ({}, [KEPT], {"boot_volume": BootVolume(size_gib=60)}, "already, on the volume boot-n of 60 GiB"),
        ({}, [KEPT], {"boot_volume": booting.wanted(0, "another", keep=False)}, "already, on the volume boot-n"),
    ],
)
def test_a_server_that_differs_is_not_taken_for_the_one_asked_for(
    there: dict[str, Any], volumes: list[Volume], asked: dict[str, Any], told: str
) -> None:
    at = desk(
        leases_=[lease()], servers=[server(**there)], volumes_=volumes, groups=[SSH_GROUP, WEB_GROUP], keypairs=KEYS
    )
    with pytest.raises(Conflict, match=f"your server n exists {told}"):
        serving.create(at, plan(**asked))


@pytest.mark.parametrize(
    ("there", "volumes", "asked"),
    [
        ({"security_groups": ("web", "ssh")}, [], {"security_groups": ("ssh", "id-web")}),
        ({"security_groups": ("default",), "keypair": "other"}, [], {}),
        ({"keypair": "k"}, [], {"keypair": "k"}),
        ({}, [root()], {"boot_volume": BootVolume(size_gib=60)}),
        ({}, [KEPT], {"boot_volume": booting.wanted(60, "", keep=True)}),
        ({}, [KEPT], {"boot_volume": booting.wanted(0, "boot-n", keep=False)}),
        ({"volumes": ("not shown",), "image": "img-1"}, [], {"boot_volume": BootVolume(size_gib=60)}),
    ],
)
def test_a_server_that_is_as_asked_for_is_taken(
    there: dict[str, Any], volumes: list[Volume], asked: dict[str, Any]
) -> None:
    at = desk(
        leases_=[lease()], servers=[server(**there)], volumes_=volumes, groups=[SSH_GROUP, WEB_GROUP], keypairs=KEYS
    )
    assert not serving.create(at, plan(**asked))[1]


def test_a_server_of_ours_that_was_begun_is_gone_on_with() -> None:
    shown, new = serving.create(desk(leases_=[lease()], servers=[server(flavor="m1.small", image="img-1")]), plan())
    assert (shown.server.id, shown.lease, new) == ("id-n", "l", False)


def test_the_newest_key_of_ours_is_reused_and_labs_keys_are_their_own() -> None:
    keys = [
        credential("old", created=NOW - timedelta(days=1)),
        credential("new", created=NOW),
        credential("labs", mark=LABS, created=NOW + timedelta(days=1)),
    ]
    assert credentials.create(desk(credentials=keys))[0].access == "new"
    assert credentials.choose(desk(lab="my-lab", credentials=keys), None).access == "labs"
    with pytest.raises(Touched):
        credentials.create(desk(credentials=keys), another=True)


def test_a_key_is_found_by_its_first_characters_if_they_are_enough() -> None:
    at = desk()
    known = [credential("abcdef12"), credential("abcdef34"), credential("ffffffff")]
    assert credentials.find(at, known, "ffff").access == "ffffffff"
    with pytest.raises(Ambiguous, match="abcdef12, abcdef34"):
        credentials.find(at, known, "abcd")
    with pytest.raises(NotFound):
        credentials.find(at, known, "f")


def test_a_boot_volume_is_new_or_was_there_before() -> None:
    assert booting.wanted(0, "", keep=False) is None
    assert booting.wanted(60, "", keep=False) == BootVolume(size_gib=60, delete_on_termination=True)
    assert booting.wanted(60, "", keep=True) == BootVolume(size_gib=60, delete_on_termination=False)
    assert booting.wanted(0, "v", keep=False) == BootVolume(volume_id="v", delete_on_termination=False)
    for size, existing, keep in ((0, "", True), (60, "v", False)):
        with pytest.raises(UsageError):
            booting.wanted(size, existing, keep=keep)


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"mark": THEIRS}, NotOurs, "was not made by your chiops"),
        ({"bootable": False}, Conflict, "can't be booted from"),
        ({"attachments": (Attachment(volume_id="v", server_id="s"),)}, Conflict, "is in use"),
        ({}, Touched, "create_keypair"),
    ],
)
def test_a_volume_is_booted_from_only_if_it_is_ours_and_free(changes: Any, error: type[Exception], told: str) -> None:
    values: dict[str, Any] = {"mark": MINE, "bootable": True, **changes}
    volume = Volume(id="id-v", name="v", size_gib=60, **values)
    boot = booting.wanted(0, "v", keep=False)
    with pytest.raises(error, match=told):
        serving.create(desk(leases_=[lease()], volumes_=[volume]), plan(boot_volume=boot))


@pytest.mark.parametrize(
    ("size", "keep", "there", "touched"),
    [
        (60, False, False, "create_keypair"),  # the cloud makes it with the server
        (60, True, False, "volumes.create"),
        (60, True, True, "create_keypair"),  # the one that was kept is taken
    ],
)
def test_a_volume_that_stays_is_made_by_name_and_mark(size: int, keep: bool, there: bool, touched: str) -> None:
    kept = Volume(id="id-v", name="boot-n", size_gib=60, mark=MINE, bootable=True)
    at = desk(leases_=[lease()], volumes_=[kept] if there else [])
    with pytest.raises(Touched, match=touched):
        serving.create(at, plan(boot_volume=booting.wanted(size, "", keep=keep)))


def test_a_kept_volume_of_another_size_is_not_taken_for_the_one_asked_for() -> None:
    kept = Volume(id="id-v", name="boot-n", size_gib=40, mark=MINE, bootable=True)
    with pytest.raises(Conflict, match="exists and has 40 GiB"):
        serving.create(desk(leases_=[lease()], volumes_=[kept]), plan(boot_volume=booting.wanted(60, "", keep=True)))


@pytest.mark.parametrize(
    ("provider", "told"),
    [
        ("Ceph", "is refused after about five minutes, for which Ceph's gateway remembers keys."),
        ("Other", "from then on."),
    ],
)
def test_revoking_says_from_when_on_a_key_is_refused(provider: str, told: str) -> None:
    questions: list[str] = []

    def no(question: str) -> None:
        questions.append(question)
        raise Declined("no")

    site = desk(credentials=[credential()], endpoint=S3Endpoint("http://192.0.2.1", provider=provider))
    with pytest.raises(Declined):
        credentials.revoke(site, "abcdef", no)
    assert told in questions[0]
