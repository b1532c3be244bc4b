"""Which lab a name or a file means: one that is up keeps its values, however its file is named, and no lab gets another's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from chiops.cloud import sites
from chiops.errors import ChiopsError, Interrupted, UsageError
from chiops.lab import catalog, doctor, up
from chiops.lab.journal import Journal
from chiops.lab.parameters import Value
from tests.support.memory import SITE, Memory
from tests.unit.lab.conftest import FACTS
from tests.unit.lab.labs import agree, nobody, write

ONE = """\
parameters:
  net_id: {default: nobody}
---
version: 1
name: lab
servers: [{name: "node-{{ net_id }}", flavor: m1.tiny}]
volumes: [{name: "data-{{ net_id }}", size_gib: 2}]
"""
MANY = """\
parameters:
  student: {default: nobody}
  size: {default: 1}
---
version: 1
name: lab-{{ student }}
volumes: [{name: "data-{{ student }}", size_gib: {{ size }}}]
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The person's folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def clouds(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Memory]:
    """The site, and another one."""
    there = {SITE: memory, "other": Memory(site="other")}
    monkeypatch.setattr(sites, "site", lambda name: replace(FACTS, name=name))
    monkeypatch.setattr(sites, "connect", there.__getitem__)
    return there


def bring_up(word: str, site: str | None = None, **settings: Value) -> up.Outcome:
    return up.up(word, settings, site, agree, nobody, configured=False)


def values() -> dict[str, dict[str, str]]:
    with closing(Journal()) as journal:
        return {one.name: {key: str(value) for key, value in one.settings.items()} for one in journal.labs()}


@pytest.mark.parametrize(
    "word", [str, lambda path: path.name, lambda path: f"./sub/../{path.name}", lambda _: "link.yaml", lambda _: "lab"]
)
def test_a_lab_that_is_up_keeps_its_values_however_it_is_named(
    memory: Memory, here: Path, word: Callable[[Path], str]
) -> None:
    path = Path(write(here, ONE))
    (here / "sub").mkdir()
    (here / "link.yaml").symlink_to(path)
    bring_up(path.name, SITE, net_id="ff524")
    before = memory.count()
    assert up.plan(word(path), {}, None).changes == []
    assert bring_up(word(path)).changed == 0
    assert memory.count() == before
    assert catalog.opened(word(path), {})[0].values == {"net_id": "ff524"}
    assert values() == {"lab": {"net_id": "ff524"}}


