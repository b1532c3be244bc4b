"""The labs at a real OpenStack, by the real command line. Needs OS_CLOUD; CHIOPS_TEST_OBJECT_CLOUD may name a second region.

The nodes are not configured here, by the option that says so, since servers of a cloud under test may only be said to run
(Nova's fake driver). What needs machines that boot is in `test_machines`.
"""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Chiops
from tests.support.openstack import APPLICATION_CLOUD, OBJECT_CLOUD, OS_CLOUD, SITE

pytestmark = [
    pytest.mark.openstack,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not OS_CLOUD, reason="openstack: left out, OS_CLOUD is not set"),
]
NET_ID = f"t{secrets.token_hex(3)}"


@pytest.fixture(scope="module")
def object_lab(openstack: Chiops) -> Iterator[dict[str, Any]]:
    settings = ["--set", f"net_id={NET_ID}", "--set", "flavor=m1.small", "--set", "duration=1h"]
    yield openstack.ok("up", "object-lab", "--site", SITE, *settings, "--no-configure", "--yes", "-o", "json").json()
    openstack.ok("down", "object-lab", "--purge-bucket", "--purge-volume", "--yes")


def test_the_object_lab_comes_up_across_two_regions(openstack: Chiops, object_lab: dict[str, Any]) -> None:
    (status,) = openstack.ok("status", "object-lab", "-o", "json").json()
    parts = {part["kind"]: part for part in status["parts"]}
    assert parts["lease"]["status"] == "ACTIVE"
    assert parts["server"]["status"] == "ACTIVE"
    assert parts["server"]["extra"]["address"] == object_lab["nodes"][0]["address"]
    assert parts["bucket"]["extra"]["objects"] == 0
    assert openstack.ok("plan", "object-lab", "-o", "json").json()["changes"] == 0
    assert openstack.ok("up", "object-lab", "--no-configure", "--yes", "-o", "json").json()["changed"] == 0


def test_the_labs_key_works_over_s3(openstack: Chiops, object_lab: dict[str, Any]) -> None:
    code = (
        "from chiops.s3.client import client\nfrom chiops.lab.session import opened\n"
        "with opened('object-lab') as session:\n    access = session.bucket()\n"
        "s3 = client(access)\ns3.put_object(Bucket=access.bucket, Key='a/b c.txt', Body=b'hello')\n"
        "print(s3.get_object(Bucket=access.bucket, Key='a/b c.txt')['Body'].read().decode())"
    )
    done = subprocess.run(
        [openstack.argv()[0], "-c", code], env=openstack.env, capture_output=True, text=True, check=False
    )
    assert done.stdout == "hello\n", done.stderr


@pytest.fixture
def block_lab(openstack: Chiops) -> Iterator[list[str]]:
    """What `up` of the block lab takes."""
    settings = ["--set", f"net_id={NET_ID}", "--set", "flavor=m1.small", "--set", "duration=2h"]
    yield ["up", "block-lab", "--site", SITE, *settings, "--no-configure", "--yes", "-o", "json"]
    openstack.run("down", "block-lab", "--purge-volume", "--yes")


def test_the_block_lab_comes_up_and_its_volume_outlives_the_node(openstack: Chiops, block_lab: list[str]) -> None:
    openstack.ok(*block_lab)
    (status,) = openstack.ok("status", "block-lab", "-o", "json").json()
    parts = {part["kind"]: part for part in status["parts"]}
    assert parts["volume"]["status"] == "in-use"
    kept = openstack.ok("down", "block-lab", "--yes", "-o", "json").json()["kept"]
    assert [(one["kind"], one["name"]) for one in kept] == [("volume", f"block-persist-{NET_ID}")]
    openstack.ok(*block_lab)
    gone = openstack.ok("down", "block-lab", "--purge-volume", "--yes", "-o", "json").json()
    assert gone["kept"] == []


def test_what_others_made_is_refused(openstack: Chiops, tmp_path: Path) -> None:
    """A bucket of the project that chiops did not make stays as it is, whatever is asked."""
    name = f"others-{NET_ID}"
    code = (
        "import sys\nfrom chiops.cloud.sites import connect\nfrom chiops.cloud.base import Mark\n"
        "_, site, verb, name = sys.argv\nmore = {'mark': Mark('lab', 'somebody-else')} if verb == 'create' else {}\n"
        "with connect(site) as cloud: getattr(cloud.objects, verb)(name, **more)"
    )
    where = f"{SITE}-objects" if OBJECT_CLOUD else SITE

    def others(verb: str) -> None:
        subprocess.run([openstack.argv()[0], "-c", code, where, verb, name], env=openstack.env, check=True)

    others("create")
    try:
        assert "not made by" in openstack.refused("bucket", "delete", name, "--site", where, "--yes")
        assert "not made by" in openstack.refused("bucket", "purge", name, "--site", where, "--yes")
        flags = ["--set", f"net_id={NET_ID}", "--set", f"bucket={name}", "--site", SITE, "--yes"]
        assert "not made by chiops" in openstack.refused("up", "object-lab", *flags)
        assert openstack.ok("bucket", "show", name, "--site", where, "-o", "json").json()["objects"] == 0
    finally:
        others("delete")


