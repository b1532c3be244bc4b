"""The block storage lab, as a person uses it: what was written outlives the node."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cli import Chiops
from tests.support.leftovers import assert_clean

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(1800)]

VOLUME = "block-persist-e2e"
NODE = "node-block-e2e"
PATH = "/mnt/block"
SETTINGS = ("--set", "net_id=e2e", "--set", "flavor=m1.small", "--set", "jupyter=false")
UP = ("up", "block-lab", "--site", "local", "--yes", "-o", "json", *SETTINGS)


@pytest.fixture(scope="module")
def lab(chiops: Chiops) -> Iterator[dict[str, Any]]:
    """The block lab, up; its JSON."""
    yield chiops.ok(*UP).json()
    chiops.run("volume", "detach", "spare-e2e")
    chiops.run("volume", "delete", "spare-e2e", "--yes")
    chiops.ok("down", "--purge-volume", "--yes")
    assert chiops.ok("status", "-o", "json").json() == []


def on_node(chiops: Chiops, script: str) -> str:
    return chiops.ok("exec", "--", "sh", "-ec", script).out.strip()


def uuid(chiops: Chiops) -> str:
    return on_node(chiops, f"sudo blkid -p -s UUID -o value $(findmnt -rno SOURCE {PATH})")


def test_the_volume_is_mounted_and_the_users(chiops: Chiops, lab: dict[str, Any]) -> None:
    assert lab["volumes"] == [{"name": VOLUME, "server": NODE, "path": PATH}]
    assert on_node(chiops, f"findmnt -rno FSTYPE {PATH}; stat -c %U {PATH}").split() == ["ext4", "cc"]
    on_node(chiops, f"mkdir {PATH}/workspace; echo persisted > {PATH}/workspace/persisted.txt")
    shown = chiops.ok("volume", "show", VOLUME, "-o", "json").json()
    assert (shown["size_gib"], shown["servers"], shown["ours"]) == (2, [NODE], True)


def test_a_second_up_changes_nothing(chiops: Chiops, lab: dict[str, Any]) -> None:
    again = chiops.ok(*UP).json()
    assert (again["changed"], again["configured"]) == (0, 0)


def test_up_mends_a_mount_that_was_lost(chiops: Chiops, lab: dict[str, Any]) -> None:
    on_node(chiops, "sudo systemctl stop mnt-block.mount")
    findings = {one["name"]: one["verdict"] for one in chiops.run("doctor", "-o", "json").json()}
    assert findings[f"block-lab: {PATH}"] == "failed"
    assert chiops.ok(*UP).json()["configured"] > 0
    assert on_node(chiops, f"cat {PATH}/workspace/persisted.txt") == "persisted"


def test_down_keeps_the_volume_and_up_has_its_files_again(chiops: Chiops, lab: dict[str, Any]) -> None:
    before = uuid(chiops)
    # A program of the person's still writes; nothing that it wrote may be lost.
    on_node(chiops, f"(exec >>{PATH}/log; while sleep 0.1; do echo line; done) </dev/null 2>/dev/null & sleep 1")
    down = chiops.ok("down", "--yes", "-o", "json")
    assert f"{VOLUME} on {NODE} is in use by sh" in down.err
    assert [(one["kind"], one["name"]) for one in down.json()["kept"]] == [("volume", VOLUME)]
    assert_clean(chiops.state_home)
    again = chiops.ok(*UP).json()
    assert again["nodes"] != lab["nodes"] or again["changed"]
    assert uuid(chiops) == before
    assert on_node(chiops, f"cat {PATH}/workspace/persisted.txt; sort -u {PATH}/log").split() == ["persisted", "line"]


def test_detach_refuses_while_a_file_is_open_and_names_the_program(chiops: Chiops, lab: dict[str, Any]) -> None:
    on_node(chiops, f"tail -f {PATH}/workspace/persisted.txt >/dev/null 2>&1 </dev/null & sleep 1")
    refused = chiops.refused("volume", "detach", VOLUME)
    assert f"{VOLUME} on {NODE} is in use by tail (process " in refused
    assert on_node(chiops, f"cat {PATH}/workspace/persisted.txt") == "persisted"
    on_node(chiops, "pkill tail")
    assert chiops.ok("volume", "detach", VOLUME, "-o", "json").json()["detached_from"] == [NODE]
    assert on_node(chiops, f"mountpoint -q {PATH} && echo yes || echo no") == "no"


def test_attach_finds_node_and_mount_point_by_itself(chiops: Chiops, lab: dict[str, Any]) -> None:
    done = chiops.ok("volume", "attach", VOLUME, "-o", "json").json()
    assert (done["server"], done["path"], done["changed"]) == (NODE, PATH, True)
    assert on_node(chiops, f"cat {PATH}/workspace/persisted.txt") == "persisted"
    assert chiops.ok("volume", "attach", VOLUME, "-o", "json").json()["changed"] is False


def test_an_attached_volume_is_not_deleted(chiops: Chiops, lab: dict[str, Any]) -> None:
    assert "is attached to node-block-e2e" in chiops.refused("volume", "delete", VOLUME, "--yes")


def test_a_volume_of_its_own_is_mounted_beside_it_and_grows(chiops: Chiops, lab: dict[str, Any]) -> None:
    chiops.ok("volume", "create", "spare-e2e", "--size", "1")
    again = chiops.ok("volume", "create", "spare-e2e", "--size", "1", "-o", "json").json()
    assert again["new"] is False, "it is the one that was made"
    assert "exists and has 1 GiB" in chiops.refused("volume", "create", "spare-e2e", "--size", "2")
    # The lab's own place is taken.
    assert f"{PATH} is taken" in chiops.refused("volume", "attach", "spare-e2e")
    done = chiops.ok("volume", "attach", "spare-e2e", "--server", NODE, "--mount", "/mnt/spare", "-o", "json").json()
    assert (done["server"], done["path"]) == (NODE, "/mnt/spare")
    assert chiops.ok("volume", "extend", "spare-e2e", "--size", "2", "-o", "json").json()["path"] == "/mnt/spare"
    assert int(on_node(chiops, "df --output=size -B1M /mnt/spare | tail -1")) > 1900
    assert "never shrinks" in chiops.refused("volume", "extend", "spare-e2e", "--size", "1")
    chiops.ok("volume", "detach", "spare-e2e")
    assert "add --yes" in chiops.refused("volume", "delete", "spare-e2e").lower()
    chiops.ok("volume", "delete", "spare-e2e", "--yes")
    assert [one["name"] for one in chiops.ok("volume", "list", "-o", "json").json()] == [VOLUME]


def with_cloud(chiops: Chiops, statement: str) -> None:
    """Run a line of Python on the site, without chiops's rules."""
    head = "from chiops.cloud.base import Mark\nfrom chiops.cloud.sites import connect\nwith connect('local') as cloud:\n    "
    subprocess.run([chiops.argv()[0], "-c", head + statement], env=chiops.env, check=True)


def test_what_is_not_ours_is_not_touched(chiops: Chiops, lab: dict[str, Any]) -> None:
    with_cloud(chiops, "cloud.volumes.create('theirs', size_gib=1, mark=Mark('lab', 'somebody else'))")
    for words in (("attach",), ("detach",), ("delete", "--yes"), ("extend", "--size", "2")):
        refused = chiops.refused("volume", words[0], "theirs", *words[1:])
        assert "was not made by your chiops" in refused
    with_cloud(chiops, "[cloud.volumes.delete(one.id) for one in cloud.volumes.list() if one.name == 'theirs']")


def test_down_takes_the_volume_only_when_told(chiops: Chiops, lab: dict[str, Any]) -> None:
    down = chiops.ok("down", "--purge-volume", "--yes", "-o", "json").json()
    assert down["kept"] == []
    assert VOLUME in [one["name"] for one in down["deleted"]]
    assert chiops.ok("volume", "list", "-o", "json").json() == []
    chiops.ok(*UP)
    assert on_node(chiops, f"ls {PATH}") == "lost+found"
