"""A lab of which a part can't be seen: `status` shows the rest and claims nothing about it, `down` takes the rest and no more."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from chiops.cli import status as shown
from chiops.cloud import sites
from chiops.cloud.base import Mark, Server, SiteFacts
from chiops.errors import Auth, ChiopsError, Transient
from chiops.lab import down as downs
from chiops.lab import health, session, status
from chiops.lab.journal import Journal
from chiops.lab.survey import Teardown
from tests.support.memory import SITE, Memory
from tests.unit.lab.labs import ALL, DATA, bring_up, nobody, take_down

PARTS = {
    "leases.list": "leases",
    "compute.keypairs": "key pairs",
    "compute.list": "servers",
    "network.floating_ips": "floating IPs",
    "network.security_groups": "security groups",
    "volumes.list": "volumes",
    "objects.list": "buckets",
    "identity.ec2_credentials": "EC2 credentials",
}


@pytest.fixture
def broken(lab: str, memory: Memory) -> Callable[..., None]:
    """Breaks lists of the site, until it is called without one."""

    def fail(*requests: str) -> None:
        def hook(request: str) -> None:
            if request in requests:
                raise Transient(f"{request} failed", why="HTTP 503", todo="try again")

        memory.hook = hook

    return fail


def text(one: status.LabStatus) -> str:
    out = io.StringIO()
    Console(file=out, width=200, soft_wrap=True, highlight=False).print(shown.screen([one]))
    return out.getvalue()


# Status


@pytest.mark.parametrize(("request_", "noun"), PARTS.items())
def test_status_shows_the_rest_and_claims_nothing_of_what_it_did_not_see(
    broken: Callable[..., None], request_: str, noun: str
) -> None:
    (before,) = status.status(check=False)
    broken(request_)
    (one,) = status.status(check=False)
    kind = {"buckets": "bucket", "servers": "server", "volumes": "volume", "leases": "lease"}.get(noun, "")
    assert {part.name for part in one.parts} == {part.name for part in before.parts if part.kind != kind}
    assert (one.problem, one.drift, one.strays) == ("", (), ())
    assert f"Not read: {noun} ({request_} failed: HTTP 503)." in text(one)


def test_what_the_end_takes_is_not_guessed(broken: Callable[..., None]) -> None:
    broken("compute.list")
    (one,) = status.status(check=False)
    assert "up, as far as can be seen" in text(one)
    assert "the lease lease-x ends; which servers are on it is not known." in text(one)
    broken("volumes.list")
    (one,) = status.status(check=False)
    assert "node-1 and node-2 go." in text(one)


def test_a_key_that_was_not_read_is_not_called_gone(
    broken: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "of_node", lambda *_: health.Health(True))
    broken("identity.ec2_credentials")
    (one,) = status.status()
    assert [part.health for part in one.parts if part.kind == "bucket"] == [""]


# Down


def test_what_an_object_store_that_is_dead_holds_stays_and_nothing_else(
    broken: Callable[..., None], memory: Memory
) -> None:
    broken("objects.list")
    with pytest.raises(ChiopsError) as caught:
        take_down(volume=True)
    assert caught.value.sentence() == (
        "lab is not all down: 9 deleted, but buckets could not be looked at: objects.list failed: HTTP 503. "
        "Run `chiops down lab --purge-volume` again to go on."
    )
    assert caught.value.exit_code == 1
    assert memory.count() == {"bucket": 1, "credential": 1}
    assert [record.phase for record in Journal().labs()] == ["up"]
    assert not any(one.op == "gone" for one in Journal().operations("lab"))
    broken()
    assert [one.key.kind for one in take_down().gone] == ["credential"]
    assert memory.count() == {"bucket": 1}


@pytest.mark.parametrize(
    ("request_", "stay"),
    [
        ("compute.list", {key: ALL[key] for key in ALL if key != "bucket"}),
        ("leases.list", {"lease": 1}),
        ("network.floating_ips", {"floating_ip": 2, "lease": 1}),
        ("network.security_groups", {"security_group": 1}),
        ("compute.keypairs", {"keypair": 1}),
        ("identity.ec2_credentials", {"credential": 1}),
        ("volumes.list", {"volume": 1}),
    ],
)
def test_what_may_still_be_needed_stays(
    broken: Callable[..., None], memory: Memory, request_: str, stay: dict[str, int]
) -> None:
    broken(request_)
    with pytest.raises(ChiopsError, match=f"{PARTS[request_]} could not be looked at"):
        take_down(volume=True, bucket=True)
    assert memory.count() == stay
    broken()
    take_down(volume=True, bucket=True)
    assert memory.count() == {}
    assert Journal().labs() == []


def test_a_lease_with_others_servers_is_safe_while_nobody_sees_them(
    broken: Callable[..., None], memory: Memory
) -> None:
    lease = memory.find("lease", "lease-x")
    memory.of("server")["t"] = Server(id="t", name="theirs", mark=Mark("lab", "somebody"), lease_id=lease.id)
    broken("compute.list")
    with pytest.raises(ChiopsError):
        take_down()
    assert memory.count()["server"] == 3


def test_a_server_whose_volume_is_not_seen_keeps_it(broken: Callable[..., None], memory: Memory) -> None:
    volume = memory.find("volume", "data")
    memory.change("server", "node-1", volumes=(volume.id,))
    broken("volumes.list")
    shown: list[Teardown] = []
    record = session.pick(Journal(), "lab")
    with pytest.raises(ChiopsError, match="volumes could not be looked at"):
        downs.down(record, shown.append, nobody)
    (asked,) = shown
    assert [one.key.name for one in asked.go] == ["node-2"]
    assert ("node-1", "waits: volumes could not be looked at") in {(one.key.name, one.detail) for one in asked.stay}
    assert [server.name for server in memory.of("server").values()] == ["node-1"]
    assert memory.find("volume", "data").attachments
    assert (memory.count()["lease"], memory.count()["credential"]) == (1, 1)


@pytest.mark.parametrize("connects", [True, False])
def test_an_object_site_that_does_not_answer_keeps_only_what_is_there(
    lab: str, memory: Memory, monkeypatch: pytest.MonkeyPatch, connects: bool
) -> None:
    for kind in ("bucket", "credential"):
        memory.of(kind).clear()

    def dead(request: str) -> None:
        raise Auth(f"{request}: not signed in", todo="sign in")

    def connect(name: str) -> Memory:
        if name == SITE:
            return memory
        if not connects:
            dead("connect")
        return Memory(site="elsewhere", hook=dead)

    monkeypatch.setattr(sites, "site", lambda name: SiteFacts(name=name, cloud="openstack", object_site="elsewhere"))
    monkeypatch.setattr(sites, "connect", connect)
    (one,) = status.status(check=False)
    assert set(one.unread) == {"buckets", "credentials"}
    assert "Not read: EC2 credentials, buckets" in text(one)
    assert {part.kind for part in one.parts} == {"lease", "server", "volume"}
    with pytest.raises(ChiopsError, match="EC2 credentials, buckets could not be looked at"):
        take_down()
    assert memory.count() == {"volume": 1}
    with pytest.raises(Auth):
        bring_up(lab)
    assert memory.count() == {"volume": 1}


def test_up_makes_nothing_while_something_can_not_be_listed(
    lab: str, broken: Callable[..., None], memory: Memory
) -> None:
    take_down()
    broken("compute.list")
    with pytest.raises(Transient):
        bring_up(lab)
    assert memory.count() == DATA
