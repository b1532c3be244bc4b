"""Which site a command means, in which order, and when the person is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from chiops import progress
from chiops.cloud import sites
from chiops.errors import LabFileError, UsageError
from chiops.lab import adopt, doctor, session, status, up, where
from chiops.lab.journal import Journal
from chiops.lab.loader import load
from tests.support.memory import SITE, Memory
from tests.unit.lab.labs import LAB, bring_up, take_down, write


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the person was told, outside tasks."""
    said: list[str] = []
    monkeypatch.setattr(progress, "say", said.append)
    monkeypatch.delenv(sites.VARIABLE, raising=False)
    return said


def remember(labs: Mapping[str, str], *kept: str) -> None:
    journal = Journal()
    for name, site in labs.items():
        journal.remember(name, site=site, source=name, settings={})
    for name in kept:
        journal.kept(name)
    journal.close()


def configure(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config" / "chiops" / "sites.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_what_is_named_wins_and_nothing_is_told(state: Path, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (state / "chiops.db").write_bytes(b"not sqlite" * 1000)
    monkeypatch.setenv(sites.VARIABLE, "CHI@UC")
    assert where.meant("KVM@TACC") == "KVM@TACC"
    assert told == []


def test_each_source_beats_those_behind_it(
    state: Path, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert where.meant(None) == "local"
    assert told == []
    remember({"one": "KVM@TACC", "other": "KVM@TACC"})
    assert where.meant(None) == "KVM@TACC"
    path = configure(tmp_path, "default: CHI@TACC")
    assert where.meant(None) == "CHI@TACC"
    monkeypatch.setenv(sites.VARIABLE, "CHI@UC")
    assert where.meant(None) == "CHI@UC"
    assert where.meant(None, "one") == "KVM@TACC"
    assert told == [
        "at KVM@TACC, where one, other are up",
        f"at CHI@TACC, as {path} says",
        "at CHI@UC, as CHIOPS_SITE says",
        "at KVM@TACC, where one is up",
    ]


def test_the_plain_default_is_told_to_nobody(
    state: Path, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    remember({"one": "local"})
    assert where.meant(None) == where.meant(None, "one") == "local"
    configure(tmp_path, "default: local")
    remember({"one": "KVM@TACC"})
    assert where.meant(None) == "local"
    monkeypatch.setenv(sites.VARIABLE, " ")
    assert where.meant(None) == "local"
    assert told == []


def test_labs_at_several_sites_choose_none(state: Path, told: list[str]) -> None:
    remember({"one": "KVM@TACC", "other": "local"})
    assert where.meant(None) == "local"
    assert told == ["at local: labs are up at KVM@TACC and local, so name one with --site"]


def test_a_lab_of_which_only_data_stays_chooses_none(state: Path) -> None:
    remember({"one": "KVM@TACC"}, "one")
    assert where.meant(None) == "local"


def test_a_lab_is_where_it_is(state: Path) -> None:
    remember({"one": "KVM@TACC"})
    assert where.meant("KVM@TACC", "one") == "KVM@TACC"
    with pytest.raises(UsageError, match=r"the lab one is at KVM@TACC, not at local\. Leave --site out"):
        where.meant("local", "one")
    with pytest.raises(UsageError, match="the lab two is not up"):
        where.meant(None, "two")


def test_a_new_lab_comes_up_where_its_file_says_or_the_person_has_chosen(
    state: Path, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    remember({"other": "KVM@TACC"})
    plain, own = write(tmp_path), tmp_path / "own.yaml"
    own.write_text(LAB.replace("name: lab\n", "name: own\nsite: CHI@TACC\n"))
    place = lambda path, site=None: up.resolve(str(path), {}, site, Journal())[1]  # noqa: E731
    assert place(plain) == "local"
    monkeypatch.setenv(sites.VARIABLE, "CHI@UC")
    assert [place(plain), place(own), place(own, "KVM@TACC")] == ["CHI@UC", "CHI@TACC", "KVM@TACC"]
    assert told == ["at CHI@UC, as CHIOPS_SITE says", "at CHI@TACC, as its file says"]


def test_a_lab_that_is_up_or_has_data_stays_where_it_is(
    memory: Memory, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(sites.VARIABLE, "nowhere")
    path = write(tmp_path, LAB.replace("name: lab\n", "name: lab\nsite: nowhere\n"))
    bring_up(path)
    assert up.resolve(path, {}, None, Journal())[1] == SITE
    assert adopt.adopt(path, {}, None).site == SITE
    take_down()
    assert up.resolve(path, {}, None, Journal())[1] == SITE
    assert [told[0], told[-1]] == [f"at {SITE}, where lab is up", f"at {SITE}, where lab has data"]


@pytest.mark.parametrize("wrong", ["site: [a]", "site: 5", "sight: KVM@TACC"])
def test_a_mistake_in_a_labs_site_is_told(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(LabFileError, match="line 3"):
        load(write(tmp_path, LAB.replace("name: lab\n", f"name: lab\n{wrong}\n")), {})


def test_doctor_looks_where_the_labs_are_even_if_the_state_is_damaged(
    memory: Memory, tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(doctor, "diagnose_site", lambda name: asked.append(name) or [])
    remember({"lab": SITE})
    doctor.diagnose(None)
    (state / "chiops.db").write_bytes(b"not sqlite" * 1000)
    doctor.diagnose(None)
    assert asked == [SITE, "local"]


def test_a_site_narrows_down_which_lab_is_meant(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {name: replace(sites.site(SITE), name=name) for name in (SITE, "local", "empty")}

    def site(name: str) -> object:
        if name not in known:
            raise UsageError(f"there is no site {name!r}")
        return known[name]

    monkeypatch.setattr(sites, "site", site)
    remember({"here": SITE, "there": "local"})
    assert session.pick(Journal(), None, site="local").name == "there"
    assert [one.lab for one in status.status(site="local", check=False)] == ["there"]
    assert status.status(site="empty") == []
    with pytest.raises(UsageError, match="several labs are up"):
        session.pick(Journal(), None)
    with pytest.raises(UsageError, match="no lab is up at empty"):
        session.pick(Journal(), None, site="empty")
    with pytest.raises(UsageError, match="the lab here is at memory, not at local"):
        session.pick(Journal(), "here", site="local")
    for ask in (lambda: session.pick(Journal(), None, site="lokal"), lambda: status.status(site="lokal")):
        with pytest.raises(UsageError, match="there is no site 'lokal'"):
            ask()