def test_doctor_looks_at_the_lab_that_is_up(memory: Memory, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bring_up(write(here, ONE), SITE, net_id="ff524")
    looked: list[Mapping[str, Value]] = []
    monkeypatch.setattr(doctor, "diagnose_site", lambda _: [])
    monkeypatch.setattr(doctor, "_lab", lambda lab, _: looked.append(lab.values) or [])
    doctor.diagnose(None, "lab.yaml")
    assert looked == [{"net_id": "ff524"}]


def test_a_lab_gets_neither_values_nor_site_of_another_of_its_file(
    clouds: Mapping[str, Memory], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(here, MANY)
    monkeypatch.setenv(sites.VARIABLE, "other")
    bring_up(path, SITE, student="ann", size=7)
    assert bring_up("lab.yaml").lab.name == "lab-ann"  # as there is no other
    done = bring_up(path, student="bob")
    assert (done.lab.name, done.site) == ("lab-bob", "other")
    assert values() == {"lab-ann": {"student": "ann", "size": "7"}, "lab-bob": {"student": "bob", "size": "1"}}
    sizes = {name: [volume.size_gib for volume in cloud.of("volume").values()] for name, cloud in clouds.items()}
    assert sizes == {SITE: [7], "other": [1]}
    assert bring_up("lab.yaml", student="ann").changed == 0
    assert bring_up("lab-bob", size=2).changed == 1
    assert bring_up(path, student="bob").site == "other"
    assert values()["lab-bob"] == {"student": "bob", "size": "2"}


def test_a_lab_of_the_same_file_comes_up_at_another_site(clouds: Mapping[str, Memory], here: Path) -> None:
    path = write(here, MANY)
    bring_up(path, SITE, student="ann")
    assert bring_up(path, "other", student="bob").site == "other"
    with pytest.raises(UsageError, match="the lab lab-bob is up at other"):
        bring_up("lab.yaml", SITE, student="bob")
    with closing(Journal()) as journal:
        assert {one.name: one.site for one in journal.labs()} == {"lab-ann": SITE, "lab-bob": "other"}


def test_a_file_that_stands_for_several_labs_is_not_guessed_about(memory: Memory, here: Path) -> None:
    path = write(here, MANY)
    for student in ("ann", "bob"):
        bring_up(path, SITE, student=student)
    before = memory.count()
    for ask in (lambda: bring_up("lab.yaml"), lambda: up.plan(path, {"size": 3}, None)):
        with pytest.raises(UsageError, match=r"stands for several labs here\. Name one: lab-ann, lab-bob; or set what"):
            ask()
    assert memory.count() == before
    assert bring_up("lab.yaml", SITE, student="nobody").lab.name == "lab-nobody"


def test_a_name_with_values_that_make_another_lab_is_refused(memory: Memory, here: Path) -> None:
    path = write(here, MANY)
    bring_up(path, SITE, student="ann")
    with pytest.raises(UsageError, match=r"makes the lab lab-bob of these values, not lab-ann\. Name the file"):
        bring_up("lab-ann", student="bob")
    assert list(values()) == ["lab-ann"]


def test_values_that_the_file_has_no_more_are_not_forgotten_in_silence(memory: Memory, here: Path) -> None:
    path = write(here, MANY)
    bring_up(path, SITE, student="ann", size=7)
    write(here, MANY.replace("size: {", "gib: {").replace("{{ size }}", "{{ gib }}"))
    told = "the lab lab-ann was brought up from lab.yaml with values that can't be used now: .* has no parameter 'size'"
    with pytest.raises(UsageError, match=told):
        bring_up("lab.yaml")
    write(here, "version: 1\nnam: lab\n")
    with pytest.raises(ChiopsError, match=r"lab\.yaml.*'nam'"):
        bring_up("lab.yaml")
    assert values() == {"lab-ann": {"student": "ann", "size": "7"}}


def test_each_lab_of_a_file_elsewhere_is_listed_where_it_is(clouds: Mapping[str, Memory], here: Path) -> None:
    path = write(here, MANY)
    bring_up(path, SITE, student="ann")
    bring_up(path, "other", student="bob")
    (here / "empty").mkdir()
    found = {one.lab: one.state for one in catalog.listed(here / "empty")}
    assert (found["lab-ann"], found["lab-bob"]) == ("up at memory", "up at other")


# Ctrl-C


def interrupted(memory: Memory, at: str, *replace_: str) -> str:
    def press(request: str) -> None:
        if request == at:
            raise KeyboardInterrupt

    memory.hook = press
    with pytest.raises(Interrupted) as caught:
        up.up("my lab.yaml", {"net_id": "ff524"}, SITE, agree, nobody, replace_=replace_, configured=False)
    return caught.value.todo


def test_ctrl_c_names_all_that_the_command_needs_until_the_lab_is_noted(memory: Memory, here: Path) -> None:
    (here / "my lab.yaml").write_text(ONE)
    told = interrupted(memory, "compute.list", "node-ff524")
    again = "chiops up 'my lab.yaml' --set net_id=ff524 --site memory --replace node-ff524 --no-configure"
    assert told == f"`{again}` goes on"
    assert values() == {}


def test_ctrl_c_names_the_lab_once_it_is_noted(memory: Memory, here: Path) -> None:
    (here / "my lab.yaml").write_text(ONE)
    told = interrupted(memory, "volumes.create")
    assert told == "`chiops up lab --no-configure` goes on, `chiops down lab` takes it back"