@pytest.mark.skipif(not APPLICATION_CLOUD, reason="openstack: left out, CHIOPS_TEST_APPLICATION_CLOUD is not set")
def test_an_application_credential_is_told_the_way_out_and_empties_its_buckets(openstack: Chiops) -> None:
    import openstack as sdk

    at, name = ("--site", APPLICATION_CLOUD), f"application-{NET_ID}"
    refused = openstack.refused("creds", "create", *at)
    assert "sign in with your password" in refused.lower()
    refused = openstack.refused("lease", "create", name, *at, "--flavor", "m1.small", "--duration", "1h")
    assert "'unrestricted' ticked, or sign in with your password" in refused
    openstack.ok("bucket", "create", name, *at)
    try:
        with sdk.connect(cloud=APPLICATION_CLOUD) as conn:
            for key in ("a", "b c/d", "ü%25?&#"):
                conn.object_store.upload_object(container=name, name=key, data=b"12345")
        assert openstack.ok("bucket", "purge", name, *at, "--yes", "-o", "json").json()["objects"] == 3
    finally:
        openstack.ok("bucket", "delete", name, *at, "--purge", "--yes")


def test_a_node_type_that_is_not_there_is_one_sentence(openstack: Chiops) -> None:
    create = ("lease", "create", f"hosts-{NET_ID}", "--site", SITE, "--duration", "1h", "--node-type", "no_such_type")
    refused = openstack.refused(*create)
    assert "node type 'no_such_type'" in refused
    assert "BlazarDB" not in refused
    assert openstack.ok("lease", "list", "--site", SITE, "-o", "json").out.count(f"hosts-{NET_ID}") == 0


@pytest.fixture
def boot_volume_lab(openstack: Chiops) -> Iterator[list[str]]:
    """What `up` of the boot volume lab takes; the smallest volume that its image fits into."""
    images = openstack.ok("image", "list", "--site", SITE, "-o", "json").json()
    smallest = max(1, *(one["min_disk_gib"] for one in images if one["name"] == "CC-Ubuntu24.04"))
    settings = [f"net_id={NET_ID}", "flavor=m1.small", "duration=1h", f"boot_gib={smallest}"]
    sets = [word for setting in settings for word in ("--set", setting)]
    yield ["up", "boot-volume-lab", "--site", SITE, *sets, "--no-configure", "--yes", "-o", "json"]
    openstack.run("down", "boot-volume-lab", "--purge-volume", "--yes")


def test_a_boot_volume_stays_and_boots_the_next_server_or_goes(openstack: Chiops, boot_volume_lab: list[str]) -> None:
    name = f"boot-node-bootable-{NET_ID}"

    def ours() -> list[tuple[str, str]]:
        listed = openstack.ok("volume", "list", "--site", SITE, "-o", "json").json()
        return [(one["name"], one["id"]) for one in listed if one["ours"]]

    openstack.ok(*boot_volume_lab, timeout=1200)
    ((found, first),) = ours()
    assert found == name
    assert openstack.ok(*boot_volume_lab).json()["changed"] == 0
    assert "boot" in openstack.refused("volume", "detach", name, "--site", SITE)
    kept = openstack.ok("down", "boot-volume-lab", "--yes", "-o", "json", timeout=1200).json()["kept"]
    assert [(one["kind"], one["name"]) for one in kept] == [("volume", name)]
    openstack.ok(*boot_volume_lab, timeout=1200)
    assert ours() == [(name, first)], "the server boots from the volume that was kept"
    openstack.ok("down", "boot-volume-lab", "--purge-volume", "--yes", timeout=1200)
    assert ours() == []
    openstack.ok(*boot_volume_lab, "--set", "delete_on_termination=true", timeout=1200)
    assert ours() == [], "Nova made the volume, without our mark"
    openstack.ok("down", "boot-volume-lab", "--yes", timeout=1200)
