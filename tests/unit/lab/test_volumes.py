"""Volumes on nodes, as the control side sees them: what is asked of the playbooks, and what follows from their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from chiops.cloud.base import Attachment, Cloud, Identity, Mark, Node, Server, SiteFacts, State, Volume
from chiops.errors import Declined, LabFileError, RemoteFailed
from chiops.lab import release, volumes
from chiops.lab.configure import _wanted, fingerprint
from chiops.lab.loader import parse
from chiops.lab.volumes import InUse
from chiops.remote import ansible, ready
from chiops.remote.ssh import Ssh
from chiops.resources.booting import is_root_disk
from chiops.resources.kind import Seen, Workbench

MARK = Mark("lab", "me")
LAB = """\
version: 1
name: lab
servers: [{name: node, flavor: m1.tiny}]
volumes: [{name: data, size_gib: 2, server: node, mount: /mnt/block}]
"""


def node(name: str = "node") -> Node:
    return Node(name=name, address="", user="cc", key_file=Path("k"), known_hosts=Path("h"), server_id=f"id-{name}")


def volume(name: str = "data", **changes: Any) -> Volume:
    return Volume(id=f"id-{name}", name=name, mark=MARK, size_gib=changes.pop("size_gib", 2), **changes)


@dataclass
class Plays:
    """Stands in for Ansible: remembers what it was asked, and tells that these volumes are in use until they are ended."""

    used: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    failure: RemoteFailed | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)

    def __call__(
        self, name: str, nodes: Sequence[Node], *, variables: Mapping[str, Any], **_: object
    ) -> ansible.PlaybookRun:
        self.asked.append({"name": name, "nodes": [one.name for one in nodes], **variables})
        if self.failure:
            raise self.failure
        users = {
            on: {id_: [{"text": text} for text in texts] for id_, texts in listed.items()}
            for on, listed in self.used.items()
        }
        return ansible.PlaybookRun((name,), {}, 0.0, Path(), {"volume_users": users})


@pytest.fixture
def plays(monkeypatch: pytest.MonkeyPatch) -> Plays:
    plays = Plays()
    monkeypatch.setattr(ansible, "run_playbook", plays)
    return plays


def test_what_is_in_use_is_told_with_who_uses_it(plays: Plays) -> None:
    plays.used = {"node": {"id-data": ["tail (process 1 of cc)", "container jupyter"], "id-other": []}}
    (held,) = volumes.unmount({node(): [volume(), volume("other")]})
    assert str(held) == "data on node is in use by tail (process 1 of cc), container jupyter"
    assert plays.asked[0]["volume_ids"] == {"node": ["id-data", "id-other"]}
    assert plays.asked[0]["volume_if_used"] == "report"


@pytest.mark.parametrize(
    ("device", "root"), [("/dev/vda", True), ("/dev/sda", True), ("/dev/vdb", False), ("vda", True), ("", False)]
)
def test_the_disk_that_a_server_boots_from_is_known(device: str, root: bool) -> None:
    assert is_root_disk(Attachment(volume_id="v", server_id="s", device=device)) is root


def bench(*servers: Server, listed: Sequence[Volume] = ()) -> Workbench:
    seen = Seen(me=Identity("me", "", "", ""), servers=servers, volumes=listed or [volume()])
    return Workbench(cast(Cloud, None), SiteFacts(name="x", cloud="local"), MARK, seen)


def server(name: str = "node", state: State = State.READY, status: str = "") -> Server:
    return Server(id=f"id-{name}", name=name, mark=MARK, state=state, status=status)


AT = Attachment(volume_id="id-data", server_id="id-node", device="/dev/vdb")


def fail(_: Sequence[InUse]) -> None:
    raise AssertionError("nobody is to be asked")


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(Ssh, "run", lambda *_, **__: None)
    monkeypatch.setattr(ready, "knock", lambda _: None)


@pytest.mark.usefixtures("answering")
def test_what_nobody_uses_is_unmounted_without_a_question(plays: Plays) -> None:
    assert release.release([AT], bench(server()), fail) == []
    assert [one["volume_if_used"] for one in plays.asked] == ["report"]


@pytest.mark.usefixtures("answering")
def test_users_are_ended_after_a_yes(plays: Plays) -> None:
    plays.used = {"node": {"id-data": ["tail (process 1 of cc)"]}}
    told: list[InUse] = []
    assert release.release([AT], bench(server()), told.extend) == []
    assert told == [InUse("data", "node", ("tail (process 1 of cc)",))]
    assert [one["volume_if_used"] for one in plays.asked] == ["report", "end"]


@pytest.mark.usefixtures("answering")
def test_a_no_changes_nothing(plays: Plays) -> None:
    plays.used = {"node": {"id-data": ["tail (process 1 of cc)"]}}

    def no(_: Sequence[InUse]) -> None:
        raise Declined("nothing was changed")

    with pytest.raises(Declined):
        release.release([AT], bench(server()), no)
    assert [one["volume_if_used"] for one in plays.asked] == ["report"]


@pytest.mark.usefixtures("answering")
def test_what_could_not_be_unmounted_is_not_to_be_detached(plays: Plays) -> None:
    plays.failure = RemoteFailed("it is held")
    assert release.release([AT], bench(server()), fail) == [AT]


@pytest.mark.usefixtures("answering")
@pytest.mark.parametrize(
    ("status", "kept"), [("PAUSED", [AT]), ("SUSPENDED", [AT]), ("RESCUE", [AT]), ("SHUTOFF", []), ("ERROR", [])]
)
def test_a_server_that_stands_still_has_its_volumes_mounted_and_one_that_is_shut_off_has_not(
    plays: Plays, status: str, kept: list[Attachment]
) -> None:
    assert release.release([AT], bench(server(state=State.STOPPED, status=status)), fail) == kept
    assert plays.asked == []


def test_a_node_that_does_not_answer_keeps_its_volume_until_it_goes(
    plays: Plays, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def silent(self: Ssh, *_: object, **__: object) -> None:
        if self.node.name == "silent":
            raise RemoteFailed("no route")

    monkeypatch.setattr(Ssh, "run", silent)
    monkeypatch.setattr(ready, "knock", lambda _: None)
    other = Attachment(volume_id="id-other", server_id="id-silent", device="/dev/vdb")
    both = bench(server(), server("silent"), listed=[volume(), volume("other")])
    assert release.release([AT, other], both, fail) == [other]
    assert plays.asked[0]["nodes"] == ["node"]


@pytest.mark.usefixtures("answering")
def test_a_stopped_server_has_nothing_mounted(plays: Plays) -> None:
    assert release.release([AT], bench(server(state=State.STOPPED)), fail) == []
    assert plays.asked == []


@pytest.mark.usefixtures("answering")
def test_a_server_that_is_being_deleted_frees_its_volume_by_its_end(plays: Plays) -> None:
    assert release.release([AT], bench(server(state=State.DELETING)), fail) == [AT]
    assert plays.asked == []


def test_a_node_is_configured_anew_when_its_volume_is_another_or_has_grown() -> None:
    spec = parse(LAB, "lab.yaml", {}).spec
    prints = {
        fingerprint(_wanted(spec, node(), {"data": one}), {})
        for one in (volume(), volume("data", size_gib=3), Volume(id="another", name="data", size_gib=2))
    }
    assert len(prints) == 3


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("server: node, ", "", "a mounted volume needs a `server:`"),
        ("/mnt/block", "mnt", "is not an absolute path"),
        ("mount: /mnt/block", "mounted: /mnt/block", "did you mean 'mount'?"),
        (
            "mount: /mnt/block}",
            "mount: /mnt/block}, {name: more, size_gib: 1, server: node, mount: /mnt/block}",
            "/mnt/block on node is mounted twice",
        ),
    ],
)
def test_a_mistake_in_a_volumes_mount_is_told(right: str, wrong: str, told: str) -> None:
    with pytest.raises(LabFileError) as caught:
        parse(LAB.replace(right, wrong), "lab.yaml", {})
    assert told in caught.value.sentence()
    assert "line 4" in caught.value.sentence()
