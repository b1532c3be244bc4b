"""Lab files of one's own: begun, listed, shown, checked, and brought up like the built-in ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chiops.cloud.base import State
from chiops.errors import LabFileError, UsageError
from chiops.lab import catalog, starter
from chiops.lab.loader import builtin_labs, load, parse
from chiops.lab.mistakes import InvalidLab
from tests.support.memory import Memory
from tests.unit.lab.labs import bring_up, take_down

BOOTED = """\
version: 1
name: mine
lease: {name: lease-mine, duration: 1h}
servers:
  - name: node
    flavor: m1.tiny
    boot_volume: {size_gib: 20, delete_on_termination: false}
"""


@pytest.mark.parametrize("like", ["", *builtin_labs()])
def test_every_lab_can_be_begun_with(tmp_path: Path, like: str) -> None:
    path, lab = starter.write(str(tmp_path / "my-lab"), like)
    assert (path.name, lab.name) == ("my-lab.yaml", "my-lab")
    again = load(str(path), {"net_id": "ff524"})
    assert again.spec.servers
    if like:
        theirs = load(like, {"net_id": "ff524"}).spec
        assert again.spec == theirs.model_copy(update={"name": "my-lab"})


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path, _ = starter.write(str(tmp_path / "deep" / "lab.yaml.j2"))
    assert path.read_text().startswith("# A lab of your own.")
    path.write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        starter.write(str(path))
    assert path.read_text() == "mine"
    with pytest.raises(LabFileError, match="is not a name"):
        starter.write(str(tmp_path / "-bad-.yaml"))
    assert not (tmp_path / "-bad-.yaml").exists()


def test_own_labs_are_listed_among_the_built_in_ones(memory: Memory, tmp_path: Path) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    for folder in (here, elsewhere):
        folder.mkdir()
    (here / "wrong.yaml").write_text("version: 1\nname: wrong\nserver: []\n")
    (here / "compose.yaml").write_text('version: "3"\nname: other\nservices: {}\n')
    (here / "binary.yml").write_bytes(b"\xff\xfe")
    (elsewhere / "mine.yaml").write_text(BOOTED)
    bring_up(str(elsewhere / "mine.yaml"))
    found = {one.lab: one for one in catalog.listed(here)}
    assert set(found) == {*builtin_labs(), "wrong.yaml", "mine"}
    assert "did you mean 'servers'" in found["wrong.yaml"].problem
    assert (found["mine"].state, found["block-lab"].state) == ("up at memory", "")


def test_a_lab_that_is_up_is_shown_as_it_was_brought_up(memory: Memory, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = "parameters:\n  size: {default: 20, help: GiB}\n---\n" + BOOTED.replace(
        "size_gib: 20", "size_gib: {{ size }}"
    )
    path.write_text(text)
    assert catalog.opened(str(path), {})[0].values == {"size": 20}
    from chiops.lab import up
    from tests.support.memory import SITE
    from tests.unit.lab.labs import agree, nobody

    up.up(str(path), {"size": "30"}, SITE, agree, nobody, configured=False)
    for name in ("mine", str(path)):
        lab, record = catalog.opened(name, {})
        assert (record is not None, lab.values) == (True, {"size": "30"})
        assert "size_gib: 30" in lab.text
    assert catalog.opened("mine", {"size": 40})[0].values == {"size": 40}


def test_all_mistakes_are_told_with_their_lines() -> None:
    text = BOOTED.replace("flavor:", "flavour:").replace("size_gib: 20", "size_gib: 0").replace("1h", "soon")
    with pytest.raises(InvalidLab) as caught:
        parse(text, "mine.yaml", {})
    told = [(one.line, one.key) for one in caught.value.mistakes]
    assert told == [(3, "lease.duration"), (6, "servers.0.flavour"), (7, "servers.0.boot_volume.size_gib")]
    assert caught.value.sentence().startswith("mine.yaml, line 3: ")
    assert "2 more after it" in caught.value.sentence()
    assert json.dumps([one.message for one in caught.value.mistakes])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("{size_gib: 20, name: mine}", "a volume that goes with its server has no name"),
        ("{size_gib: 0}", "greater than or equal to 1"),
        ("{delete_on_termination: false}", "the key 'size_gib' is missing"),
        ("{size_gib: 20, delete_on_termination: false, name: data}", "two volumes are named 'data'"),
    ],
)
def test_a_mistake_in_a_boot_volume_is_told(wrong: str, told: str) -> None:
    text = BOOTED.replace("{size_gib: 20, delete_on_termination: false}", wrong)
    with pytest.raises(LabFileError, match=r"line 7: ") as caught:
        parse(text + "volumes:\n  - {name: data, size_gib: 1}\n", "mine.yaml", {})
    assert told in caught.value.sentence()


def test_a_boot_volume_that_stays_is_data_and_boots_the_next_server(memory: Memory, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(BOOTED)
    bring_up(str(path))
    volume, server = memory.find("volume", "boot-node"), memory.find("server", "node")
    assert (volume.bootable, volume.size_gib, volume.attachments[0].device) == (True, 20, "/dev/vda")
    assert server.volumes == (volume.id,)
    assert bring_up(str(path)).changed == 0
    done = take_down("mine")
    assert [one.key.name for one in done.stayed] == ["boot-node"]
    assert memory.find("volume", "boot-node").state is State.READY
    bring_up(str(path))
    assert memory.find("server", "node").volumes == (volume.id,)
    take_down("mine", volume=True)
    assert memory.count() == {}


def test_a_boot_volume_that_goes_is_nobodys_to_keep(memory: Memory, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(BOOTED.replace(", delete_on_termination: false", ""))
    bring_up(str(path))
    assert bring_up(str(path)).changed == 0
    assert len(memory.of("volume")) == 1
    done = take_down("mine")
    assert done.stayed == ()
    assert memory.count() == {}


def test_a_server_that_boots_from_something_else_is_kept_until_told(memory: Memory, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(BOOTED.replace("    boot_volume: {size_gib: 20, delete_on_termination: false}\n", ""))
    bring_up(str(path))
    path.write_text(BOOTED)
    before = memory.find("server", "node").id
    bring_up(str(path))
    assert memory.find("server", "node").id == before
    bring_up(str(path), "node")
    after = memory.find("server", "node")
    assert after.volumes == (memory.find("volume", "boot-node").id,)
