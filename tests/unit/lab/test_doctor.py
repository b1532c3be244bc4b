"""Doctor: each finding with its verdict and its mend, on this machine, at the site, for a lab that is up or is to come up."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from chiops.cloud import sites
from chiops.cloud.base import Check, Node, Quota
from chiops.errors import Auth, RemoteFailed, UsageError
from chiops.lab import doctor, health, node_checks, up
from chiops.lab.health import Health, NodeFacts
from chiops.lab.loader import parse
from chiops.lab.quota import needs
from tests.support.memory import FLAVORS, SITE, Memory
from tests.unit.lab.labs import LAB, bring_up, write

WELL = NodeFacts(1 << 40, "active", "inactive", True, "", {"/mnt/block": ""})


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, NodeFacts | Exception]:
    """What nodes answer; a test may change it."""
    said: dict[str, NodeFacts | Exception] = {"node-1": WELL, "node-2": WELL}

    def ask(node: Node, *_: object) -> NodeFacts:
        told = said[node.name]
        if isinstance(told, Exception):
            raise told
        return told

    monkeypatch.setattr(health, "ask", ask)
    monkeypatch.setattr(health, "of_bucket", lambda *_: Health(True, "its key opens it"))
    return said


def findings(site: str | None = SITE, lab: str | None = None) -> dict[str, Check]:
    return {one.name: one for one in doctor.diagnose(site, lab)}


def bad(found: dict[str, Check]) -> dict[str, Check]:
    assert all(one.todo for one in found.values() if one.verdict != "ok"), "what is wrong says what mends it"
    return {name: one for name, one in found.items() if one.verdict != "ok"}


@pytest.fixture
def lab(memory: Memory, tmp_path: Path, state: Path) -> str:
    """The lab, up."""
    (state / "ssh" / "id_ed25519").chmod(0o600)
    path = write(tmp_path)
    bring_up(path)
    return path


def test_a_lab_that_is_well_has_nothing_to_mend(lab: str) -> None:
    found = findings()
    assert bad(found) == {}
    assert {"lab: node-1", "lab: /mnt/block", "lab: bucket bucket-x", "lab: file", "key"} <= set(found)


def test_what_is_wrong_on_a_node_is_told(lab: str, answers: dict[str, NodeFacts | Exception]) -> None:
    answers["node-1"] = NodeFacts(1 << 20, "", "inactive", False, "", {"/mnt/block": "is not mounted, or hangs"})
    answers["node-2"] = RemoteFailed("node-2 cannot be reached by ssh", why="nothing listens", todo="start it")
    found = bad(findings())
    assert found["lab: /mnt/block"].detail == "is not mounted, or hangs"
    assert found["lab: node-1: disk"].verdict == "warning"
    assert (found["lab: node-2"].detail, found["lab: node-2"].todo) == ("nothing listens", "start it")


def test_what_differs_from_the_file_is_told(lab: str, memory: Memory) -> None:
    memory.change("security_group", "ssh", rules=())
    (found,) = bad(findings()).values()
    assert (found.verdict, found.todo) == ("warning", "run `chiops up lab`")


def test_a_site_that_is_not_reached_is_a_finding(lab: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(_: str) -> Memory:
        raise Auth("not signed in", todo="sign in")

    monkeypatch.setattr(sites, "connect", connect)
    assert set(bad(findings())) == {f"site {SITE}", "lab lab"}
    (alone,) = doctor.diagnose_site(SITE)
    assert (alone.verdict, alone.todo) == ("failed", "sign in")


def test_a_site_is_checked_without_any_lab(lab: str, memory: Memory) -> None:
    memory.checks = (Check("roles", "ok", "member"),)
    assert doctor.diagnose_site(SITE) == [*memory.checks]
    assert findings()["roles"].detail == "member"
    with pytest.raises(UsageError, match="nowhere"):
        doctor.diagnose_site("nowhere")


def test_a_key_that_others_can_read_is_a_finding(lab: str, state: Path) -> None:
    (state / "ssh" / "id_ed25519").chmod(0o644)
    assert bad(findings())["key"].todo.startswith("chmod 600 ")


def test_nothing_is_made_by_looking(memory: Memory, state: Path) -> None:
    for file in (state / "ssh").iterdir():
        file.unlink()
    assert findings()["key"].verdict == "ok"
    assert list((state / "ssh").iterdir()) == []


def test_a_damaged_journal_is_a_finding(memory: Memory, state: Path) -> None:
    (state / "chiops.db").write_bytes(b"not sqlite" * 1000)
    assert bad(findings())["journal"].todo


QUOTAS = (Quota("servers", 8, 10), Quota("cores", 0, 1), Quota("volume_gib", 0, None), Quota("floating_ips", 9, 10))


def test_a_lab_that_does_not_fit_is_told_before_it_is_begun(memory: Memory, tmp_path: Path) -> None:
    path = write(tmp_path)
    memory.limits = QUOTAS
    told = [one.detail for one in doctor.diagnose(SITE, path) if one.verdict == "failed" and one.name == "lab: quota"]
    assert told == ["2 cores more are needed, 1 of 1 are free", "2 floating IPs more are needed, 1 of 10 are free"]
    assert memory.count() == {}
    memory.limits = (Quota("servers", 8, 10),)
    assert findings(lab=path)["lab: quota"].verdict == "ok"


def test_a_lab_that_is_up_needs_no_more_room(lab: str) -> None:
    assert needs(up.plan(lab, {}, SITE), FLAVORS) == Counter()


def test_what_a_lab_needs_is_what_its_plan_makes(memory: Memory, tmp_path: Path) -> None:
    wanted = needs(up.plan(write(tmp_path), {}, SITE), FLAVORS)
    assert wanted == Counter(
        servers=2, cores=2, ram_mib=1024, volumes=1, volume_gib=2, floating_ips=2, security_groups=1
    )


def test_a_boot_volume_counts_once_whether_it_stays_or_goes(memory: Memory, tmp_path: Path) -> None:
    def needed(boot: str) -> Counter[str]:
        text = LAB.replace("node-1, flavor: m1.tiny", f"node-1, flavor: m1.tiny, boot_volume: {boot}")
        return needs(up.plan(write(tmp_path, text), {}, SITE), FLAVORS)

    goes, stays = needed("{size_gib: 20}"), needed("{size_gib: 20, delete_on_termination: false}")
    assert (goes["volumes"], goes["volume_gib"]) == (2, 22)
    assert stays == goes


def test_an_unknown_lab_is_an_error(memory: Memory) -> None:
    with pytest.raises(UsageError):
        doctor.diagnose(SITE, "no-such-lab")


def test_a_lab_that_can_not_be_had_is_told_with_why(memory: Memory, tmp_path: Path) -> None:
    found = bad(findings(lab=write(tmp_path, LAB.replace("m1.tiny", "m1.tinny"))))
    assert "has no flavor 'm1.tinny'" in found["lab: node-1"].detail
    assert "m1.tiny" in found["lab: node-1"].todo


def test_what_can_be_had_of_a_lab_is_checked_beside_what_can_not(memory: Memory, tmp_path: Path) -> None:
    path = write(tmp_path, LAB.replace("node-1, flavor: m1.tiny", "node-1, flavor: m1.tinny"))
    memory.limits = QUOTAS
    assert findings(lab=path)["lab: quota"].detail == "2 floating IPs more are needed, 1 of 10 are free"
    memory.limits = (Quota("servers", 8, 10),)
    found = findings(lab=path)
    assert (found["lab: quota"].verdict, found["lab: node-1"].verdict) == ("ok", "failed")
    assert found["lab: quota"].detail.endswith(", as far as it can be had")


@pytest.mark.parametrize(
    ("firewalld", "ports", "shut"),
    [
        ("inactive", "", None),
        ("active", "8880-8890/tcp ssh", ""),
        ("active", "22/tcp 8888/tcp", ""),
        ("active", "ssh dhcpv6-client", "8888/tcp"),
        ("active", "8888/udp", "22/tcp, 8888/tcp"),
        ("active", "nonsense/tcp -/tcp", "22/tcp, 8888/tcp"),
    ],
)
def test_ports_that_the_nodes_own_firewall_shuts_are_told(firewalld: str, ports: str, shut: str | None) -> None:
    spec = parse(LAB.replace("rules: [{port: 22}]", "rules: [{port: 22}, {port: 8888}]"), "lab.yaml", {}).spec
    facts = NodeFacts(1, "active", firewalld, True, ports, {})
    found = node_checks.firewall(spec, spec.servers[0], facts)
    if shut is None:
        assert found == []
    else:
        (check,) = found
        assert check.verdict == ("warning" if shut else "ok")
        assert f"keeps {shut} shut" in check.detail or not shut
