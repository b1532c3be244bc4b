"""What is the lab's and not in its file: named with the command that removes just that, and left alone by `up`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from chiops.cli import common
from chiops.cli.main import app
from chiops.cloud.base import (
    Bucket,
    Cloud,
    Identity,
    Keypair,
    Lease,
    Mark,
    Resource,
    SecurityGroup,
    Server,
    SiteFacts,
    State,
    Volume,
)
from chiops.lab import doctor, release, status, up
from chiops.lab.places import Places
from chiops.lab.strays import strays
from chiops.lab.wanted import KINDS, Key
from chiops.ops import attachments, buckets, resolve, shell
from chiops.output import Format
from chiops.resources.kind import Seen, Workbench
from chiops.s3.purge import Purged
from tests.support.memory import SITE, Memory
from tests.unit.lab.labs import LAB, bring_up, take_down, write

MINE, OURS, THEIRS = Mark("lab", "me"), Mark("other-lab", "me"), Mark("lab", "somebody")
WEB = "  - {name: web, rules: [{port: 80}]}\n"
FULL = LAB.replace("servers:\n", f"{WEB}servers:\n")
NODE_2 = "  - {name: node-2, flavor: m1.tiny, security_groups: [ssh]}\n"
DATA = "volumes:\n  - {name: data, size_gib: 2, server: node-1, mount: /mnt/block}\n"
KEPT = "boot_volume: {size_gib: 10, delete_on_termination: false}"


@pytest.fixture
def lab(memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The lab, up; its nodes let go of what they are asked to."""
    monkeypatch.setattr(release, "_answering", lambda _: [])
    monkeypatch.setattr(shell, "flush", lambda *_: None)
    monkeypatch.setattr(attachments, "_let_go", lambda *_: None)
    monkeypatch.setattr(buckets, "purge_bucket", lambda *_: Purged())
    path = write(tmp_path, FULL)
    bring_up(path)
    return path


