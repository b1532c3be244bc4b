"""The boot volume lab, as a person uses it: the root disk outlives the node, or goes with it, as was asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cli import Chiops
from tests.support.leftovers import assert_clean

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(1800)]

NODE = "node-bootable-e2e"
VOLUME = f"boot-{NODE}"
SETTINGS = ("--set", "net_id=e2e", "--set", "flavor=m1.small", "--set", "boot_gib=4")
UP = ("up", "boot-volume-lab", "--site", "local", "--yes", "-o", "json", *SETTINGS)


@pytest.fixture(scope="module")
def lab(chiops: Chiops) -> Iterator[None]:
    """The lab, up; its volume stays."""
    chiops.ok(*UP)
    yield
    chiops.run("down", "--purge-volume", "--yes")


def on_node(chiops: Chiops, script: str) -> str:
    return chiops.ok("exec", "--", "sh", "-ec", script).out.strip()


def root_disk(chiops: Chiops) -> list[str]:
    return on_node(chiops, "findmnt -no SOURCE,FSTYPE /; df --output=size -BM / | tail -1").split()


def test_the_root_disk_is_the_volume(chiops: Chiops, lab: None) -> None:
    device, kind, size = root_disk(chiops)
    assert (device, kind) == ("/dev/vda", "ext4")
    assert int(size.removesuffix("M")) > 3600
    shown = chiops.ok("volume", "show", VOLUME, "-o", "json").json()
    assert (shown["bootable"], shown["servers"], shown["ours"]) == (True, [NODE], True)
    on_node(chiops, "echo precious > ~/kept; sudo docker info >/dev/null")
    assert chiops.ok(*UP).json()["changed"] == 0
    assert chiops.ok("plan", "boot-volume-lab", "-o", "json").json()["changes"] == 0


def test_what_it_boots_from_is_neither_detached_nor_deleted(chiops: Chiops, lab: None) -> None:
    assert "boots from" in chiops.refused("volume", "detach", VOLUME)
    assert f"is attached to {NODE}" in chiops.refused("volume", "delete", VOLUME, "--yes")
    lease = ("--lease", "lease-bootable-e2e", "--flavor", "m1.small")
    assert "is in use" in chiops.refused("server", "create", "second", *lease, "--boot-from", VOLUME)


def test_down_keeps_it_and_the_next_node_boots_from_it(chiops: Chiops, lab: None) -> None:
    kept = chiops.ok("down", "--yes", "-o", "json").json()["kept"]
    assert [(one["kind"], one["name"]) for one in kept] == [("volume", VOLUME)]
    assert_clean(chiops.state_home)
    chiops.ok(*UP, "--set", "boot_gib=5")
    assert on_node(chiops, "cat ~/kept; hostname").split() == ["precious", NODE]
    assert int(root_disk(chiops)[2].removesuffix("M")) > 4600, "it grows when the node boots"
    chiops.ok("down", "--purge-volume", "--yes")
    assert chiops.ok("volume", "list", "-o", "json").json() == []


def test_one_that_goes_with_its_node_is_gone(chiops: Chiops) -> None:
    """By a lab file of one's own, which does all that the built-in ones do, but not beside them under the same names."""
    chiops.run("down", "boot-volume-lab", "--purge-volume", "--yes")
    chiops.ok("lab", "new", "mine", "--from", "boot-volume-lab")
    assert "exists" in chiops.refused("lab", "new", "mine")
    chiops.ok("lab", "validate", "mine.yaml")
    chiops.ok("up", "mine.yaml", *UP[2:], "--set", "delete_on_termination=true")
    listed = {one["lab"]: one["state"] for one in chiops.ok("lab", "list", "-o", "json").json()}
    assert (listed["mine.yaml"], listed["boot-volume-lab"]) == ("up at local", "")
    assert root_disk(chiops)[0] == "/dev/vda"
    assert [one["name"] for one in chiops.ok("volume", "list", "-o", "json").json()] == [""]
    down = chiops.ok("down", "mine", "--yes", "-o", "json").json()
    assert (down["kept"], chiops.ok("volume", "list", "-o", "json").json()) == ([], [])
