"""Down: what goes and what stays, what had gone before, and that neither takes more than it may or leaves more than it must."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chiops.cloud.base import Mark, SecurityGroup, Server, State, Volume
from chiops.errors import ChiopsError, Conflict, Declined, Interrupted, NotFound, NotOurs, Timeout, Transient
from chiops.lab import down as downs
from chiops.lab import session, teardown
from chiops.lab.journal import Journal
from chiops.lab.survey import Purge, Teardown
from chiops.lab.wanted import Key
from chiops.ops import buckets
from chiops.s3.purge import Purged
from tests.support import memory as memories
from tests.support.memory import ME, Memory
from tests.unit.lab.labs import ALL, DATA, agree, bring_up, nobody, stay_listed, take_down


def test_data_stays_and_goes_only_when_told(lab: str, memory: Memory) -> None:
    done = take_down()
    assert memory.count() == DATA
    assert {one.key for one in done.stayed} == {Key("volume", "data"), Key("bucket", "bucket-x")}
    assert Journal().labs()[0].phase == "kept"
    take_down(volume=True, bucket=True)
    assert memory.count() == {}
    assert Journal().labs() == []


def test_a_lease_that_is_kept_carries_the_next_servers(lab: str, memory: Memory) -> None:
    lease = memory.find("lease", "lease-x")
    done = take_down(keep_lease=True)
    assert Key("lease", "lease-x") in {one.key for one in done.stayed}
    assert memory.count() == {**DATA, "lease": 1}
    bring_up(lab)
    assert memory.count() == ALL
    assert memory.find("server", "node-1").lease_id == lease.id


def test_what_is_in_a_bucket_is_told_before_it_goes(lab: str, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.change("bucket", "bucket-x", objects=1200, size_bytes=5 << 20)
    written = buckets.Written(datetime(2026, 11, 20, 12, tzinfo=UTC))
    monkeypatch.setattr(buckets, "last_change", lambda *_: written)
    asked: list[Teardown] = []

    def no(what: Teardown) -> None:
        asked.append(what)
        raise Declined("nothing was changed")

    record = session.pick(Journal(), "lab")
    with pytest.raises(Declined):
        downs.down(record, no, nobody, Purge(bucket=True))
    (bucket,) = [one for one in asked[0].go if one.key.kind == "bucket"]
    assert bucket.detail.startswith("1,200 objects, 5.0 MiB, last written to 2026-11-20 ")
    assert memory.count() == ALL


def test_a_bucket_is_emptied_with_its_key_before_both_go(
    lab: str, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.change("bucket", "bucket-x", objects=2)
    monkeypatch.setattr(buckets, "last_change", lambda *_: None)

    def purge(*_: object) -> Purged:
        assert memory.of("credential")
        memory.change("bucket", "bucket-x", objects=0)
        return Purged(objects=2)

    monkeypatch.setattr(teardown, "purge_bucket", purge)
    take_down(bucket=True, volume=True)
    assert memory.count() == {}


@pytest.mark.parametrize("now", [None, Mark("x", "somebody"), Mark("another", ME.user_id)])
def test_a_bucket_that_was_made_anew_since_is_not_emptied(
    lab: str, memory: Memory, monkeypatch: pytest.MonkeyPatch, now: Mark | None
) -> None:
    emptied: list[object] = []
    monkeypatch.setattr(teardown, "purge_bucket", lambda *_: emptied.append(1))
    found = memory.find("bucket", "bucket-x")
    listed = replace(found, fault="it was not read")
    monkeypatch.setattr(memories._Objects, "list", lambda _: [listed])
    memory.change("bucket", "bucket-x", mark=now)
    with pytest.raises(NotOurs, match="not the lab's any more"):
        take_down(bucket=True, volume=True)
    assert emptied == []
    assert memory.find("bucket", "bucket-x").mark == now


def test_a_bucket_that_can_be_read_again_goes(lab: str, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teardown, "purge_bucket", lambda *_: None)
    memory.change("bucket", "bucket-x", fault="it was not read")
    take_down(bucket=True, volume=True)
    assert memory.of("bucket") == {}


def test_a_bucket_that_goes_while_it_is_emptied_is_no_error(
    lab: str, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def purge(*_: object) -> Purged:
        memory.drop("bucket", "bucket-x")
        raise NotFound("there is no such bucket")

    monkeypatch.setattr(teardown, "purge_bucket", purge)
    take_down(bucket=True, volume=True)
    assert memory.count() == {}


def test_what_went_by_other_hands_is_a_line(lab: str, memory: Memory) -> None:
    memory.leases.delete(memory.find("lease", "lease-x").id)
    memory.drop("bucket", "bucket-x")
    done = take_down(volume=True)
    assert done.gone_before == (
        Key("bucket", "bucket-x"), Key("lease", "lease-x"), Key("server", "node-1"), Key("server", "node-2"),
    )  # fmt: skip
    assert memory.count() == {}
    bring_up(lab)
    assert take_down(volume=True, bucket=True).gone_before == ()


def test_a_lease_that_has_ended_is_told_and_goes(lab: str, memory: Memory) -> None:
    past = datetime.now(UTC) - timedelta(hours=1)
    memory.change("lease", "lease-x", state=State.ENDED, status="TERMINATED", end=past)
    (lease,) = [one for one in take_down().gone if one.key.kind == "lease"]
    assert lease.detail == "has ended by itself"


def test_down_after_down_is_no_error(lab: str, memory: Memory) -> None:
    take_down()
    before = len(memory.requests)
    again = take_down()
    assert (again.gone, again.gone_before) == ((), ())
    assert (
        len(memory.requests) - before == 10
    )  # nine lists and the bucket that stays: what nothing went from is not verified


def test_what_others_use_or_made_stays(lab: str, memory: Memory) -> None:
    memory.of("server")["t"] = Server(id="t", name="theirs", mark=Mark("lab", "somebody"), security_groups=("ssh",))
    memory.of("security_group")["u"] = SecurityGroup(id="u", name="unmarked")
    memory.of("volume")["v"] = Volume(id="v", name="other-lab's", size_gib=1, mark=Mark("other", "me"))
    done = take_down(volume=True, bucket=True)
    assert memory.count() == {"server": 1, "security_group": 2, "volume": 1}
    (stayed,) = done.stayed
    assert (stayed.key.name, stayed.detail) == ("ssh", "used by theirs")


def test_an_address_that_leads_to_a_server_of_others_stays(lab: str, memory: Memory) -> None:
    at_1, at_2 = (
        next(ip for ip in memory.of("floating_ip").values() if ip.server_id == memory.find("server", name).id)
        for name in ("node-1", "node-2")
    )
    memory.of("server")["t"] = Server(id="t", name="theirs", mark=Mark("other", "me"))
    memory.change("floating_ip", at_1.name, server_id="t")
    memory.change("floating_ip", at_2.name, server_id="")
    done = take_down(volume=True, bucket=True)
    assert memory.of("floating_ip") == {at_1.id: replace(at_1, server_id="t")}
    assert [(one.key.name, one.detail) for one in done.stayed] == [(at_1.address, "used by theirs")]
    memory.drop("server", "theirs")
    memory.change("floating_ip", at_1.name, server_id="")
    take_down()
    assert memory.count() == {}


def test_one_that_does_not_go_stops_only_what_needs_it(lab: str, memory: Memory) -> None:
    def stuck(request: str) -> None:
        if request == "network.delete_floating_ip":
            raise Conflict("the address is stuck")

    memory.hook = stuck
    with pytest.raises(Conflict, match="the address is stuck"):
        take_down(volume=True, bucket=True)
    assert memory.count() == {"floating_ip": 2, "lease": 1}
    memory.hook = lambda _: None
    take_down(volume=True, bucket=True)
    assert memory.count() == {}


def test_what_a_list_still_shows_is_waited_for_and_then_told(
    lab: str, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teardown, "LISTED_TIMEOUT_S", 0.0)
    stay_listed(memory)
    with pytest.raises(
        ChiopsError, match=r"deleted, and still there: key pair chiops-lab. Run `chiops down lab --keep-lease` again"
    ):
        take_down(keep_lease=True)
    memory.after = lambda _: None
    take_down()
    assert memory.count() == DATA


def test_what_can_not_be_looked_at_again_is_not_called_still_there(
    lab: str, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teardown, "LISTED_TIMEOUT_S", 0.0)

    def busy(request: str) -> None:
        if request == "compute.keypairs" and "compute.delete_keypair" in memory.requests:
            raise Transient("Nova is busy")

    memory.hook = busy
    with pytest.raises(Timeout, match="all being gone did not happen within 0 s: Nova is busy"):
        take_down()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({}, ""),
        ({"keep_lease": True}, " --keep-lease"),
        ({"bucket": True, "volume": True}, " --purge-bucket --purge-volume"),
    ],
)
def test_what_ctrl_c_names_to_go_on_takes_and_leaves_the_same(
    lab: str, memory: Memory, flags: dict[str, bool], words: str
) -> None:
    def press(request: str) -> None:
        if request == "compute.delete":
            raise KeyboardInterrupt

    memory.after = press
    with pytest.raises(Interrupted, match=f"`chiops down lab{words}` goes on, `chiops up lab` brings it back"):
        take_down(**flags)


def test_a_mark_of_another_owner_is_never_ours(lab: str, memory: Memory) -> None:
    for name in ("node-1", "node-2"):
        memory.change("server", name, mark=replace(memory.find("server", name).mark, owner="somebody"))
    done = downs.down(session.pick(Journal(), "lab"), agree, nobody)
    assert not [one for one in done.gone if one.key.kind == "server"]
    assert len(memory.of("server")) == 2
    # The lease would take them along.
    assert "used by node-1, node-2" in {one.detail for one in done.stayed if one.key.kind == "lease"}