@pytest.fixture
def chiops(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What a command prints on stdout, having ended well."""
    for name, default in vars(common.Options()).items():
        monkeypatch.setattr(common.options, name, default)

    def run(*arguments: str) -> str:
        common.options.output = Format.TABLE
        done = CliRunner().invoke(app, [*arguments, "--yes"])
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


def told(lab: str) -> list[str]:
    return [str(one) for one in up.plan(lab, {}, SITE).strays]


def cut(lab: str, *parts: str) -> None:
    """Take lines out of the lab's file."""
    text = FULL
    for part in parts:
        assert part in text
        text = text.replace(part, "")
    Path(lab).write_text(text)


def test_a_lab_as_its_file_says_has_none(lab: str) -> None:
    assert told(lab) == []
    assert bring_up(lab).strays == ()


CUTS = {
    "a server": (
        [NODE_2],
        [("server", "node-2", "server delete node-2"), ("floating IP", "192.0.2.", "fip delete 192.0.2.")],
    ),
    "a group": ([WEB], [("security group", "web", "secgroup delete web")]),
    "a volume": ([DATA], [("volume", "data", "volume detach data --site memory && chiops volume delete data")]),
    "where a volume goes": ([", server: node-1, mount: /mnt/block"], [("attachment", "data", "volume detach data")]),
    "a bucket": (
        ["buckets:\n  - {name: bucket-x}\n"],
        [
            ("bucket", "bucket-x", "bucket delete bucket-x --site memory --purge"),
            ("EC2 credential", "", "creds revoke "),
        ],
    ),
    "a lease and all on it": (
        [
            "lease: {name: lease-x, duration: 4h}\n",
            "servers:\n  - {name: node-1, flavor: m1.tiny, security_groups: [ssh]}\n" + NODE_2,
            DATA,
        ],
        [
            ("server", "node-1", "server delete node-1"),
            ("server", "node-2", "server delete node-2"),
            ("floating IP", "192.0.2.", "fip delete 192.0.2."),
            ("floating IP", "192.0.2.", "fip delete 192.0.2."),
            ("key pair", "chiops-lab", "keypair delete chiops-lab"),
            ("lease", "lease-x", "lease delete lease-x"),
            ("volume", "data", "volume delete data"),
        ],
    ),
}


@pytest.mark.parametrize("case", CUTS)
def test_what_is_taken_out_of_the_file_is_named_with_what_removes_it(
    case: str, lab: str, memory: Memory, chiops: Callable[..., str]
) -> None:
    parts, expected = CUTS[case]
    cut(lab, *parts)
    plan = up.plan(lab, {}, SITE)
    assert [(one.kind, one.site) for one in plan.strays] == [(kind, SITE) for kind, *_ in expected]
    for one, (_, name, command) in zip(plan.strays, expected, strict=True):
        assert one.name.startswith(name)
        assert one.command.startswith(f"chiops {command}")
        assert "--site memory" in one.command
        assert str(one).endswith(f"not in the lab's file; `{one.command}` removes it")
    there = memory.count()
    bring_up(lab)
    assert memory.count() == there
    for one in plan.strays:
        for command in one.command.split(" && "):
            chiops(*shlex.split(command)[1:])
    after = up.plan(lab, {}, SITE)
    assert (after.strays, after.changes) == ((), [])


def test_they_are_no_change_and_are_told_by_plan_up_and_status(
    lab: str, chiops: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cut(lab, WEB)
    line = "security group web: not in the lab's file; `chiops secgroup delete web --site memory` removes it."
    assert f"Nothing to change.\n  {line}" in chiops("plan", lab)
    planned = json.loads(chiops("plan", lab, "-o", "json"))
    assert (planned["changes"], planned["drift"]) == (0, [])
    assert planned["strays"] == [
        {
            "kind": "security group",
            "name": "web",
            "site": "memory",
            "detail": "",
            "command": "chiops secgroup delete web --site memory",
        }
    ]
    assert line in chiops("up", lab, "--no-configure")
    (one,) = status.status(check=False)
    assert one.drift == ()
    assert [str(stray) for stray in one.strays] == [line.removesuffix(".")]
    monkeypatch.setattr(status, "status", lambda *_, **__: [one])
    assert line in chiops("status")


def test_they_are_told_by_doctor_and_adopt(
    lab: str, chiops: Callable[..., str], state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut(lab, WEB)
    monkeypatch.setattr(doctor, "_nodes", lambda *_: [])
    (found,) = [one for one in doctor.diagnose(SITE, lab) if one.name == "lab: file"]
    assert (found.verdict, found.detail) == ("warning", "security group web: not in the lab's file")
    assert found.todo == "`chiops secgroup delete web --site memory` removes it"
    (state / "chiops.db").unlink()
    assert f"  {found.detail}; {found.todo}." in chiops("adopt", lab, "--site", SITE)
    (state / "chiops.db").unlink()
    assert [one["name"] for one in json.loads(chiops("adopt", lab, "--site", SITE, "-o", "json"))["strays"]] == ["web"]


def test_up_leaves_them_and_down_takes_them_with_the_rest(lab: str, memory: Memory) -> None:
    cut(lab, NODE_2, DATA, WEB)
    there = memory.count()
    assert {one.name for one in bring_up(lab).strays} >= {"node-2", "data", "web"}
    assert memory.count() == there
    take_down(volume=True, bucket=True)
    assert memory.count() == {}


def test_looking_for_them_asks_nothing_more(lab: str, memory: Memory) -> None:
    before = len(memory.requests)
    up.plan(lab, {}, SITE)
    as_it_says = len(memory.requests) - before
    cut(lab, NODE_2, DATA, WEB)
    before = len(memory.requests)
    assert up.plan(lab, {}, SITE).strays
    assert len(memory.requests) - before == as_it_says


def test_what_a_single_command_made_for_the_lab_is_named(lab: str, memory: Memory) -> None:
    memory.volumes.create("extra", size_gib=5, mark=MINE)
    for mark in (Mark("none", "me"), OURS, THEIRS):
        memory.volumes.create(f"of {mark}", size_gib=5, mark=mark)
    assert told(lab) == [
        "volume extra (5 GiB): not in the lab's file; `chiops volume delete extra --site memory` removes it"
    ]


def test_a_renamed_lease_says_which_servers_it_would_take_along(lab: str) -> None:
    Path(lab).write_text(FULL.replace("lease-x", "lease-y"))
    (line,) = told(lab)
    assert line.startswith("lease lease-x (ends in 3 h ")
    assert "takes node-1, node-2 along)" in line


@pytest.mark.parametrize(
    "over", [{"state": State.ENDED}, {"state": State.DELETING}, {"end": datetime.now(UTC) - timedelta(minutes=1)}]
)
def test_a_lease_that_is_over_is_not_named(over: dict[str, object], lab: str, memory: Memory) -> None:
    found = memory.find("lease", "lease-x")
    memory.of("lease")["old"] = replace(found, id="old", name="lease-before", **over)
    assert told(lab) == []


def test_spare_addresses_are_named_as_far_as_up_does_not_take_them(lab: str, memory: Memory) -> None:
    spare = memory.network.create_floating_ip(mark=MINE)
    assert told(lab) == [
        f"floating IP {spare.address}: not in the lab's file; `chiops fip delete {spare.address} --site memory` removes it"
    ]
    memory.drop("floating_ip", next(one.name for one in memory.of("floating_ip").values() if one.server_id))
    assert told(lab) == []
    bring_up(lab)
    assert told(lab) == []
    assert memory.of("floating_ip")[spare.id].server_id


def test_a_server_that_is_made_anew_keeps_its_address(lab: str, memory: Memory) -> None:
    memory.change("server", "node-2", state=State.FAILED, status="ERROR", has_run=False)
    assert told(lab) == []


def test_a_second_address_of_a_server_and_one_that_leads_elsewhere_are_named(lab: str, memory: Memory) -> None:
    second = memory.network.create_floating_ip(mark=MINE)
    memory.network.bind_floating_ip(second.id, memory.find("server", "node-1").id)
    assert [line.partition(":")[0] for line in told(lab)] == [f"floating IP {second.address} (leads to node-1)"]
    memory.of("server")["t"] = Server(id="t", name="theirs", mark=THEIRS)
    memory.network.bind_floating_ip(second.id, "t")
    assert [line.partition(":")[0] for line in told(lab)] == [f"floating IP {second.address} (leads to theirs)"]


def test_an_address_of_a_server_that_is_not_shown_is_not_judged(lab: str, memory: Memory) -> None:
    memory.change("floating_ip", memory.network.create_floating_ip(mark=MINE).name, server_id="hidden")
    assert told(lab) == []


def test_a_server_whose_address_the_file_no_longer_wants(lab: str, memory: Memory) -> None:
    Path(lab).write_text(FULL.replace("name: node-2,", "name: node-2, floating_ip: false,"))
    (line,) = told(lab)
    assert "(leads to node-2)" in line


def test_a_volume_that_a_server_boots_from_is_named_only_without_the_server(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "_answering", lambda _: [])
    from_volume = FULL.replace("name: node-2,", f"name: node-2, {KEPT},")
    path = write(tmp_path, from_volume)
    bring_up(path)
    assert told(path) == []
    write(tmp_path, from_volume.replace(f"{KEPT}, ", ""))
    assert told(path) == []
    assert [one.field for one in up.plan(path, {}, SITE).drift()] == ["root disk"]
    cut(path, NODE_2)
    server, _, volume = up.plan(path, {}, SITE).strays
    assert (server.name, volume.name) == ("node-2", "boot-node-2")
    assert volume.command == "chiops volume delete boot-node-2 --site memory"


def test_a_volume_that_goes_with_its_server_is_the_servers(memory: Memory, tmp_path: Path) -> None:
    path = write(tmp_path, FULL.replace("name: node-2,", "name: node-2, boot_volume: {size_gib: 10},"))
    bring_up(path)
    assert told(path) == []
    cut(path, NODE_2)
    assert [one.kind for one in up.plan(path, {}, SITE).strays] == ["server", "floating IP"]


def test_the_second_of_a_name_is_named_by_its_id(lab: str, memory: Memory) -> None:
    second = memory.volumes.create("data", size_gib=2, mark=MINE)
    (one,) = up.plan(lab, {}, SITE).strays
    assert one.command == f"chiops volume delete {second.id} --site memory"


def test_the_labs_key_is_wanted_as_long_as_a_bucket_is(lab: str, memory: Memory) -> None:
    memory.identity.create_ec2_credential(mark=MINE)
    assert told(lab) == []


NAMES = st.one_of(st.sampled_from(["a", "b", "-x", "two words", "$(x)", "it's", ""]), st.text(max_size=8))
MARKS = st.sampled_from([MINE, OURS, THEIRS, None])
LEASED = {"start": datetime.now(UTC), "end": datetime.now(UTC) + timedelta(days=1)}
MADE: dict[str, tuple[str, Callable[..., Resource]]] = {
    "server": ("servers", Server),
    "volume": ("volumes", lambda **values: Volume(size_gib=1, **values)),
    "security_group": ("security_groups", SecurityGroup),
    "lease": ("leases", lambda **values: Lease(**LEASED, **values)),
    "keypair": ("keypairs", Keypair),
    "bucket": ("buckets", Bucket),
}
KEYS = st.tuples(st.sampled_from(sorted(MADE)), NAMES)


@given(st.lists(st.tuples(KEYS, MARKS), max_size=12), st.lists(KEYS, max_size=6))
def test_each_command_means_one_resource_of_the_lab_whatever_it_is_called(
    there: list[tuple[tuple[str, str], Mark | None]], wanted: list[tuple[str, str]]
) -> None:
    listed: dict[str, list[Any]] = {part: [] for part, _ in MADE.values()}
    for number, ((kind, name), mark) in enumerate(there):
        part, make = MADE[kind]
        listed[part].append(make(id=f"id-{number}", name=name, mark=mark))
    seen = Seen(Identity("me", "me", "p", "p"), **cast(Any, listed))
    facts = SiteFacts(name="A site", cloud="openstack")
    places = SimpleNamespace(objects=SimpleNamespace(site="A site"), compute_facts=facts)
    bench = Workbench(cast(Cloud, None), facts, MINE, seen)
    found = strays([Key(*key) for key in wanted], cast(Places, places), {"A site": bench})
    meant = []
    for one in found:
        kind = next(key for key, value in KINDS.items() if value.noun == one.kind)
        _, _, _, word, option, site, *_ = shlex.split(one.command)
        assert (option, site) == ("--site", "A site")
        assert not word.startswith("-")
        meant.append(resolve.one(listed[MADE[kind][0]], word, one.kind, "A site").id)
    marked = [it for items in listed.values() for it in items if it.mark == MINE]
    left = {it.id for it in marked} - set(meant)
    kept = {Key(kind, it.name) for kind, (part, _) in MADE.items() for it in listed[part] if it.id in left}
    assert len(meant) == len(set(meant))
    assert set(meant) <= {it.id for it in marked}
    assert len(kept) == len(left)
    assert kept <= {Key(*key) for key in wanted}
