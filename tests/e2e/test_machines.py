"""What only machines that boot can show, at an OpenStack whose servers really do: the block lab's whole journey, and boot volumes.

Needs OS_CLOUD and CHIOPS_TEST_REAL_NODES=1. Written to need few boots, since the machines may be emulated.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.cli import Chiops
from tests.support.openstack import OS_CLOUD, REAL_NODES, SITE

pytestmark = [
    pytest.mark.openstack,
    pytest.mark.timeout(5400),
    pytest.mark.skipif(not OS_CLOUD, reason="openstack: left out, OS_CLOUD is not set"),
    pytest.mark.skipif(not REAL_NODES, reason="machines: left out, CHIOPS_TEST_REAL_NODES=1 is not set"),
]
RUN = f"t{secrets.token_hex(3)}"
NODE, VOLUME, PATH = f"node-block-{RUN}", f"block-persist-{RUN}", "/mnt/block"
SLOW_S = 3600.0
FLAVOR = "m1.small"


@pytest.fixture(scope="module")
def up(openstack: Chiops) -> Iterator[list[str]]:
    """The command that brings the block lab up: without Jupyter, whose image takes hours to build on an emulated machine."""
    settings = [f"net_id={RUN}", f"flavor={FLAVOR}", "duration=3h", "jupyter=false"]
    settings = [word for setting in settings for word in ("--set", setting)]
    yield ["up", "block-lab", "--site", SITE, *settings, "--yes", "-o", "json"]
    openstack.run("down", "block-lab", "--purge-volume", "--yes", timeout=SLOW_S)


def on_node(chiops: Chiops, script: str) -> list[str]:
    return chiops.ok("exec", "--", "sh", "-ec", script).out.split()


def disk_of(volume_id: str) -> str:
    """Where a virtio disk shows: its serial number holds the first 20 characters of the volume's id."""
    return f"/dev/disk/by-id/virtio-{volume_id[:20]}"


def test_what_the_block_lab_holds_outlives_its_node(openstack: Chiops, up: list[str]) -> None:
    first = openstack.ok(*up, timeout=SLOW_S).json()
    assert first["configured"] > 0
    volume = openstack.ok("volume", "show", VOLUME, "--site", SITE, "-o", "json").json()
    disk = disk_of(volume["id"])
    # On the volume's own disk, whatever its letter, in a partition of it, and the user's.
    look = f"part=$(findmnt -rno SOURCE {PATH}); echo /dev/$(lsblk -rno PKNAME $part) $(readlink -f {disk}); "
    look += f"findmnt -rno FSTYPE {PATH}; stat -c %U {PATH}; sudo blkid -p -s UUID -o value $part"
    parent, own, kind, owner, uuid = on_node(openstack, look)
    assert (parent, kind, owner) == (own, "ext4", "cc")
    assert on_node(openstack, "docker info --format '{{.Driver}}'")
    write = (
        f"head -c 3000000 /dev/urandom > {PATH}/noise; echo precious > {PATH}/persisted.txt; sha256sum < {PATH}/noise"
    )
    noise = on_node(openstack, write)
    again = openstack.ok(*up).json()
    assert (again["changed"], again["configured"]) == (0, 0)

    # Another root disk: address and volume stay.
    rebuilt = openstack.ok("server", "rebuild", NODE, "--site", SITE, "--wait", "--yes", "-o", "json", timeout=SLOW_S)
    assert rebuilt.json()["floating_address"] == first["nodes"][0]["address"]
    assert rebuilt.json()["volumes"] == [volume["id"]]
    look = f"test ! -e /var/lib/chiops/configured; sudo blkid -p -s UUID -o value {disk}-part1"
    assert on_node(openstack, look) == [uuid]

    # Another machine: nothing is formatted, and what was written is there.
    old = openstack.ok("server", "show", NODE, "--site", SITE, "-o", "json").json()["id"]
    openstack.ok("server", "delete", NODE, "--site", SITE, "--yes", timeout=SLOW_S)
    second = openstack.ok(*up, timeout=SLOW_S).json()
    assert second["configured"] > 0
    assert openstack.ok("server", "show", NODE, "--site", SITE, "-o", "json").json()["id"] != old
    look = f"sudo blkid -p -s UUID -o value $(findmnt -rno SOURCE {PATH}); cat {PATH}/persisted.txt; sha256sum < {PATH}/noise"
    assert on_node(openstack, look) == [uuid, "precious", *noise]

    kept = openstack.ok("down", "block-lab", "--yes", "-o", "json", timeout=SLOW_S).json()["kept"]
    assert [(one["kind"], one["name"]) for one in kept] == [("volume", VOLUME)]
    gone = openstack.ok("down", "block-lab", "--purge-volume", "--yes", "-o", "json", timeout=SLOW_S).json()
    assert gone["kept"] == []


def test_a_boot_volume_goes_with_its_server_or_stays(openstack: Chiops) -> None:
    name, at = f"boot-{RUN}", ("--site", SITE)
    create = ["server", "create", name, *at, "--lease", name, "--security-group", name, "--floating-ip", "--wait"]
    with ExitStack() as undo:

        def later(*words: str) -> None:
            undo.callback(openstack.run, *words, *at, "--yes", timeout=SLOW_S)

        later("lease", "delete", name)
        openstack.ok("lease", "create", name, *at, "--flavor", FLAVOR, "--duration", "2h")
        later("secgroup", "delete", name)
        openstack.ok("secgroup", "create", name, *at, "--open", "22")
        later("volume", "delete", f"boot-{name}")
        later("server", "delete", name, "--release-ip")

        def volumes() -> set[str]:
            return {one["id"] for one in openstack.ok("volume", "list", *at, "-o", "json").json()}

        def on_server(*words: str) -> str:
            return openstack.ok("server", "ssh", name, *at, "--", *words).out.strip()

        before = volumes()
        openstack.ok(*create, "--boot-volume", "2", timeout=SLOW_S)
        assert len(volumes() - before) == 1
        assert on_server("findmnt", "-rno", "SOURCE", "/").startswith("/dev/vd")
        openstack.ok("server", "delete", name, *at, "--yes", "--release-ip", timeout=SLOW_S)
        assert volumes() == before

        openstack.ok(*create, "--boot-volume", "2", "--keep-boot-volume", timeout=SLOW_S)
        on_server("sh", "-c", "echo kept > ~/marker && sync")
        openstack.ok("server", "delete", name, *at, "--yes", "--release-ip", timeout=SLOW_S)
        (kept,) = (one for one in openstack.ok("volume", "list", *at, "-o", "json").json() if one["id"] not in before)
        assert kept["name"] == f"boot-{name}"

        openstack.ok(*create, "--boot-from", f"boot-{name}", timeout=SLOW_S)
        assert on_server("cat", "marker") == "kept"
